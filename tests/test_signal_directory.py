"""The directory of numbers and ACIs: pairs, aliases, and whom the host accepts under which of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hermes_hardened_adapters.adapters.signal.people.direct_chats import DirectChats
from hermes_hardened_adapters.adapters.signal.people.directory import Directory, Learnt
from hermes_hardened_adapters.common.core.events import Address
from hermes_hardened_adapters.common.core.people import Lists, as_aci
from hermes_hardened_adapters.common.state.identities import Pair, Source

from tests.fakes.signal_daemon import ALICE, ALICE_ACI, BOB, BOB_ACI, CAROL, CAROL_ACI


def accepting(*listed: str) -> Callable[[str], bool]:
    """A host that knows its allowlist as strings, as Hermes does."""
    return lambda alias: alias in listed


def test_an_aci_is_compared_in_lower_case() -> None:
    upper = "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
    assert as_aci(upper) == upper.lower()
    authorization = Directory().authorize(Address(upper.lower()), Lists(allowed=(upper,)), accepting(upper))
    assert (authorization.user_id, authorization.allowed, authorization.listed) == (upper, True, True)


def test_a_listed_number_authorises_the_aci_it_belongs_to() -> None:
    directory = Directory()
    lists = Lists(allowed=(CAROL,))
    assert not directory.authorize(Address(CAROL_ACI), lists, accepting(CAROL)).allowed
    directory.learn(CAROL, CAROL_ACI, Source.CONTACTS)
    authorization = directory.authorize(Address(CAROL_ACI), lists, accepting(CAROL))
    assert (authorization.user_id, authorization.aci, authorization.allowed) == (CAROL, CAROL_ACI, True)


def test_a_listed_aci_authorises_a_numbered_sender() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    for address in (Address(ALICE_ACI, ALICE), Address(None, ALICE)):
        authorization = directory.authorize(address, Lists(allowed=(ALICE_ACI,)), accepting(ALICE_ACI))
        assert (authorization.user_id, authorization.aci, authorization.allowed) == (ALICE_ACI, ALICE_ACI, True)


def test_the_admins_spelling_comes_first_when_the_host_accepts_it() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    lists = Lists(admins=(ALICE_ACI,), allowed=(ALICE,))
    both = directory.authorize(Address(ALICE_ACI, ALICE), lists, accepting(ALICE, ALICE_ACI))
    number_only = directory.authorize(Address(ALICE_ACI, ALICE), lists, accepting(ALICE))
    assert (both.user_id, number_only.user_id) == (ALICE_ACI, ALICE)


def test_a_stranger_keeps_his_own_identity() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    authorization = directory.authorize(Address(BOB_ACI), Lists(allowed=(ALICE,)), accepting(ALICE))
    assert (authorization.user_id, authorization.allowed, authorization.listed) == (BOB_ACI, False, False)


def test_no_word_from_the_host_is_a_refusal() -> None:
    assert not Directory().authorize(Address(BOB_ACI), Lists(allowed=(BOB_ACI,)), lambda _: None).allowed


def test_a_wildcard_allows_but_names_nobody() -> None:
    authorization = Directory().authorize(Address(BOB_ACI), Lists(), lambda _: True)
    assert (authorization.allowed, authorization.listed) == (True, False)


def test_a_number_that_moved_to_another_aci_is_refused() -> None:
    kept: list[Pair] = []
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)], remember=kept.append)
    assert directory.learn(ALICE, BOB_ACI, Source.ENVELOPE) is Learnt.MOVED
    assert directory.learn(ALICE, BOB_ACI, Source.ENVELOPE) is Learnt.KNOWN
    assert kept == [Pair(ALICE, ALICE_ACI, Source.ENVELOPE, moved_to=BOB_ACI)]
    lists = Lists(allowed=(ALICE,))
    newcomer = directory.authorize(Address(BOB_ACI, ALICE), lists, accepting(ALICE))
    assert (newcomer.user_id, newcomer.allowed, newcomer.listed) == (BOB_ACI, False, False)
    assert directory.authorize(Address(ALICE_ACI), lists, accepting(ALICE)).allowed
    listed = directory.authorize(Address(BOB_ACI, ALICE), Lists(allowed=(BOB_ACI,)), accepting(BOB_ACI))
    assert listed.allowed


def test_a_number_alone_is_nobody_once_it_has_moved() -> None:
    alone, lists = Address(None, ALICE), Lists(allowed=(ALICE, ALICE_ACI))
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    before = directory.authorize(alone, lists, accepting(ALICE))
    assert (before.aci, before.allowed, before.listed) == (ALICE_ACI, True, True)
    directory.learn(ALICE, BOB_ACI, Source.ENVELOPE)
    moved = directory.authorize(alone, lists, lambda _: True, is_open=False)
    assert (moved.user_id, moved.aci, moved.allowed, moved.listed) == ("", None, False, False)
    directory.confirm(ALICE, CAROL_ACI)
    assert directory.aliases(alone) == ()
    directory.confirm(ALICE, BOB_ACI)
    assert directory.aliases(alone) == (ALICE, BOB_ACI)


def test_a_weaker_source_overwrites_nothing() -> None:
    directory = Directory()
    assert directory.learn(ALICE, ALICE_ACI, Source.ENVELOPE) is Learnt.NEW
    assert directory.learn(ALICE, BOB_ACI, Source.CONTACTS) is Learnt.KNOWN
    assert directory.aci_of(ALICE) == ALICE_ACI


def test_a_person_with_a_new_number_stays_the_same_person() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    directory.learn(BOB, ALICE_ACI, Source.ENVELOPE)
    assert directory.aliases(Address(ALICE_ACI, BOB)) == (BOB, ALICE, ALICE_ACI)
    assert directory.authorize(Address(ALICE_ACI, BOB), Lists(allowed=(ALICE,)), accepting(ALICE)).user_id == ALICE


def test_names_are_found_by_either_identity_and_never_are_one() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.CONTACTS)])
    directory.name(Address(ALICE_ACI, ALICE), "Alice")
    assert directory.name_of(Address(None, ALICE)) == directory.name_of(Address(ALICE_ACI)) == "Alice"
    assert directory.name_of(Address(BOB_ACI, BOB)) == ""


def test_what_is_unresolved() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.CONTACTS)])
    assert directory.unresolved(Lists(admins=(BOB,), allowed=(ALICE, CAROL, CAROL_ACI, BOB, "*"))) == (BOB, CAROL)


def test_strangers_are_forgotten_and_named_people_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes_hardened_adapters.adapters.signal.people.directory.KEEP_PEOPLE", 3)
    lists, kept, forgotten = Lists(allowed=(ALICE, CAROL_ACI)), [], []
    directory = Directory(
        [Pair(ALICE, ALICE_ACI, Source.ENVELOPE), Pair(CAROL, CAROL_ACI, Source.ENVELOPE)],
        remember=lambda pair: kept.append(pair.number),
        forget=forgotten.append,
        is_named=lambda aliases: bool(lists.spellings(aliases)),
    )
    chats = DirectChats(remember=lambda *_: None, forget=forgotten.append, is_named=directory.is_named)
    for address in (Address(ALICE_ACI, ALICE), Address(CAROL_ACI)):
        chats.id_for(directory.aliases(address))
        directory.name(address, "somebody")
    for number in range(10):
        stranger = Address(f"55555555-5555-4555-8555-{number:012}", f"+1555000500{number}")
        directory.learn(stranger.number, stranger.id, Source.ENVELOPE)
        directory.name(stranger, "Mallory")
        chats.id_for(directory.aliases(stranger))
    assert (directory.aci_of(ALICE), directory.aci_of(CAROL)) == (ALICE_ACI, CAROL_ACI)
    assert [directory.name_of(Address(uid)) for uid in (ALICE_ACI, CAROL_ACI)] == ["somebody", "somebody"]
    assert [directory.aci_of(number) is not None for number in kept] == [*[False] * 9, True]
    assert set(kept[:9]) <= set(forgotten)
    assert not {ALICE, ALICE_ACI, CAROL, CAROL_ACI} & set(forgotten)
    assert len(chats._ids) == 4
