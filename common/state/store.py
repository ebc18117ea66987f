"""State on disk: one SQLite file of an operator's gateway, written in batches off the event loop.

What is read is read once, when a connection opens it; from then on memory is the truth and the file follows.
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
from .backlog import KEEP_CACHED, KEEP_QUEUED, Backlog
from .database import SECRET, Statement, carry_out, connect, journal_of, recovered, translated
from .pseudonymizer import Pseudonymizer

logger = logging.getLogger(__name__)

_WRITE_BEHIND_SECONDS = 0.2
_WATCH_SECONDS = 0.5

_Result = TypeVar("_Result")


def read(path: Path, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """What a query yields, beside a gateway that may be writing; raises StateError."""
    if not path.exists():
        raise StateError(f"there is no state file at {path}: the gateway has not run with this plugin yet")
    with (
        translated(path, "read"),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection,
    ):
        return connection.execute(query, parameters).fetchall()


def inspect(path: Path) -> tuple[int, str]:
    """The schema version of a state file, and `ok` or SQLite's first complaint about it; raises StateError."""
    ((version,),) = read(path, "PRAGMA user_version")
    ((verdict,),) = read(path, "PRAGMA quick_check(1)")
    return version, verdict


def change(path: Path, statements: Iterable[Statement]) -> None:
    """Carry out statements as one, beside a gateway that may be running; raises StateError unless they are on disk."""
    with closing(connect(path)) as connection, translated(path, "changed"):
        connection.execute("PRAGMA synchronous=FULL")
        carry_out(connection, journal_of(path), statements)


def pseudonymizer(path: Path) -> Pseudonymizer:
    """What the gateway calls people and chats in its logs and its trace; raises StateError."""
    rows = read(path, "SELECT value FROM meta WHERE key = ?", (SECRET,)) if path.exists() else []
    return Pseudonymizer(bytes.fromhex(rows[0][0]) if rows else None)


