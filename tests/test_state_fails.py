"""A state file that cannot be opened, read or written: SQLite and the system really fail here.

At open only what SQLite itself calls damaged is set aside. Afterwards the chat goes on, what could not be written is
kept and tried again, and an order is confirmed only when it is on disk.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.state import database
from hermes_hardened_adapters.common.state import store as module
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist, order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import connect, execute, journal_of, read
from hermes_hardened_adapters.common.state.ledger import Ledger
from hermes_hardened_adapters.common.state.orders import ChatOrder
from hermes_hardened_adapters.common.state.schema import SCHEMA_VERSION, prepare
from hermes_hardened_adapters.common.state.store import Store, change

from tests.state import set_aside


def filled(path: Path) -> Path:
    """A sound file with some pages, of which two chats are said: one is revoked, one approved by invitation."""
    order(path, "signal", "gone", Status.REVOKED, "operator", "because", 1.0)
    change(path, [("INSERT INTO meta VALUES (?, ?)", (str(n), "x" * 3000)) for n in range(60)])
    change(path, [("INSERT INTO chat_group VALUES ('signal', 'heard of', 'known', NULL, 1.0)", ())])
    return path


def apart(work: Callable[[Path], None], path: Path) -> None:
    """Do something in a process of its own, whose rights and limits end with it."""
    assert failure_apart(work, path) == ""


def failure_apart(work: Callable[[Path], None], path: Path) -> str:
    """The same, and what it raised."""

    def child(answers: Any) -> None:
        try:
            work(path)
        except BaseException as exc:
            answers.send(f"{type(exc).__name__}: {exc}")
        else:
            answers.send("")

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    assert ours.poll(60)
    failure = str(ours.recv())
    process.join()
    return failure


def opening(path: Path) -> None:
    """As an adapter does."""

    async def work() -> None:
        store = Store(path)
        await store.open()
        await store.close()

    asyncio.run(work())


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Another process holds the lock."""
    script = (
        f"import sqlite3, sys; c = sqlite3.connect({str(path)!r}, isolation_level=None);"
        " c.execute('BEGIN IMMEDIATE'); c.execute(\"INSERT INTO meta VALUES ('other', '1')\");"
        " print('held', flush=True); sys.stdin.read()"
    )
    with subprocess_of(script) as process:
        assert process.stdout.readline().strip() == b"held"
        yield


@contextmanager
def subprocess_of(script: str) -> Iterator[Any]:
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


# -- at open: what is set aside, and what is refused


def garbled(path: Path) -> None:
    path.write_bytes(b"this is no database" * 400)


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // 4096 * 4096)


