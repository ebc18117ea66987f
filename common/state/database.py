"""The SQLite database behind the state file: private, checked when it is opened, written in transactions.

POSIX locks belong to the process: closing any descriptor of the file drops all locks that SQLite holds on it. So
nothing here opens and closes the file besides SQLite, and only one thread at a time creates it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from ..core.errors import StateError
from .orders import Journal, Order

logger = logging.getLogger(__name__)

JOURNAL = "orders"
_BUSY_SECONDS = 5.0
_OPENING = threading.Lock()

Write = tuple[str, Sequence[Any]]
"""SQL and its parameters."""
Statement = Write | tuple[str, Sequence[Any], Order]
"""SQL and its parameters, optionally with an order for the journal, written only if the SQL changes a row."""
Prepare = Callable[[sqlite3.Connection, Journal], None]
"""Upgrades the tables of an opened file."""

_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full: make room on it",
    sqlite3.SQLITE_IOERR: "the disk reports an error: make room on it, or check the system's log",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: it and its folder must belong to the gateway's user",
    sqlite3.SQLITE_PERM: "it cannot be opened: it and its folder must belong to the gateway's user",
    sqlite3.SQLITE_READONLY: "it is read-only: it and its folder must be writable by the gateway's user",
    sqlite3.SQLITE_BUSY: "it is locked by another program: end that program",
    sqlite3.SQLITE_LOCKED: "it is locked by another program: end that program",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_NOTADB: "it is damaged; a gateway that starts keeps it aside",
    sqlite3.SQLITE_CORRUPT: "it is damaged; a gateway that starts keeps it aside",
}
_FAULTS_OF_STATEMENT = {
    0,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
"""The codes of statements that would fail on every retry."""
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


class Unusable(StateError):
    """SQLite itself calls the file damaged, or a newer version wrote it: only a new file can replace it."""


def connect(path: Path, prepare: Prepare) -> sqlite3.Connection:
    """Open the file, or create it; raise Unusable or StateError."""
    with _OPENING, translated(path):
        _make_private(path)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            # With a write-ahead log, `doctor` and `trace` read while the gateway writes.
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != ("ok",):
                raise Unusable(f"the state file {path} is damaged")
            prepare(connection, journal_of(path))
        except BaseException:
            connection.close()
            raise
    return connection


def connect_or_rebuild(path: Path, prepare: Prepare) -> sqlite3.Connection:
    """Open the file as `connect` does, but rename an unusable one and rebuild it from the journal of orders."""
    try:
        return connect(path, prepare)
    except Unusable as exc:
        with translated(path):
            aside = _set_aside(path)
        logger.error("%s: kept as %s, rebuilding it from the journal of orders", exc, aside.name)
        return connect(path, prepare)


def read(path: Path, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query, also while a gateway is writing; raise StateError."""
    if not path.exists():
        raise StateError(f"there is no state file at {path}: the gateway has not run with this plugin yet")
    with (
        translated(path, "read"),
        closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as connection,
    ):
        return connection.execute(query, parameters).fetchall()


def inspect(path: Path) -> tuple[int, str]:
    """Return the file's schema version and SQLite's verdict on it, "ok" for a sound one; raise StateError."""
    ((version,),) = read(path, "PRAGMA user_version")
    ((verdict,),) = read(path, "PRAGMA quick_check(1)")
    return version, verdict


def execute(
    connection: sqlite3.Connection,
    journal: Journal,
    statements: Iterable[Statement],
    *,
    leave_out_faulty: bool = False,
) -> None:
    """Execute all statements in one transaction and journal their orders; raise sqlite3.Error or OSError.

    With `leave_out_faulty`, a statement that is wrong in itself is logged and skipped, so that it blocks no other.
    """
    orders: list[Order] = []
    with connection:
        # IMMEDIATE takes the write lock now: the journal may only be touched by its holder.
        connection.execute("BEGIN IMMEDIATE")
        for sql, parameters, *order in statements:
            try:
                changed = connection.execute(sql, parameters).rowcount
            except (sqlite3.Error, ValueError, OverflowError) as exc:
                if not leave_out_faulty or primary_code(exc) not in _FAULTS_OF_STATEMENT:
                    raise
                logger.error("state file: cannot write: %s", type(exc).__name__)
            else:
                orders += order if changed > 0 else ()
        # The journal is written first: if the process dies here, an order must not be in the table alone.
        with journal.appended(orders):
            connection.commit()


def journal_of(path: Path) -> Journal:
    """Return the journal beside a state file."""
    return Journal(path.with_name(JOURNAL))


@contextmanager
def translated(path: Path, purpose: str = "used") -> Iterator[None]:
    """Translate errors of SQLite and the system into a StateError with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError, MemoryError) as exc:
        raise _error(path, purpose, exc) from exc


def _error(path: Path, purpose: str, exc: sqlite3.Error | OSError | MemoryError) -> StateError:
    code = primary_code(exc)
    remedy = _REMEDIES.get(code) or (exc.strerror if isinstance(exc, OSError) else None)
    kind = Unusable if code in _DAMAGED else StateError
    return kind(f"the state file {path} cannot be {purpose}: {f'{remedy} ({exc})' if remedy else exc}")


def primary_code(exc: BaseException) -> int:
    """Return SQLite's primary result code, 0 for other errors."""
    code: int = getattr(exc, "sqlite_errorcode", 0)
    return sqlite3.SQLITE_NOMEM if isinstance(exc, MemoryError) else code & 0xFF


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite follows a link, and puts its other files beside the target.
    real = path.resolve()
    with suppress(FileExistsError):
        os.close(os.open(real, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if os.name != "posix":
        return
    files = [real, *(real.with_name(f"{real.name}{suffix}") for suffix in ("-wal", "-shm")), path.with_name(JOURNAL)]
    for file, mode in ((path.parent, 0o700), *((file, 0o600) for file in files)):
        with suppress(FileNotFoundError):
            status = file.stat()
            # A folder with the sticky bit is shared by all users, as /tmp is.
            if status.st_mode & 0o077 and status.st_uid == os.getuid() and not status.st_mode & stat.S_ISVTX:
                file.chmod(mode)


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.unusable-{number}")).exists():
        number += 1
    path.rename(aside)
    # They belong to the damaged file; SQLite would replay the log into the new one.
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{suffix}").rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside
