"""The ledger: every message once, within bounds of time and number."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.state import ledger as ledger_module
from hermes_hardened_adapters.common.state.ledger import Answers, Ledger
from hermes_hardened_adapters.common.state.store import Store

from tests.state import reopened


async def test_the_ledger_lets_a_message_in_once(store: Store) -> None:
    ledger = Ledger(store, "signal", lambda: 1000.0)
    await ledger.load()
    assert ledger.claim("a")
    assert not ledger.claim("a")
    await ledger.commit("a")
    ledger.claim("never committed")
    again = await reopened(store)
    after = Ledger(again, "signal", lambda: 1001.0)
    await after.load()
    assert not after.claim("a")
    assert after.claim("never committed")
    await again.close()


@pytest.mark.parametrize("ahead", [-7 * 86400.0, 8 * 86400.0])
async def test_a_clock_that_is_wrong_makes_nothing_forgotten(store: Store, ahead: float) -> None:
    ledger = Ledger(store, "signal", lambda: 10**9)
    ledger.claim("a")
    await ledger.commit("a", sent_at=10**12 - 5)
    later = Ledger(store, "signal", lambda: 10**9 + ahead)
    await later.load()
    assert not later.claim("a")
    assert later.claim("b")
    assert later.horizon == 0


async def test_what_nobody_reads_pushes_out_nothing_that_was_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "KEEP_KEYS", 50)
    monkeypatch.setattr(ledger_module, "KEEP_IGNORED", 20)
    ledger = Ledger(store, "signal", lambda: 1000.0)
    await ledger.load()
    assert ledger.claim("served")
    await ledger.commit("served", sent_at=1)
    assert ledger.claim("being handled")
    for number in range(200):
        assert ledger.claim(f"unserved {number}")
        ledger.ignore(f"unserved {number}")
    assert [ledger.claim(key) for key in ("served", "being handled", "unserved 199")] == [False, False, False]
    assert ledger.claim("unserved 0")  # as bounded as it shall be
    ledger.ignore("served")
    assert not ledger.claim("served")
    assert ledger.horizon == 0


async def test_the_ledger_knows_how_far_back_it_reaches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEEP_KEYS", 10)
    ledger = Ledger(store, "signal", lambda: 1000.0)
    await ledger.load()
    # One that claims to be from the future must not make everything else look old.
    await ledger.commit("a sender's clock", sent_at=10**15)
    for number in range(10):
        assert ledger.horizon == 0
        await ledger.commit(str(number), sent_at=100 + number)
    assert ledger.horizon == 1_000_000
    for _ in range(2):
        ledger = Ledger(store, "signal", lambda: 2000.0)
        await ledger.load()
        await ledger.commit("later", sent_at=1_500_000)
        assert ledger.horizon == 1_000_000


async def test_the_ledger_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEEP_KEYS", 10)
    monkeypatch.setattr(ledger_module, "_PRUNE_EVERY", 5)
    quiet = Ledger(store, "mattermost", lambda: 1000.0)
    quiet.claim("quiet")
    await quiet.commit("quiet")
    ledger = Ledger(store, "signal", lambda: 1000.0)
    for number in range(25):
        assert ledger.claim(str(number))
        await ledger.commit(str(number))
    assert len(ledger) == 10
    assert not ledger.claim("24")
    assert await store.rows("SELECT key FROM ledger WHERE network = 'signal'") == [(str(n),) for n in range(15, 25)]
    await quiet.load()
    assert not quiet.claim("quiet")


async def test_an_answer_that_began_is_known_after_a_restart(store: Store) -> None:
    answers = Answers(store, "signal")
    await answers.begin("a")
    await answers.begin("b")
    await answers.forget("b")
    again = await reopened(store)
    assert [await Answers(again, "signal").began(key) for key in "ab"] == [True, False]
    assert not await Answers(again, "mattermost").began("a")
    ledger = Ledger(again, "signal", lambda: 1000.0)
    await ledger.load()
    assert ledger.claim("a")
    await again.close()


async def test_answers_are_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEEP_ANSWERS", 10)
    monkeypatch.setattr(ledger_module, "_PRUNE_ANSWERS_EVERY", 5)
    ledger = Ledger(store, "signal", lambda: 1000.0)
    ledger.claim("a message")
    await ledger.commit("a message")
    answers = Answers(store, "signal")
    for number in range(26):
        await answers.begin(str(number))
    kept = await store.rows("SELECT key FROM ledger WHERE network = 'signal answers'")
    assert kept == [(str(n),) for n in range(15, 26)]
    assert await store.rows("SELECT key FROM ledger WHERE network = 'signal'") == [("a message",)]


async def test_whether_an_answer_began_is_an_error_if_nobody_can_tell(store: Store) -> None:
    answers = Answers(store, "signal")
    await store.close()
    await answers.begin("a")
    with pytest.raises(StateError):
        await answers.began("a")
    await store.open()
    assert await answers.began("a")