def scribbled(path: Path) -> None:
    """Only a check of every page finds it."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 20 * 4096)
        file.write(os.urandom(15 * 4096))


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")


def lost(path: Path) -> None:
    path.unlink()


def emptied(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize("damage", [None, garbled, truncated, scribbled, newer, lost, emptied])
async def test_no_damage_loses_a_revocation(tmp_path: Path, damage: Callable[[Path], None] | None) -> None:
    path = filled(tmp_path / "state.db")
    if damage:
        damage(path)
    store = Store(path)
    await store.open()
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    assert book.revoked == {"gone"}
    assert book.knows("heard of") is (damage is None)
    await store.close()
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
    assert set_aside(tmp_path) == (["state.db.unusable-1"] if damage in {garbled, truncated, scribbled, newer} else [])
    assert entries(path, "signal")["gone"].origin().endswith(": because")


def folder_in_its_place(path: Path) -> None:
    path.unlink()
    path.mkdir()


def file_in_the_folders_place(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_text("")


def of_somebody_else(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA user_version=0")


def orders_that_make_no_sense(path: Path) -> None:
    journal = journal_of(path).path
    journal.write_bytes(b'{"network": "signal"}\n' + journal.read_bytes())


def orders_of_a_newer_version(path: Path) -> None:
    journal = journal_of(path).path
    journal.write_bytes(journal.read_bytes().replace(b'"revoked"', b'"suspended"'))


def folder_in_place_of_the_orders(path: Path) -> None:
    journal_of(path).path.unlink()
    journal_of(path).path.mkdir()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (folder_in_its_place, "unable to open"),
        (file_in_the_folders_place, "exists"),
        (of_somebody_else, "already exists"),
        (orders_that_make_no_sense, "line 1 of the orders"),
        (orders_of_a_newer_version, "line 1 of the orders"),
        (folder_in_place_of_the_orders, "cannot be read"),
    ],
)
async def test_what_is_not_damaged_is_refused_and_left_alone(
    tmp_path: Path, fault: Callable[[Path], None], reason: str
) -> None:
    path = filled(tmp_path / "folder" / "state.db")
    fault(path)
    before = path.read_bytes() if path.is_file() else b""
    for _ in range(2):
        store = Store(path)
        with pytest.raises(StateError, match=reason):
            await store.open()
        await store.close()
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert not set_aside(tmp_path)


async def test_a_locked_file_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    path = filled(tmp_path / "state.db")
    with held(path):
        store = Store(path)
        with pytest.raises(StateError, match="locked by another program"):
            await store.open()
        with pytest.raises(StateError, match="locked by another program"):
            order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)
    assert not set_aside(tmp_path)
    await store.open()
    await store.close()
    assert entries(path, "signal")["gone"].status is Status.REVOKED


def test_a_disk_that_takes_nothing_is_refused_and_the_file_left_alone(tmp_path: Path) -> None:
    """No file of that process may be longer than a page."""

    def work(path: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        with pytest.raises(StateError, match="make room"):
            opening(path)
        with pytest.raises(StateError):
            opening(path.with_name("another.db"))
        with pytest.raises(StateError, match="make room"):
            order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)

    path = filled(tmp_path / "state.db")
    before = path.read_bytes()
    apart(opening, path)  # the same without the limit
    apart(work, path)
    assert not set_aside(tmp_path)
    assert path.read_bytes() == before
    assert entries(path, "signal")["gone"].status is Status.REVOKED


def test_a_file_that_may_not_be_written_is_refused_and_left_alone() -> None:
    """By a user who owns neither it nor its folder; root may do everything."""

    def work(path: Path) -> None:
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        with pytest.raises(StateError, match=r"belong to|writable"):
            opening(path)
        with pytest.raises(StateError, match=r"belong to|writable"):
            order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)

    folder = Path(tempfile.mkdtemp())
    try:
        path = filled(folder / "state.db")
        path.chmod(0o444)
        folder.chmod(0o555)
        apart(work, path)
        assert not set_aside(folder)
        assert entries(path, "signal")["gone"].status is Status.REVOKED
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


async def test_a_table_that_cannot_be_read_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    path = filled(tmp_path / "state.db")
    store = Store(path)
    await store.open()
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    change(path, [(f"DROP TABLE {table}", ()) for table in ("audit", "ledger", "chat_group")])
    for load in (
        Ledger(store, "signal", lambda: 1.0).load,
        RuntimeAllowlist(store, "signal", lambda: 1.0).load,
        book.refresh,
    ):
        with pytest.raises(StateError, match="cannot be read"):
            await load()
    assert book.revoked == {"gone"}
    assert await store.cached_rows("SELECT * FROM ledger") == []
    await store.close()


# -- while it is open


@pytest.fixture
async def full(store: Store, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], Any]:
    """Makes the file as long as it may get, and ends that again."""
    monkeypatch.setattr(module, "backoff", lambda **_: iter(lambda: 0.05, None))

    async def limit(is_full: bool) -> None:
        def work() -> None:
            assert store._connection is not None
            (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
            store._connection.execute(f"PRAGMA max_page_count={pages if is_full else 2**30}")

        await store._in_thread(work)
        if is_full:
            # What is left in the last pages.
            while await store.flush():
                store.write("INSERT INTO meta VALUES (?, ?)", (os.urandom(8).hex(), "x" * 5000))

    return limit


async def test_what_a_full_disk_does_not_take_is_kept_and_tried_again(
    store: Store, full: Callable[[bool], Any], caplog: pytest.LogCaptureFixture
) -> None:
    book, ledger = RuntimeAllowlist(store, "signal", lambda: 1000.0), Ledger(store, "signal", lambda: 1000.0)
    await book.load()
    await full(True)
    for number in range(100):
        book.approve(f"{number} {'x' * 100}", by="alice")
        ledger.claim(str(number))
        # Whoever is answered meanwhile does not wait.
        await asyncio.wait_for(ledger.commit(str(number), sent_at=number), 10)
    book.block("barred", by="mallory")
    assert not await store.flush()
    assert not await store.commit()
    assert read(store.path, "SELECT count(*) FROM ledger") == [(0,)]
    assert caplog.text.count("cannot be written to") == 1
    await full(False)
    async with asyncio.timeout(30):
        while read(store.path, "SELECT count(*) FROM ledger") != [(100,)]:
            await asyncio.sleep(0.02)
    assert await store.flush()
    statuses = [entry.status for entry in entries(store.path, "signal").values()]
    assert (statuses.count(Status.APPROVED), statuses.count(Status.BLOCKED)) == (100, 1)
    assert not store._failing


async def test_what_waits_for_the_disk_is_bounded_but_for_what_permits_and_forbids(
    store: Store, full: Callable[[bool], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    await full(True)
    store._queue._waiting.limit, store._cached._waiting.limit = 20, 10
    for number in range(100):
        book.block(str(number), by="mallory")
        store.write("INSERT INTO ledger VALUES ('signal', ?, 1)", (str(number),))
        store.write_later("INSERT INTO trace (event) VALUES (?)", (str(number),))
    assert (len(store._kept), len(store._queue), len(store._cached)) == (100, 20, 10)
    await full(False)
    assert await store.flush()
    assert len(entries(store.path, "signal")) == 100
    kept = [str(number) for number in range(80, 100)]
    assert await store.rows("SELECT key FROM ledger") == [(key,) for key in kept]
    assert await store.rows("SELECT event FROM trace") == [(key,) for key in kept[10:]]


async def test_an_order_is_confirmed_when_it_is_on_disk_and_only_then(
    store: Store, full: Callable[[bool], Any]
) -> None:
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    await book.order("before", Status.GRANTED, "admin", "")
    assert entries(store.path, "signal")["before"].status is Status.GRANTED
    await full(True)
    longer_than_a_page = "admin" * 2000
    with pytest.raises(StateError, match="the disk is full"):
        await book.order("granted", Status.GRANTED, longer_than_a_page, "")
    with pytest.raises(StateError, match="revoked, but would not be after a restart"):
        await book.order("revoked", Status.REVOKED, longer_than_a_page, "")
    assert (book.approved, book.revoked) == ({"before"}, {"revoked"})
    assert set(entries(store.path, "signal")) == {"before"}
    with pytest.raises(StateError, match="cannot be written"):
        await RuntimeAllowlist(store, "signal", lambda: 1000.0).load()
    await full(False)
    await store.flush()
    assert set(entries(store.path, "signal")) == {"before", "revoked"}
    assert set(journal_of(store.path).read()) == {("signal", "before"), ("signal", "revoked")}


def test_a_commit_that_fails_takes_its_order_back(tmp_path: Path) -> None:
    """SQLite writes its log only then. The order has been in the journal already."""

    def work(path: Path) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (48 * 1024, 48 * 1024))
        with closing(connect(path, prepare)) as connection:
            grant = ChatOrder("signal", "gone", Status.GRANTED, "operator", "", 2.0)
            bulk = [("UPDATE meta SET value = ?", ("y" * 3000,)), ("UPDATE chat_group SET status='granted'", (), grant)]
            with pytest.raises(sqlite3.OperationalError):
                execute(connection, journal_of(path), bulk)

    path = filled(tmp_path / "state.db")
    before = journal_of(path).path.read_bytes()
    apart(work, path)
    assert journal_of(path).path.read_bytes() == before
    assert entries(path, "signal")["gone"].status is Status.REVOKED


def test_an_order_the_journal_does_not_take_is_none(tmp_path: Path) -> None:
    """The journal is longer by then than a file may be, the state file's log is not."""

    def work(path: Path) -> None:
        longest = journal.path.stat().st_size + 20
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))
        with pytest.raises(StateError):
            order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)

    path = filled(tmp_path / "state.db")
    journal = journal_of(path)
    with journal.appended([ChatOrder("signal", "gone", Status.REVOKED, "operator", "x" * 500, 1.0)] * 180):
        pass
    apart(work, path)
    assert entries(path, "signal")["gone"].status is Status.REVOKED
    assert journal.path.read_bytes().endswith(b"}\n")
    assert journal.read()["signal", "gone"] == ChatOrder("signal", "gone", Status.REVOKED, "operator", "x" * 500, 1.0)
    order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)  # without the limit
    assert entries(path, "signal")["gone"].status is Status.GRANTED


