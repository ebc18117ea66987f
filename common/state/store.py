"""The state file of a running gateway: one SQLite file, written in batches off the event loop.

Tables are read once, when a connection opens the file; from then on memory is authoritative and the file follows.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from ..core.backoff import backoff
from ..core.errors import StateError
from ..core.pseudonymizer import Pseudonymizer
from . import meta
from .backlog import KEEP_CACHED, KEEP_QUEUED, Backlog
from .database import Statement, connect, connect_or_rebuild, execute, journal_of, translated
from .schema import prepare

logger = logging.getLogger(__name__)

_WRITE_BEHIND_SECONDS = 0.2
_WATCH_SECONDS = 0.5

_Result = TypeVar("_Result")


def change(path: Path, statements: Iterable[Statement]) -> None:
    """Execute statements in one transaction, also while a gateway runs; raise StateError unless they are on disk."""
    with closing(connect(path, prepare)) as connection, translated(path, "changed"):
        connection.execute("PRAGMA synchronous=FULL")
        execute(connection, journal_of(path), statements)


def pseudonymizer(path: Path) -> Pseudonymizer:
    """Return the pseudonymizer that the gateway of a state file uses for its logs and trace; raise StateError."""
    secret = meta.read_value(path, meta.SECRET) if path.exists() else None
    return Pseudonymizer(bytes.fromhex(secret) if secret else None)


class Store:
    """The state file of one gateway, shared by its connections: each opens it once and closes it once.

    All of them run in one event loop. Failed writes are kept and retried; those that permit or forbid are never
    dropped. Queueing (`keep`, `write`, `write_later`) is safe from any thread.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pseudonym = Pseudonymizer()
        """The pseudonymizer, with a random secret until the file is open."""
        self._journal = journal_of(path)
        self._connection: sqlite3.Connection | None = None
        # From the most important to the one that a crash may lose.
        self._kept = Backlog()
        self._queue = Backlog(KEEP_QUEUED)
        self._cached = Backlog(KEEP_CACHED)
        self._number = 0
        """The number of the last entry in any backlog."""
        self._lock = threading.Lock()
        """Guards the backlogs, which any thread fills and the writing thread empties."""
        self._failing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None

    # -- open and close

    async def open(self) -> None:
        """Open or create the file; an unusable one is renamed and rebuilt. Raise StateError."""
        self._bind(asyncio.get_running_loop())
        async with self._opening:
            if self._connection is None:
                await self._start()
            self._users += 1

    async def close(self) -> None:
        """End one use; the last user closes the file. Surplus calls do nothing."""
        if self._loop is None or not self._users:
            return
        self._users -= 1
        await self.flush()
        async with self._opening:
            if not self._users and self._connection is not None:
                await self._stop()

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        if self._loop is not None and self._thread is not None:
            if not self._loop.is_closed():
                raise StateError(f"the state file {self.path} is in use by another event loop of this process")
            # The loop that opened the file has ended without closing it.
            self._thread.submit(self._close_connection).result()
            self._thread = None
        self._loop = loop
        self._opening = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._users = 0
        self._transaction: asyncio.Future[bool] | None = None

    async def _start(self) -> None:
        # One thread owns the connection, so that transactions never interleave.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hardened-store")
        self._writer: asyncio.Task[None] | None = None
        try:
            await self._in_thread(self._open_connection)
        except BaseException:
            await self._stop()
            raise
        self._dirty.set()
        self._writer = asyncio.create_task(self._write_behind())

    async def _stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._in_thread(self._close_connection)
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _open_connection(self) -> None:
        self._connection = connect_or_rebuild(self.path, prepare)
        with translated(self.path, "read"):
            secret = meta.secret(self._connection)
        self.pseudonym = Pseudonymizer(bytes.fromhex(secret))
        # Orders kept while the file was closed or could not be written must be in the tables before anybody reads them.
        while self._kept:
            if not self._write_batch(cached=False):
                raise StateError(f"recent orders cannot be written to {self.path}")

    def _close_connection(self) -> None:
        if self._connection is not None:
            while any(self._backlogs(cached=True)) and self._write_batch(cached=True):
                pass
            self._connection.close()
            self._connection = None

    # -- read

    async def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; raise StateError, so that an unreadable table never looks empty."""

        def read() -> list[tuple[Any, ...]]:
            with translated(self.path, "read"):
                return self._opened().execute(query, parameters).fetchall()

        return await self._in_thread(read)

    async def cached_rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query, none if they cannot be read: for tables that the gateway can do without."""
        try:
            return await self.rows(query, parameters)
        except StateError as exc:
            logger.warning("%s", exc)
            return []

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> NoReturn:
        """Call `changed` whenever another process has written to the file, and again if it raised StateError."""
        seen, is_failing = None, False
        while True:
            try:
                version = await self.rows("PRAGMA data_version")
                if version != seen:
                    await changed()
                    seen = version
                is_failing = False
            except StateError as exc:
                level = logging.DEBUG if is_failing else logging.ERROR
                logger.log(level, "orders from other processes cannot be read: %s", exc)
                is_failing = True
            await asyncio.sleep(_WATCH_SECONDS)

    # -- write

    async def change(self, *statements: Statement) -> None:
        """Execute statements in one transaction, after all kept ones; raise StateError unless they are on disk."""

        def work() -> None:
            with translated(self.path, "changed"):
                connection = self._opened()
                while self._kept and self._write_batch(cached=False):
                    pass
                # In WAL mode only FULL waits for the disk at every commit.
                connection.execute("PRAGMA synchronous=FULL")
                try:
                    execute(connection, self._journal, statements)
                finally:
                    connection.execute("PRAGMA synchronous=NORMAL")

        await self._in_thread(work)

    def keep(self, *statements: Statement) -> None:
        """Queue statements that permit or forbid, for one transaction. They are never dropped."""
        self._put(self._kept, statements)

    def write(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Queue a statement; it is written soon, at the latest by the next `commit`."""
        self._put(self._queue, [(statement, parameters)])

    def write_later(self, statement: str, parameters: Sequence[Any] = (), *, key: Hashable = None) -> None:
        """Queue a statement that no `commit` waits for; it replaces a queued one with the same key."""
        self._put(self._cached, [(statement, parameters)], key)

    def _put(self, backlog: Backlog, statements: Sequence[Statement], key: Hashable = None) -> None:
        with self._lock:
            self._number += 1
            backlog.put(self._number, statements, key)
        if self._loop is not None and not self._dirty.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dirty.set)

    async def commit(self) -> bool:
        """Return once every earlier `write` and `keep` is on disk, or at once while the disk cannot be written to.

        Concurrent callers share a transaction.
        """
        return not self._failing and await self._write_queued(cached=False)

    async def flush(self) -> bool:
        """Return True once everything queued so far is on disk, False if that fails now; it is retried later."""
        return await self._write_queued(cached=True)

    async def _write_queued(self, *, cached: bool) -> bool:
        number = self._number
        while self._waits(number, cached=cached):
            if self._connection is None:
                return False
            if self._transaction is None or self._transaction.done():
                work = partial(self._write_batch, cached=cached)
                self._transaction = asyncio.get_running_loop().run_in_executor(self._thread, work)
            # A waiting caller may be cancelled; the transaction belongs to all of them.
            if not await asyncio.shield(self._transaction):
                return False
        return True

    def _waits(self, number: int, *, cached: bool) -> bool:
        # The writing thread removes entries at the same time.
        with self._lock:
            return any(backlog.has_up_to(number) for backlog in self._backlogs(cached=cached))

    async def _write_behind(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_WRITE_BEHIND_SECONDS)
            # Before the flush: a statement queued during it starts another round.
            self._dirty.clear()
            for delay in backoff(first=0.5, cap=5.0):
                if await self.flush():
                    break
                await asyncio.sleep(delay)

    def _backlogs(self, *, cached: bool) -> tuple[Backlog, ...]:
        return (self._kept, self._queue, self._cached) if cached else (self._kept, self._queue)

    def _write_batch(self, *, cached: bool) -> bool:
        """Write the first batch of every backlog; return False when the disk cannot be written to."""
        with self._lock:
            batches = [(backlog, backlog.batch()) for backlog in self._backlogs(cached=cached)]
        try:
            statements = [statement for _, batch in batches for _, (_, group) in batch for statement in group]
            execute(self._opened(), self._journal, statements, leave_out_faulty=True)
        except (sqlite3.Error, OSError, MemoryError, StateError) as exc:
            # A full disk must not stop the chats. Only the first failure of an outage is logged as an error.
            level = logging.DEBUG if self._failing else logging.ERROR
            logger.log(level, "state file: cannot be written to, retrying: %s", exc)
            self._failing = True
            return False
        if self._failing:
            logger.info("state file: can be written to again")
            self._failing = False
        with self._lock:
            for backlog, batch in batches:
                backlog.remove(batch)
        return True

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateError(f"the state file {self.path} is not open")
        return self._connection

    async def _in_thread(self, function: Callable[[], _Result]) -> _Result:
        if self._thread is None:
            raise StateError(f"the state file {self.path} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


_instances: dict[Path, Store] = {}


def shared(path: Path) -> Store:
    """Return the only store of a file in this process, so that all its users share a connection."""
    return _instances.setdefault(path.absolute(), Store(path.absolute()))
