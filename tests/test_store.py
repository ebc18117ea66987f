"""The store: batches, permissions, and files that cannot be used."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.schema import SCHEMA_VERSION
from hermes_hardened_adapters.common.state.store import Store, change

from tests.state import loaded, reopened


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(tmp_path / "hardened_adapters" / "state.db")
    await store.open()
    yield store
    await store.close()


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


async def test_files_and_folder_open_to_others_are_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "hardened_adapters"
    store = Store(folder / "state.db")
    await store.open()
    book = await loaded(store)
    await book.order("a", Status.REVOKED, "admin", "")
    paths = [folder, *folder.iterdir()]
    assert {path.name for path in paths[1:]} == {"state.db", "state.db-wal", "state.db-shm", "orders"}
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    change(store.path, [])
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, *[0o600] * 4]
    await store.close()
