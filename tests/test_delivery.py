"""The last step of a message before the host: its buffer, its author's place, and new versions of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Address,
    Chat,
    Dispatch,
    Inbound,
    Observe,
    Reason,
    Rule,
    message_key,
)
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.inbound.background import Line
from hermes_hardened_adapters.common.inbound.delivery import Delivery, apply_edit, buffer_of
from hermes_hardened_adapters.common.inbound.observation import Observations

ALICE = Address("alice")
SAID = Inbound("alice 1", "1", 1, Chat("g"), ALICE, text="lunch?")
EDIT = replace(SAID, key="alice 2", message_id="2", edits="1")
REQUEST = Dispatch("dinner?", Rule.ADDRESSED, Reason.MENTIONED)
TALK = Observe("dinner?", Rule.UNADDRESSED, Reason.UNADDRESSED)


@pytest.fixture
def observed() -> Observations:
    """A buffer in which what Alice said is still there."""
    observed = Observations("signal", lambda: 0.0)
    observed.add("g", Line(message_key(ALICE, "1"), "Alice", Authority.ALLOWED, "lunch?", 0.0))
    return observed


def test_a_thread_has_a_buffer_of_its_own() -> None:
    assert buffer_of("c", Chat("c")) == "c"
    assert buffer_of("c", Chat("c", thread="t")) not in {"c", buffer_of("c", Chat("c", thread="u"))}


@pytest.mark.parametrize(
    ("allowed", "authority", "admitted"),
    [
        (True, Authority.ALLOWED, False),
        (False, Authority.STRANGER, False),
        (False, Authority.MEMBER, True),
        (False, Authority.PROGRAM, True),
    ],
)
def test_who_has_a_turn_although_the_host_accepts_them_not(allowed: bool, authority: Authority, admitted: bool) -> None:
    authorization = Authorization("alice", None, allowed=allowed, listed=False, authority=authority)
    assert Delivery(SAID, REQUEST, authorization, "g", "group", Foreign(), Foreign()).admitted is admitted


@pytest.mark.parametrize("decision", [REQUEST, TALK])
def test_a_first_version_stays_as_it_is(observed: Observations, decision: Dispatch | Observe) -> None:
    assert apply_edit(observed, SAID, decision, "g") is decision
    assert [line.text for line in observed.lines("g")] == ["lunch?"]


def test_background_replaces_its_old_version_in_the_buffer(observed: Observations) -> None:
    assert apply_edit(observed, EDIT, TALK, "g") is None
    assert [line.text for line in observed.lines("g")] == ["dinner?"]


def test_background_that_replaces_nothing_is_marked(observed: Observations) -> None:
    assert apply_edit(observed, replace(EDIT, edits="0"), TALK, "g") == replace(TALK, text="(edited) dinner?")
    assert [line.text for line in observed.lines("g")] == ["lunch?"]


def test_nobody_edits_what_somebody_else_said(observed: Observations) -> None:
    forged = replace(EDIT, sender=Address("mallory"))
    assert apply_edit(observed, forged, TALK, "g") == replace(TALK, text="(edited) dinner?")
    assert apply_edit(observed, forged, REQUEST, "g") == replace(REQUEST, text="(edited) dinner?")
    assert [line.text for line in observed.lines("g")] == ["lunch?"]


def test_a_request_takes_its_old_version_out_of_the_buffer(observed: Observations) -> None:
    assert apply_edit(observed, EDIT, REQUEST, "g") == replace(REQUEST, text="(edited) dinner?")
    assert observed.lines("g") == ()


def test_a_command_stays_a_command(observed: Observations) -> None:
    command = replace(REQUEST, text="/status")
    assert apply_edit(observed, EDIT, command, "g") == command