async def test_another_program_with_the_lock_delays_nothing_but_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.05)
    store = Store(tmp_path / "state.db")
    await store.open()
    book, ledger = RuntimeAllowlist(store, "signal", lambda: 1000.0), Ledger(store, "signal", lambda: 1000.0)
    await book.load()
    with held(store.path):
        await ledger.commit("a")
        with pytest.raises(StateError, match="locked"):
            await book.order("b", Status.GRANTED, "admin", "")
        assert not book.approved
    await store.flush()
    assert await store.rows("SELECT key FROM ledger") == [("a",)]
    await book.order("b", Status.GRANTED, "admin", "")
    assert book.approved == {"b"}
    await store.close()


@pytest.mark.parametrize("fault", [orders_that_make_no_sense, folder_in_place_of_the_orders])
async def test_orders_that_cannot_be_journalled_wait_until_they_can(
    store: Store, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Path], None]
) -> None:
    monkeypatch.setattr(module, "backoff", lambda **_: iter(lambda: 0.05, None))
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    await book.order("gone", Status.REVOKED, "admin", "because")
    journal = journal_of(store.path).path
    before = journal.read_bytes()
    fault(store.path)
    store._journal._compact_at = 0  # it is read only then
    book.approve("a", by="alice")
    with pytest.raises(StateError):
        await book.order("gone", Status.GRANTED, "admin", "")
    assert not await store.flush()
    assert {chat: entry.status for chat, entry in entries(store.path, "signal").items()} == {"gone": Status.REVOKED}
    if journal.is_dir():
        journal.rmdir()
    journal.write_bytes(before)
    async with asyncio.timeout(30):
        while "a" not in entries(store.path, "signal"):
            await asyncio.sleep(0.02)
    await book.order("gone", Status.GRANTED, "admin", "")
    assert book.approved == {"a", "gone"}


