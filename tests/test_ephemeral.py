"""Which turns have messages of which nothing is to be stored, and what the agent is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Address, Attachment, Chat, Dispatch, Inbound, Reason, Rule
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.host.waiting import ephemeral
from hermes_hardened_adapters.common.inbound.delivery import Delivery
from hermes_hardened_adapters.common.tenancy.ephemeral import duration, is_ephemeral, mark, references

SAID = Inbound("k", "1", 1_795_000_000_000, Chat("g"), Address("ann"), text="the vault", expires_in=3_600)
FILE = (Attachment("f", "image/png"),)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(1, "1 s"), (90, "90 s"), (300, "5 min"), (3_600, "1 h"), (5_400, "90 min"), (86_400, "1 d"), (2_419_200, "4 w")],
)
def test_a_timer_is_shown_in_its_largest_whole_unit(seconds: int, shown: str) -> None:
    assert duration(seconds) == shown


def test_the_mark_says_why_nothing_is_to_be_stored() -> None:
    assert mark(SAID, "0" * 16) == f"[The new message (ref {'0' * 16}): (disappears in 1 h: do not store)]"
    both = mark(replace(SAID, view_once=True, attachments=FILE), "0" * 16)
    assert both.endswith("do not store) (to be seen once: do not store, its files are deleted after this turn)]")
    assert references(f"before\n{both}\nafter") == ["0" * 16]


def test_what_stays_has_no_mark() -> None:
    assert not is_ephemeral(replace(SAID, expires_in=None))
    # Nothing in it is to be seen once.
    assert not is_ephemeral(replace(SAID, expires_in=None, view_once=True))
    assert is_ephemeral(replace(SAID, expires_in=None, view_once=True, attachments=FILE))


class Event:
    def __init__(self, text: str) -> None:
        self.text = text
        self.metadata: dict[str, Any] = {}

    def is_command(self) -> bool:
        return self.text.startswith("/")

    def get_command_args(self) -> str:
        return self.text.partition(" ")[2]


def delivery(inbound: Inbound = SAID) -> Delivery:
    decision = Dispatch(inbound.text, Rule.ADDRESSED, Reason.MENTIONED)
    authorization = Authorization("ann", None, allowed=True, listed=True, authority=Authority.ALLOWED)
    return Delivery(inbound, decision, authorization, "g", "group", Foreign("g"), Foreign("Ann"))


def arrive(text: str, key: str) -> str:
    event = Event(text)
    ephemeral.arrived(delivery(), [key])
    shown = ephemeral.marked(event, delivery(), [key])
    assert shown is not None
    assert ephemeral.marked(event, delivery(), [key]) == shown
    return shown


def test_the_turn_with_the_mark_stores_nothing_and_the_next_one_does() -> None:
    shown = arrive("the vault", "key-1")
    ephemeral.began("session-1", "key-1", f"{shown}\n\n[New message]\nthe vault")
    # The hook is called several times.
    ephemeral.began("session-1", "key-1", f"{shown}\n\n[New message]\nthe vault")
    assert ephemeral.in_turn("session-1", "key-1")
    ephemeral.began("session-1", "key-1", "what is a vault? the vault")
    assert not ephemeral.in_turn("session-1", "key-1")
    assert ephemeral.in_session(["session-0", "session-1"])
    assert not ephemeral.in_session(["session-2"])


def test_without_its_mark_a_message_is_told_by_its_words_once() -> None:
    arrive("the vault", "key-2")
    ephemeral.began("session-2", "key-2", "thevault the vaults")
    assert not ephemeral.in_turn("session-2", "key-2")
    ephemeral.began("session-3", "key-3", "another session has the vault")
    assert not ephemeral.in_turn("session-3", "key-3")
    for _ in range(2):
        ephemeral.began("session-2", "key-2", "first\nthe vault\nlast")
        assert ephemeral.in_turn("session-2", "key-2")
    ephemeral.began("session-2", "key-2", "the vault again")
    assert not ephemeral.in_turn("session-2", "key-2")


def test_what_is_said_behind_a_command_counts_also_where_no_session_is_bound() -> None:
    arrive("/background open the vault", "key-4")
    ephemeral.began("bg_1", "", "open the vault")
    assert ephemeral.in_turn("bg_1", "")


def test_a_message_may_get_into_the_turn_that_runs() -> None:
    ephemeral.began("session-5", "key-5", "hello")
    arrive("more", "key-5")
    assert ephemeral.in_turn("session-5", "key-5")
    assert not ephemeral.in_turn("session-6", "key-6")
    ephemeral.began("session-5", "key-5", "next")
    assert not ephemeral.in_turn("session-5", "key-5")


def test_nobody_makes_a_mark_for_a_turn() -> None:
    ephemeral.began("session-7", "key-7", mark(SAID, "f" * 16))
    assert not ephemeral.in_turn("session-7", "key-7")


def test_sub_agents_belong_to_the_turn() -> None:
    ephemeral.began("session-8", "key-8", arrive("x", "key-8"))
    ephemeral.delegated("session-8", "child")
    ephemeral.delegated("session-9", "other")
    assert ephemeral.in_turn("child", "")
    assert not ephemeral.in_turn("other", "")


def test_after_a_restart_the_marks_in_a_conversation_tell() -> None:
    assert not ephemeral.in_session(["session-10"])
    ephemeral.reviewed("session-10", "nothing")
    assert not ephemeral.in_session(["session-10"])
    ephemeral.reviewed("session-10", f'{{"content": "{mark(SAID, "a" * 16)}"}}')
    assert ephemeral.in_session(["session-10"])


def test_what_may_be_stored_is_not_marked() -> None:
    assert ephemeral.marked(Event("hi"), delivery(replace(SAID, expires_in=None)), ["key-11"]) is None