class Store:
    """The state file of one gateway, shared by its connections: each opens it and closes it once.

    One event loop. What could not be written is kept and tried again; what permits or forbids is never dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pseudonym = Pseudonymizer()
        """Of this process alone until the file is open."""
        self._journal = journal_of(path)
        self._connection: sqlite3.Connection | None = None
        self._kept = Backlog()
        self._queue = Backlog(KEEP_QUEUED)
        self._cached = Backlog(KEEP_CACHED)
        self._number = 0
        """Of the last entry in any queue."""
        self._lock = threading.Lock()
        self._failing = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: ThreadPoolExecutor | None = None

    # -- open and close

    async def open(self) -> None:
        """Open or make the file; one that is unusable is kept aside and made anew. Raises StateError."""
        self._bind(asyncio.get_running_loop())
        async with self._door:
            if self._connection is None:
                await self._start()
            self._users += 1

    async def close(self) -> None:
        """End one use; the last one closes the file. More often than it was opened does nothing."""
        if self._loop is None or not self._users:
            return
        self._users -= 1
        await self.flush()
        async with self._door:
            if not self._users and self._connection is not None:
                await self._stop()

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        if self._loop is not None and self._thread is not None:
            if not self._loop.is_closed():
                raise StateError(f"the state file {self.path} is in use by another event loop of this process")
            self._thread.submit(self._shut).result()
            self._thread = None
        self._loop = loop
        self._door = asyncio.Lock()
        self._dirty = asyncio.Event()
        self._users = 0
        self._transaction: asyncio.Future[bool] | None = None

    async def _start(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hardened-store")
        self._writer: asyncio.Task[None] | None = None
        try:
            await self._in_thread(self._open)
        except BaseException:
            await self._stop()
            raise
        self._dirty.set()
        self._writer = asyncio.create_task(self._write_behind())

    async def _stop(self) -> None:
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.gather(self._writer, return_exceptions=True)
        await self._in_thread(self._shut)
        if self._thread is not None:
            self._thread.shutdown(wait=False)
            self._thread = None

    def _open(self) -> None:
        self._connection = recovered(self.path)
        with translated(self.path, "read"):
            ((secret,),) = self._connection.execute("SELECT value FROM meta WHERE key = ?", (SECRET,)).fetchall()
        self.pseudonym = Pseudonymizer(bytes.fromhex(secret))
        while self._kept:
            if not self._carry_out_batch(cached=False):
                raise StateError(f"what was permitted and forbidden of late cannot be written to {self.path}")

    def _shut(self) -> None:
        if self._connection is not None:
            while any(self._backlogs(cached=True)) and self._carry_out_batch(cached=True):
                pass
            self._connection.close()
            self._connection = None

    # -- read

    async def rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Everything a query yields; raises StateError, so that what cannot be read never passes for nothing."""

        def read() -> list[tuple[Any, ...]]:
            with translated(self.path, "read"):
                return self._opened().execute(query, parameters).fetchall()

        return await self._in_thread(read)

    async def cached_rows(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """As `rows`, for what can be done without: nothing where it cannot be read."""
        try:
            return await self.rows(query, parameters)
        except StateError as exc:
            logger.warning("%s", exc)
            return []

    async def watch(self, changed: Callable[[], Awaitable[None]]) -> NoReturn:
        """Await `changed` whenever somebody else has written to the file; again when it raised StateError."""
        seen, is_deaf = None, False
        while True:
            try:
                version = await self.rows("PRAGMA data_version")
                if version != seen:
                    await changed()
                    seen = version
                is_deaf = False
            except StateError as exc:
                logger.log(logging.DEBUG if is_deaf else logging.ERROR, "no order from outside is heard: %s", exc)
                is_deaf = True
            await asyncio.sleep(_WATCH_SECONDS)

    # -- write

    async def change(self, *statements: Statement) -> None:
        """Carry out statements as one, behind those kept so far; raises StateError unless they are on disk."""

        def work() -> None:
            with translated(self.path, "changed"):
                connection = self._opened()
                while self._kept and self._carry_out_batch(cached=False):
                    pass
                connection.execute("PRAGMA synchronous=FULL")
                try:
                    carry_out(connection, self._journal, statements)
                finally:
                    connection.execute("PRAGMA synchronous=NORMAL")

        await self._in_thread(work)

    def keep(self, *statements: Statement) -> None:
        """Queue what permits or forbids, to be carried out as one. Safe from any thread, as all that queue."""
        self._put(self._kept, statements)

    def write(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Queue a statement; it is on disk soon, or after the next `commit`."""
        self._put(self._queue, [(statement, parameters)])

    def write_later(self, statement: str, parameters: Sequence[Any] = (), *, key: Hashable = None) -> None:
        """Queue a statement no `commit` takes along: it is on disk soon. Of those with one key only the last counts."""
        self._put(self._cached, [(statement, parameters)], key)

    def _put(self, backlog: Backlog, statements: Sequence[Statement], key: Hashable = None) -> None:
        with self._lock:
            self._number += 1
            backlog.put(self._number, statements, key)
        if self._loop is not None and not self._dirty.is_set() and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._dirty.set)

    async def commit(self) -> bool:
        """Return when every `write` and `keep` so far is on disk, or at once while the disk cannot be written to.

        Concurrent callers share a transaction.
        """
        return not self._failing and await self._carry_out(cached=False)

    async def flush(self) -> bool:
        """Return when everything queued so far is on disk, False when that is impossible now: it is tried again."""
        return await self._carry_out(cached=True)

    async def _carry_out(self, *, cached: bool) -> bool:
        number = self._number
        while any(backlog.reaches_back_to(number) for backlog in self._backlogs(cached=cached)):
            if self._connection is None:
                return False
            if self._transaction is None or self._transaction.done():
                work = partial(self._carry_out_batch, cached=cached)
                self._transaction = asyncio.get_running_loop().run_in_executor(self._thread, work)
            # One of many that wait may be cancelled; the transaction is everybody's.
            if not await asyncio.shield(self._transaction):
                return False
        return True

    async def _write_behind(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_WRITE_BEHIND_SECONDS)
            self._dirty.clear()
            for delay in backoff(first=0.5, cap=5.0):
                if await self.flush():
                    break
                await asyncio.sleep(delay)

    def _backlogs(self, *, cached: bool) -> tuple[Backlog, ...]:
        return (self._kept, self._queue, self._cached) if cached else (self._kept, self._queue)

    def _carry_out_batch(self, *, cached: bool) -> bool:
        """Write the first of every queue; False when the disk does not take them."""
        with self._lock:
            batches = [(backlog, backlog.first()) for backlog in self._backlogs(cached=cached)]
        try:
            statements = [statement for _, batch in batches for _, (_, group) in batch for statement in group]
            carry_out(self._opened(), self._journal, statements, leave_out_faulty=True)
        except (sqlite3.Error, OSError, MemoryError, StateError) as exc:
            # A full disk must not stop the chat; once is enough to tell.
            level = logging.DEBUG if self._failing else logging.ERROR
            logger.log(level, "state file: cannot be written to, tried again until it can: %s", exc)
            self._failing = True
            return False
        if self._failing:
            logger.info("state file: written to again")
            self._failing = False
        with self._lock:
            for backlog, batch in batches:
                backlog.carried_out(batch)
        return True

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StateError(f"the state file {self.path} is not open")
        return self._connection

    async def _in_thread(self, function: Callable[[], _Result]) -> _Result:
        if self._thread is None:
            raise StateError(f"the state file {self.path} is not open")
        return await asyncio.get_running_loop().run_in_executor(self._thread, function)


_living: dict[Path, Store] = {}


def shared(path: Path) -> Store:
    """The one store of a file in this process: whoever opens it gets the same connection."""
    return _living.setdefault(path.absolute(), Store(path.absolute()))