async def test_a_statement_that_is_wrong_itself_holds_nothing_up(store: Store) -> None:
    store.write("INSERT INTO meta VALUES (?, ?)", ("surrogate", "\ud800"))
    store.write("INSERT INTO ledger VALUES ('signal', 'huge', ?)", (2**70,))
    store.write("INSERT INTO meta VALUES ('a', NULL)")
    store.write("INSERT INTO meta VALUES ('a', 'b')")
    assert await store.commit()
    assert await store.rows("SELECT value FROM meta WHERE key = 'a'") == [("b",)]


# -- every limit


SIZES = [0, 100, 300, 600, 1000, *range(4096, 72 * 1024, 8 * 1024), 2**30]
SPARE_FILES = range(10)


@pytest.mark.parametrize("resource_limit", ["file size", "open files"])
def test_whatever_the_limit_an_order_holds_if_and_only_if_it_was_confirmed(tmp_path: Path, resource_limit: str) -> None:
    """After a restart, whichever of the two files is lost then; and nothing sound is ever set aside."""
    said = []
    for number in SIZES if resource_limit == "file size" else SPARE_FILES:

        def work(path: Path, number: int = number) -> None:
            if resource_limit == "file size":
                resource.setrlimit(resource.RLIMIT_FSIZE, (number, number))
            else:
                taken = {int(descriptor) for descriptor in os.listdir("/proc/self/fd")}
                free = [descriptor for descriptor in range(len(taken) + number + 1) if descriptor not in taken]
                resource.setrlimit(resource.RLIMIT_NOFILE, (free[number], free[number]))
            order(path, "signal", "gone", Status.GRANTED, "operator", "", 2.0)

        path = filled(tmp_path / str(number) / "state.db")
        said.append(failure_apart(work, path).partition(":")[0])
        expected = Status.REVOKED if said[-1] else Status.GRANTED
        assert not set_aside(tmp_path)
        for lost_file in ("neither", "state.db", "orders"):
            for file in path.parent.glob(f"{lost_file}*"):
                file.unlink()
            opening(path)
            assert entries(path, "signal")["gone"].status is expected, (number, lost_file)
    assert {*said} == {"", "StateError"}


# -- one store


async def test_the_connections_of_a_gateway_share_one_store(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    signal, mattermost = module.shared(path), module.shared(tmp_path / "." / "state.db")
    assert signal is mattermost
    assert signal is not module.shared(tmp_path / "another profile" / "state.db")
    await asyncio.gather(signal.open(), mattermost.open())
    signal.write("INSERT INTO meta VALUES ('a', 'b')")
    await signal.close()
    assert read(path, "SELECT value FROM meta WHERE key = 'a'") == [("b",)]
    mattermost.write("INSERT INTO meta VALUES ('c', 'd')")
    await mattermost.close()
    await mattermost.close()
    with pytest.raises(StateError, match="not open"):
        await mattermost.rows("SELECT 1")
    await signal.open()
    assert await signal.rows("SELECT value FROM meta WHERE key = 'c'") == [("d",)]
    with pytest.raises(StateError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, signal.open())
    await signal.close()
    await asyncio.to_thread(opening, path)


async def test_closing_while_it_opens_leaves_nothing_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    for delay in (0, 0.001, 0.005):
        task = asyncio.create_task(store.open())
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if not task.cancelled():
            await store.close()
        assert store._connection is None
    await store.open()
    await store.close()
