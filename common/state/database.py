"""The state file as SQLite opens it: private, checked, of our schema, at one with the journal of orders.

SQLite's locks are the process' own: closing any descriptor of the file drops them all. So nothing here opens and closes
a file that exists, and one thread at a time makes one.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..core.errors import StateError
from .orders import ChatOrder, Journal, NumberOrder, Order, Status
from .pseudonymizer import SECRET_BYTES
from .schema import BOUND_AUDIT, SCHEMA_VERSION, upgrade

logger = logging.getLogger(__name__)

JOURNAL = "orders"
SECRET = "pseudonym key"
_BUSY_SECONDS = 5.0
_STRONGEST_SOURCE = 2
"""Of `identity.Source`: what was ordered no contact list changes."""
_OPENING = threading.Lock()

AUDITED = "INSERT INTO audit (at, network, chat, status, by, why) SELECT ?, ?, ?, ?, ?, ? WHERE changes() > 0"
"""Directly behind the statement that it takes down, and only if that changed anything."""

Statement = tuple[str, Sequence[Any]] | tuple[str, Sequence[Any], Order]
"""SQL, its parameters, and what the journal gets of it if it changed anything."""

_REMEDIES = {
    sqlite3.SQLITE_FULL: "the disk is full: make room on it",
    sqlite3.SQLITE_IOERR: "the disk reports an error: make room on it, or look into the system's log",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: it and its folder must belong to the gateway's user",
    sqlite3.SQLITE_PERM: "it cannot be opened: it and its folder must belong to the gateway's user",
    sqlite3.SQLITE_READONLY: "it is read-only: it and its folder must be writable by the gateway's user",
    sqlite3.SQLITE_BUSY: "it is locked by another program: end that one",
    sqlite3.SQLITE_LOCKED: "it is locked by another program: end that one",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_NOTADB: "it is damaged; a gateway that starts keeps it aside",
    sqlite3.SQLITE_CORRUPT: "it is damaged; a gateway that starts keeps it aside",
}
_OWN_FAULTS = {
    0,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
}
"""The statement is wrong, and would be again."""
_DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


class Unusable(StateError):
    """SQLite itself calls the file damaged, or a newer version wrote it: to be kept aside."""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the file, which is made where there is none. Raises Unusable or StateError."""
    with _OPENING, translated(path):
        _make_private(path)
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != ("ok",):
                raise Unusable(f"the state file {path} is damaged")
            _prepare(connection, journal_of(path))
        except BaseException:
            connection.close()
            raise
    return connection


def recovered(path: Path) -> sqlite3.Connection:
    """As `connect`, but an unusable file is kept aside and rebuilt from the journal."""
    try:
        return connect(path)
    except Unusable as exc:
        with translated(path):
            aside = _set_aside(path)
        logger.error("%s: kept as %s, starting anew with the orders", exc, aside.name)
        return connect(path)


def carry_out(
    connection: sqlite3.Connection,
    journal: Journal,
    statements: Iterable[Statement],
    *,
    leave_out_faulty: bool = False,
) -> None:
    """All statements and what the journal gets of them, or nothing. Raises sqlite3.Error or OSError.

    A statement that is wrong itself can be left out, so that it holds nothing up.
    """
    orders: list[Order] = []
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        for sql, parameters, *order in statements:
            try:
                changed = connection.execute(sql, parameters).rowcount
            except (sqlite3.Error, ValueError, OverflowError) as exc:
                if not leave_out_faulty or primary_code(exc) not in _OWN_FAULTS:
                    raise
                logger.error("state file: cannot write: %s", type(exc).__name__)
            else:
                orders += order if changed > 0 else ()
        with journal.appended(orders):
            connection.commit()


def journal_of(path: Path) -> Journal:
    """The journal beside a state file."""
    return Journal(path.with_name(JOURNAL))


@contextmanager
def translated(path: Path, what: str = "used") -> Iterator[None]:
    """What SQLite and the system raise within, as StateError with a remedy."""
    try:
        yield
    except (sqlite3.Error, OSError, MemoryError) as exc:
        raise _error(path, what, exc) from exc


def _error(path: Path, what: str, exc: sqlite3.Error | OSError | MemoryError) -> StateError:
    code = primary_code(exc)
    remedy = _REMEDIES.get(code) or (exc.strerror if isinstance(exc, OSError) else None)
    kind = Unusable if code in _DAMAGED else StateError
    return kind(f"the state file {path} cannot be {what}: {f'{remedy} ({exc})' if remedy else exc}")


