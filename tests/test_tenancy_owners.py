"""The owner of a name: the first to whom it was said, and nobody what two chats use."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hermes_hardened_adapters.common.tenancy.chats import Chat
from hermes_hardened_adapters.common.tenancy.owners import Kind, Owner, Owners, named_by, outlives_owner

ALICE, BOB = (Owner(Chat("signal", each, user_id=each), since) for each, since in (("+1", 1.0), ("+2", 2.0)))
NOBODY = Owner(None, 3.0)


def test_the_first_one_keeps_a_name() -> None:
    owners = Owners(9)
    assert owners.get("", "a") is None
    for owner in (ALICE, BOB, NOBODY):
        owners.named("", "a", owner)
    assert owners.get("", "a") == ALICE
    assert owners.get("elsewhere", "a") is None
    owners.named("", "a", BOB, anew=True)
    assert owners.get("", "a") == BOB


def test_a_name_that_was_nobodys_stays_nobodys() -> None:
    owners = Owners(9)
    owners.named("", "a", NOBODY)
    owners.named("", "a", BOB)
    assert owners.get("", "a") == NOBODY


@pytest.mark.parametrize(
    "other",
    [
        BOB.chat,
        None,
        Chat("mattermost", "+1", user_id="+1"),
        Chat("signal", "+1", user_id="+2"),
        Chat("signal", "+1", thread_id="t", user_id="+1"),
    ],
)
def test_what_two_use_neither_has(other: Chat | None) -> None:
    owners = Owners(9)
    owners.claimed("", "call_0", ALICE)
    owners.claimed("", "call_0", Owner(ALICE.chat, 9.0))
    assert owners.get("", "call_0") == ALICE
    owners.claimed("", "call_0", Owner(other, 9.0))
    for again in (ALICE, Owner(other, 9.0)):
        owners.claimed("", "call_0", again)
        assert owners.get("", "call_0") == Owner(None, 1.0)
    owners.claimed("elsewhere", "call_0", BOB)
    assert owners.get("elsewhere", "call_0") == BOB


def test_the_oldest_names_are_forgotten() -> None:
    owners = Owners(2)
    for name in "abc":
        owners.named("", name, ALICE)
        owners.claimed("calls", name, BOB)
    assert [bool(owners.get(place, name)) for place in ("", "calls") for name in "abc"].count(True) == 2
    assert owners.get("calls", "c") == BOB


def test_threads_see_one_owner() -> None:
    owners = Owners(1_000)
    everybody = [Owner(Chat("signal", str(n)), 0.0) for n in range(8)]

    def names(owner: Owner) -> list[Owner | None]:
        for n in range(500):
            owners.named("", str(n), owner)
        return [owners.get("", str(n)) for n in range(500)]

    with ThreadPoolExecutor(8) as threads:
        first, *others = threads.map(names, everybody)
    assert all(each == first for each in others)
    assert None not in first


@pytest.mark.parametrize(
    ("tool", "kinds"),
    [
        ("delegate_task", {Kind.MEDIA, Kind.DELEGATION}),
        ("web_extract", {Kind.MEDIA, Kind.WEB}),
        ("browser_snapshot", {Kind.MEDIA, Kind.WEB}),
        ("image_generate", {Kind.MEDIA}),
        ("read_file", {Kind.MEDIA}),
        ("session_search", {Kind.MEDIA}),
        ("terminal", {Kind.MEDIA}),
    ],
)
def test_whose_answers_name_what(tool: str, kinds: set[Kind]) -> None:
    assert named_by(tool) == kinds


def test_only_received_and_generated_files_outlive_what_is_known_of_them() -> None:
    assert [kind for kind in Kind if outlives_owner(kind)] == [Kind.MEDIA]
