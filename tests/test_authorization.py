"""The cache of authorizations: how long the host's word holds."""

from __future__ import annotations

from typing import Any

from hermes_hardened_adapters.common.core.events import Address
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.inbound.authorization import AuthorizationCache

from tests.fakes.signal_daemon import ALICE


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