def primary_code(exc: BaseException) -> int:
    """SQLite's result code without its details, 0 where there is none."""
    code: int = getattr(exc, "sqlite_errorcode", 0)
    return sqlite3.SQLITE_NOMEM if isinstance(exc, MemoryError) else code & 0xFF


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite makes what a link names, and its other files beside that.
    real = path.resolve()
    with suppress(FileExistsError):
        os.close(os.open(real, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    if os.name != "posix":
        return
    files = [real, *(real.with_name(f"{real.name}{suffix}") for suffix in ("-wal", "-shm")), path.with_name(JOURNAL)]
    for file, mode in ((path.parent, 0o700), *((file, 0o600) for file in files)):
        with suppress(FileNotFoundError):
            status = file.stat()
            # A folder with the sticky bit is everybody's, as /tmp is.
            if status.st_mode & 0o077 and status.st_uid == os.getuid() and not status.st_mode & stat.S_ISVTX:
                file.chmod(mode)


def _prepare(connection: sqlite3.Connection, journal: Journal) -> None:
    """Another connection may be at it at the same time."""
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise Unusable(f"the state file was written by a newer version, schema {version}")
        upgrade(connection, version)
        secret = secrets.token_hex(SECRET_BYTES)
        connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (SECRET, secret))
        connection.execute(BOUND_AUDIT)
        with journal.appended(_reconciled(connection, journal)):
            connection.commit()


def _reconciled(connection: sqlite3.Connection, journal: Journal) -> list[Order]:
    """Give the tables what only the journal knows; returns what only they know.

    An order reaches the journal first, so the journal is right where they differ; but who is revoked in either is.
    """
    kept = journal.read()
    only_here: list[Order] = []
    for stored in _stored(connection):
        order = kept.get(stored.about)
        if order is None or (isinstance(stored, ChatOrder) and stored.status is Status.REVOKED):
            kept.pop(stored.about, None)
            if not isinstance(order, ChatOrder) or order.status is not Status.REVOKED:
                only_here.append(stored)
    for order in kept.values():
        _restore(connection, order)
    return only_here


def _stored(connection: sqlite3.Connection) -> list[Order]:
    """What the tables hold of the kind that is kept twice."""
    why = "SELECT why FROM audit WHERE network = g.network AND chat = g.id ORDER BY audit.id DESC LIMIT 1"
    chats = f"SELECT network, id, status, by, ({why}), at FROM chat_group g WHERE status <> ?"
    try:
        orders: list[Order] = [
            ChatOrder(network, chat, Status(status), by or "", why or "", at)
            for network, chat, status, by, why, at in connection.execute(chats, (Status.KNOWN,))
        ]
    except ValueError as exc:
        raise StateError(f"the state file holds an order that no version knows: {exc}") from exc
    numbers = connection.execute("SELECT number, uid, moved_to FROM identity WHERE moved_to IS NOT NULL")
    return orders + [NumberOrder(number, uid, moved_to, 0.0) for number, uid, moved_to in numbers]


def _restore(connection: sqlite3.Connection, order: Order) -> None:
    """Nothing is written where the tables say the same."""
    match order:
        case ChatOrder(status=None):
            forgotten = "DELETE FROM chat_group WHERE network = ? AND id = ? AND status IN (?, ?)"
            connection.execute(forgotten, (*order.about, Status.APPROVED, Status.BARRED))
        case ChatOrder():
            restored = (
                "INSERT INTO chat_group VALUES (?, ?, ?, ?, ?) ON CONFLICT (network, id)"
                " DO UPDATE SET status = excluded.status, by = excluded.by, at = excluded.at"
                " WHERE status <> excluded.status"
            )
            connection.execute(restored, (order.network, order.chat, order.status, order.by, order.at))
            connection.execute(AUDITED, (order.at, order.network, order.chat, order.status, order.by, order.why))
        case NumberOrder():
            restored = (
                "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT (number)"
                " DO UPDATE SET uid = excluded.uid, source = excluded.source, moved_to = excluded.moved_to"
                " WHERE uid <> excluded.uid OR moved_to IS NOT excluded.moved_to"
            )
            connection.execute(restored, (order.number, order.aci, _STRONGEST_SOURCE, order.moved_to))


def _set_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.name}.unusable-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(f"{path.name}{suffix}").rename(aside.with_name(f"{aside.name}{suffix}"))
    return aside
