"""State on disk: batches, permissions, files that cannot be used, and the ledger on top of it."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.state import ledger as ledger_module
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.ledger import Ledger
from hermes_hardened_adapters.common.state.schema import SCHEMA_VERSION, STEPS
from hermes_hardened_adapters.common.state.store import Store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "hardened_adapters" / "state.db")
    await store.open()
    yield store
    await store.close()


async def reopened(store: Store) -> Store:
    await store.close()
    again = Store(store.path)
    await again.open()
    return again


async def test_only_the_owner_can_read_it(store: Store) -> None:
    store.write("INSERT INTO meta VALUES ('a', 'b')")
    await store.flush()
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    for path in store.path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name


async def test_many_writers_share_few_transactions(store: Store) -> None:
    """Also when each goes on writing at once. After its flush whoever looks sees what he wrote."""
    statements: list[str] = []
    assert store._connection is not None
    store._connection.set_trace_callback(statements.append)

    async def work(writer: int) -> None:
        for number in range(10):
            key = f"{writer} {number}"
            store.write("INSERT INTO meta VALUES (?, 'x')", (key,))
            await store.flush()
            assert read(store.path, "SELECT key FROM meta WHERE key = ?", (key,)) == [(key,)]

    await asyncio.gather(*map(work, range(20)))
    assert await store.rows("SELECT count(*) FROM meta WHERE value = 'x'") == [(200,)]
    assert statements.count("COMMIT") <= 2 * 10 + 1


async def test_what_nobody_flushes_is_written_behind(store: Store) -> None:
    store.write("INSERT INTO meta VALUES ('a', 'b')")
    async with asyncio.timeout(5):
        while not await store.rows("SELECT * FROM meta WHERE key = 'a'"):
            await asyncio.sleep(0.02)


async def test_closing_writes_what_is_pending(store: Store) -> None:
    store.write("INSERT INTO meta VALUES ('a', 'b')")
    again = await reopened(store)
    assert await again.rows("SELECT * FROM meta WHERE key = 'a'") == [("a", "b")]
    await again.close()
    await again.close()


async def test_a_statement_that_fails_is_told_and_survived(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.write("INSERT INTO no_such_table VALUES (1)")
    await store.flush()
    store.write("INSERT INTO meta VALUES ('a', 'b')")
    await store.flush()
    assert await store.rows("SELECT value FROM meta WHERE key = 'a'") == [("b",)]
    assert "state file: cannot write" in caplog.text


@pytest.mark.parametrize("damage", ["garbage", "newer"])
async def test_an_unusable_file_is_kept_aside(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "state.db"
    if damage == "garbage":
        path.write_bytes(b"this is no database" * 400)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
        connection.close()
    store = Store(path)
    await store.open()
    assert await store.rows("SELECT * FROM chat_group") == []
    await store.close()
    assert (tmp_path / "state.db.unusable-1").exists()
    assert "rebuilding it from the journal of orders" in caplog.text


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


@pytest.mark.parametrize("version", [2, 3])
async def test_a_ledger_of_an_older_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    post, aci = "a" * 26, "11111111-1111-4111-8111-111111111111"
    rows = [(post, 4.0), (f"{post} dispatched", 5.0), (f"{aci} 17", 1.0), ("+15550001111 18", 2.0)]
    with sqlite3.connect(path) as connection:
        for step in STEPS[:2]:
            connection.executescript(step)
        connection.executemany("INSERT INTO ledger VALUES (?, ?)", rows)
        for step in STEPS[2:version]:
            connection.executescript(step)
        connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    store = Store(path)
    await store.open()
    for network, keys in (("mattermost", [post, f"{post} dispatched"]), ("signal", [f"{aci} 17", "+15550001111 18"])):
        ledger = Ledger(store, network, lambda: 10.0)
        await ledger.load()
        assert [ledger.claim(key) for key in (*keys, "another")] == [False, False, True]
    assert await store.rows("SELECT sent_at FROM ledger ORDER BY sent_at") == [(1000,), (2000,), (4000,), (5000,)]
    await store.close()
