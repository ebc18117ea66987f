"""State on disk: one SQLite file of an operator's gateway, written in batches off the event loop.

What is read is read once, when a connection opens it; from then on memory is the truth and the file follows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn, cast

from .errors import StateError

logger = logging.getLogger(__name__)

_WRITE_BEHIND_SECONDS = 0.2
_WATCH_SECONDS = 0.5
_SCHEMA = """
CREATE TABLE identity (number TEXT PRIMARY KEY, uid TEXT NOT NULL, source INTEGER NOT NULL, moved_to TEXT);
CREATE TABLE direct_chat (alias TEXT PRIMARY KEY, chat TEXT NOT NULL);
CREATE TABLE chat_group (
    network TEXT, id TEXT, status TEXT NOT NULL, by TEXT, at REAL NOT NULL, PRIMARY KEY (network, id)
);
CREATE TABLE ledger (key TEXT PRIMARY KEY, at REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX ledger_at ON ledger (at);
CREATE TABLE observed (
    network TEXT, chat TEXT, seq INTEGER, key TEXT, author TEXT, verified INTEGER, text TEXT, at REAL,
    PRIMARY KEY (network, chat, seq)
);
CREATE TABLE observed_cursor (session TEXT PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE trace (
    at REAL, network TEXT, chat TEXT, who TEXT, event TEXT, verdict TEXT, rule INTEGER, reason TEXT
);
CREATE TABLE cursor (network TEXT, chat TEXT, at INTEGER NOT NULL, PRIMARY KEY (network, chat));
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_AUDIT = """
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, network TEXT NOT NULL, chat TEXT NOT NULL,
    status TEXT NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL
);
"""
_LEDGER = """
CREATE TABLE appended (network TEXT NOT NULL, key TEXT NOT NULL, at REAL NOT NULL);
INSERT INTO appended SELECT
    CASE WHEN key LIKE '+%' OR key LIKE '________-%' THEN 'signal' ELSE 'mattermost' END, key, at
    FROM ledger ORDER BY at;
DROP TABLE ledger;
ALTER TABLE appended RENAME TO ledger;
"""
_STEPS = (_SCHEMA, _AUDIT, _LEDGER)
"""What makes each schema version of the one before it."""
SCHEMA_VERSION = len(_STEPS)

Statement = tuple[str, Sequence[Any]]


def read(path: Path, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What a query yields, beside a gateway that may be writing; raises StateError."""
    if not path.exists():
        raise StateError(f"there is no state file at {path}: the gateway has not run with this plugin yet")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection:
            return connection.execute(query, parameters).fetchall()
    except sqlite3.Error as exc:
        raise StateError(f"the state file {path} cannot be read: {exc}") from exc


def change(path: Path, statements: Iterable[Statement]) -> None:
    """Carry out statements as one, beside a gateway that may be running; raises StateError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with closing(_connect(path)) as connection, connection:
            for statement, parameters in statements:
                connection.execute(statement, parameters)
    except (sqlite3.Error, OSError) as exc:
        raise StateError(f"the state file {path} cannot be changed: {exc}") from exc


class Store:
    """A connection to the state file. `open` and `close` bracket its life; one owner, one event loop."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hardened-store")
        self._connection: sqlite3.Connection | None = None
        self._pending: list[Statement] = []
        self._later: dict[Hashable, Statement] = {}
        self._queued = 0
        """Statements ever queued, and those of them that were carried out."""
        self._carried_out = 0
        self._lock = threading.Lock()
        self._transaction: asyncio.Event | None = None
        """Set when the one under way ends."""
        self._dirty = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writer: asyncio.Task[None] | None = None
        self._failed = False
        self._closed = False

    async def open(self) -> None:
        """Open or create the file. One that is corrupt or of a newer version is kept aside and started anew."""
        self._loop = asyncio.get_running_loop()
        await self._in_thread(self._open)
        self._writer = asyncio.create_task(self._write_behind())

    async def close(self) -> None:
        """Write what is pending and close. Idempotent, and right also when `open` was interrupted."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
            self._writer = None
        if not self._closed:
            self._closed = True
            await self._in_thread(self._close)
            self._thread.shutdown(wait=False)

    async def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Everything a query yields; empty when the file cannot be read."""

        def read() -> list[tuple[Any, ...]]:
            if self._connection is None:
                return []
            return self._connection.execute(query, parameters).fetchall()

        try:
            return cast("list[tuple[Any, ...]]", await self._in_thread(read))
        except sqlite3.Error as exc:
            self._complain("read", exc)
            return []

    def write(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Queue a statement; it is on disk soon, or after the next `commit`. Safe from any thread."""
        with self._lock:
            self._pending.append((statement, parameters))
            self._queued += 1
        self._wake_writer()

    def write_later(self, statement: str, parameters: Sequence[Any] = (), *, key: Hashable = None) -> None:
        """Queue a statement no `commit` takes along: it is on disk soon. Of those with one key only the last counts."""
        with self._lock:
            self._later[key or object()] = (statement, parameters)
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._loop is not None and not self._dirty.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dirty.set)

    async def flush(self) -> None:
        """Return when everything queued so far is on disk."""
        self._take_later()
        await self.commit()

    def _take_later(self) -> None:
        with self._lock:
            self._pending += self._later.values()
            self._queued += len(self._later)
            self._later.clear()

    async def commit(self) -> None:
        """Return when every `write` so far is on disk. Concurrent callers share a transaction."""
        queued = self._queued
        while self._carried_out < queued:
            if self._transaction is None:
                running = asyncio.get_running_loop().run_in_executor(self._thread, self._commit)
                running.add_done_callback(self._end)
                self._transaction = asyncio.Event()
            await self._transaction.wait()

    def _end(self, _: asyncio.Future[None]) -> None:
        if self._transaction is not None:
            self._transaction.set()
            self._transaction = None

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> NoReturn:
        """Await `changed` whenever somebody else has written to the file."""
        version = None
        while True:
            if version != (version := await self.rows("PRAGMA data_version")):
                await changed()
            await asyncio.sleep(_WATCH_SECONDS)

    async def _write_behind(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_WRITE_BEHIND_SECONDS)
            self._dirty.clear()
            await self.flush()

    async def _in_thread(self, function: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)

    def _close(self) -> None:
        self._take_later()
        self._commit()
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _commit(self) -> None:
        with self._lock:
            batch, self._pending = self._pending, []
        try:
            if batch and self._connection is not None:
                with self._connection:
                    for statement, parameters in batch:
                        self._connection.execute(statement, parameters)
        except sqlite3.Error as exc:
            self._complain("write", exc)
        finally:
            self._carried_out += len(batch)

    def _complain(self, what: str, exc: sqlite3.Error) -> None:
        # A full disk must not stop the chat; once is enough to tell.
        logger.log(logging.DEBUG if self._failed else logging.ERROR, "state file: cannot %s: %s", what, exc)
        self._failed = True

    def _open(self) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._connection = _connect(self.path)
        except sqlite3.DatabaseError as exc:
            if getattr(exc, "sqlite_errorcode", None) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise StateError(f"the state file {self.path} is locked by another program") from exc
            aside = _free_name(self.path)
            logger.error("state file is unusable (%s): kept as %s, starting empty", exc, aside.name)
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
            self._connection = _connect(self.path)


def _connect(path: Path) -> sqlite3.Connection:
    """A connection to the file, brought to our schema; raises sqlite3.Error."""
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=5, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # Another connection may be at it at the same time.
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise sqlite3.DatabaseError(f"written by a newer version, schema {version}")
            for statement in "".join(_STEPS[version:]).split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("PRAGMA quick_check").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _free_name(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.unusable-{number}")).exists():
        number += 1
    return aside
