"""Who is who: pairs, aliases, and whom the host accepts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.people.direct_chats import DirectChats
from hermes_hardened_adapters.adapters.signal.people.directory import Directory, Learnt
from hermes_hardened_adapters.common.core.events import Address, Me
from hermes_hardened_adapters.common.core.people import Authorization, Lists, as_aci, as_number
from hermes_hardened_adapters.common.inbound.authorization import AuthorizationCache
from hermes_hardened_adapters.common.state.identities import Pair, Source

from tests.fakes.signal_daemon import ALICE, ALICE_ACI, BOB, BOB_ACI, CAROL, CAROL_ACI


def accepting(*listed: str) -> Callable[[str], bool]:
    """A host that knows its allowlist as strings, as Hermes does."""
    return lambda alias: alias in listed


@pytest.mark.parametrize("value", ["+15550002222", "+49123456"])
def test_numbers(value: str) -> None:
    assert as_number(value) == value


@pytest.mark.parametrize(
    "value", ["15550002222", "+0123456", "+1555 000", "+1555000222233334444", "", None, 5, "+１５５５０００"]
)
def test_no_numbers(value: object) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize(
    "value",
    [
        f"PNI:{ALICE_ACI}",
        ALICE_ACI.replace("-", ""),
        "{" + ALICE_ACI + "}",
        "2222-2222222-22224-2228-222222222222",
        "{" + ALICE_ACI[:-2] + "}",
        "urn:uuid:" + ALICE_ACI[9:],
        "２" + ALICE_ACI[1:],
        ALICE_ACI + "\n",
        "u:alice.01",
        "",
        None,
        7,
    ],
)
def test_no_acis(value: object) -> None:
    assert as_aci(value) is None


def test_an_aci_is_compared_in_lower_case() -> None:
    upper = "AAAAAAAA-AAAA-4AAA-8AAA-AAAAAAAAAAAA"
    assert as_aci(upper) == upper.lower()
    authorization = Directory().authorization(Address(upper.lower()), Lists(allowed=(upper,)), accepting(upper))
    assert (authorization.user_id, authorization.allowed, authorization.listed) == (upper, True, True)


def test_a_listed_number_authorises_the_aci_it_belongs_to() -> None:
    directory = Directory()
    lists = Lists(allowed=(CAROL,))
    assert not directory.authorization(Address(CAROL_ACI), lists, accepting(CAROL)).allowed
    directory.learn(CAROL, CAROL_ACI, Source.CONTACTS)
    authorization = directory.authorization(Address(CAROL_ACI), lists, accepting(CAROL))
    assert (authorization.user_id, authorization.aci, authorization.allowed) == (CAROL, CAROL_ACI, True)


def test_a_listed_aci_authorises_a_numbered_sender() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    for address in (Address(ALICE_ACI, ALICE), Address(None, ALICE)):
        authorization = directory.authorization(address, Lists(allowed=(ALICE_ACI,)), accepting(ALICE_ACI))
        assert (authorization.user_id, authorization.aci, authorization.allowed) == (ALICE_ACI, ALICE_ACI, True)


def test_the_admins_spelling_comes_first_when_the_host_accepts_it() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    lists = Lists(admins=(ALICE_ACI,), allowed=(ALICE,))
    both = directory.authorization(Address(ALICE_ACI, ALICE), lists, accepting(ALICE, ALICE_ACI))
    number_only = directory.authorization(Address(ALICE_ACI, ALICE), lists, accepting(ALICE))
    assert (both.user_id, number_only.user_id) == (ALICE_ACI, ALICE)


def test_a_stranger_keeps_his_own_identity() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    authorization = directory.authorization(Address(BOB_ACI), Lists(allowed=(ALICE,)), accepting(ALICE))
    assert (authorization.user_id, authorization.allowed, authorization.listed) == (BOB_ACI, False, False)


def test_no_word_from_the_host_is_a_refusal() -> None:
    assert not Directory().authorization(Address(BOB_ACI), Lists(allowed=(BOB_ACI,)), lambda _: None).allowed


def test_a_wildcard_allows_but_names_nobody() -> None:
    authorization = Directory().authorization(Address(BOB_ACI), Lists(), lambda _: True)
    assert (authorization.allowed, authorization.listed) == (True, False)


def test_a_number_that_moved_to_another_aci_is_refused() -> None:
    kept: list[Pair] = []
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)], remember=kept.append)
    assert directory.learn(ALICE, BOB_ACI, Source.ENVELOPE) is Learnt.MOVED
    assert directory.learn(ALICE, BOB_ACI, Source.ENVELOPE) is Learnt.KNOWN
    assert kept == [Pair(ALICE, ALICE_ACI, Source.ENVELOPE, moved_to=BOB_ACI)]
    lists = Lists(allowed=(ALICE,))
    newcomer = directory.authorization(Address(BOB_ACI, ALICE), lists, accepting(ALICE))
    assert (newcomer.user_id, newcomer.allowed, newcomer.listed) == (BOB_ACI, False, False)
    assert directory.authorization(Address(ALICE_ACI), lists, accepting(ALICE)).allowed
    listed = directory.authorization(Address(BOB_ACI, ALICE), Lists(allowed=(BOB_ACI,)), accepting(BOB_ACI))
    assert listed.allowed


def test_a_number_alone_is_nobody_once_it_has_moved() -> None:
    alone, lists = Address(None, ALICE), Lists(allowed=(ALICE, ALICE_ACI))
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.ENVELOPE)])
    before = directory.authorization(alone, lists, accepting(ALICE))
    assert (before.aci, before.allowed, before.listed) == (ALICE_ACI, True, True)
    directory.learn(ALICE, BOB_ACI, Source.ENVELOPE)
    moved = directory.authorization(alone, lists, lambda _: True, is_open=False)
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
    assert directory.authorization(Address(ALICE_ACI, BOB), Lists(allowed=(ALICE,)), accepting(ALICE)).user_id == ALICE


def test_names_are_found_by_either_identity_and_never_are_one() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.CONTACTS)])
    directory.name(Address(ALICE_ACI, ALICE), "Alice")
    assert directory.name_of(Address(None, ALICE)) == directory.name_of(Address(ALICE_ACI)) == "Alice"
    assert directory.name_of(Address(BOB_ACI, BOB)) == ""


def test_what_is_unresolved() -> None:
    directory = Directory([Pair(ALICE, ALICE_ACI, Source.CONTACTS)])
    assert directory.unresolved(Lists(admins=(BOB,), allowed=(ALICE, CAROL, CAROL_ACI, BOB, "*"))) == (BOB, CAROL)


def test_a_direct_chat_keeps_the_id_it_had_first() -> None:
    kept: list[tuple[str, str]] = []
    chats = DirectChats(remember=lambda alias, chat: kept.append((alias, chat)))
    assert chats.id_for((CAROL_ACI,)) == CAROL_ACI
    assert chats.id_for((CAROL, CAROL_ACI)) == CAROL_ACI
    assert DirectChats(kept).id_for((CAROL,)) == CAROL_ACI


@pytest.mark.parametrize("hidden_first", [False, True])
def test_a_direct_chat_follows_the_present_owner_of_a_number(hidden_first: bool) -> None:
    directory = Directory()
    chats = DirectChats(owner=directory.aci_of)

    def chat_of(address: Address) -> str:
        return chats.id_for(directory.aliases(address))

    if hidden_first:
        assert chat_of(Address(ALICE_ACI)) == ALICE_ACI
    directory.learn(ALICE, ALICE_ACI, Source.ENVELOPE)
    assert chat_of(Address(ALICE_ACI, ALICE)) == (ALICE_ACI if hidden_first else ALICE)
    directory.learn(ALICE, BOB_ACI, Source.ENVELOPE)
    assert chat_of(Address(BOB_ACI, ALICE)) == BOB_ACI
    assert chat_of(Address(ALICE_ACI, ALICE)) == (ALICE_ACI if hidden_first else ALICE)
    directory.confirm(ALICE, BOB_ACI)
    new, old = chat_of(Address(BOB_ACI, ALICE)), chat_of(Address(ALICE_ACI))
    assert directory.aci_of(new) or new == BOB_ACI
    assert directory.aci_of(new) in {None, BOB_ACI}
    assert old == ALICE_ACI
    assert (chat_of(Address(BOB_ACI)), chat_of(Address(ALICE_ACI))) == (new, old)


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


def test_who_we_are() -> None:
    me = Me("own", "+15550001111")
    assert me.recognises(Address("own")) is True
    assert me.recognises(Address("other", "+15550001111")) is True
    assert me.recognises(Address("other")) is False
    assert me.recognises(Address()) is False
    unsure = Me(None, "+15550001111")
    assert unsure.recognises(Address("other")) is None
    assert unsure.recognises(Address("other", "+15550002222")) is False


def test_the_host_is_asked_once_a_second_about_whom_it_accepts() -> None:
    now, asked, word = [0.0], [], [True]

    def ask(*question: Any) -> Authorization:
        asked.append(question)
        return Authorization(ALICE, None, allowed=word[0], listed=False)

    authorizations = AuthorizationCache(ask, lambda: now[0])
    alice, elsewhere = (Address(None, ALICE), "group", "g"), (Address(None, ALICE), "group", "h")
    assert all(authorizations.of(*question).allowed for question in (alice, alice, elsewhere))
    assert asked == [alice, elsewhere]
    word[0], now[0] = False, 0.9
    assert authorizations.of(*alice).allowed
    now[0] = 1.0
    assert not authorizations.of(*alice).allowed


def test_the_host_is_asked_again_when_something_was_learnt() -> None:
    words = iter([True, False])
    authorizations = AuthorizationCache(
        lambda *_: Authorization(ALICE, None, allowed=next(words), listed=False), lambda: 0.0
    )
    alice = (Address(None, ALICE), "dm", ALICE)
    assert authorizations.of(*alice).allowed
    authorizations.forget()
    assert not authorizations.of(*alice).allowed


def test_whom_the_host_refuses_it_is_asked_about_every_time() -> None:
    words = iter([False, False, True])
    authorizations = AuthorizationCache(
        lambda *_: Authorization("a", None, allowed=next(words), listed=False), lambda: 0.0
    )
    assert [authorizations.of(Address("a"), "dm", "a").allowed for _ in range(4)] == [False, False, True, True]
