"""The table of phone numbers and the ACIs they belong to. The journal keeps numbers that moved to another ACI, too."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

from . import audit
from .database import Statement, read
from .orders import NumberOrder

if TYPE_CHECKING:
    from .store import Store

_COLUMNS = "number, uid, source, moved_to"


class Source(IntEnum):
    """The source of a pair. The higher value is the more reliable source."""

    CONTACTS = 1
    ENVELOPE = 2
    """Also used for the operator's confirmation: no contact list overrides it."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A number and its ACI. `moved_to` is another ACI that was seen with the number later."""

    number: str
    aci: str
    source: Source
    moved_to: str | None = None


def record(store: Store, pair: Pair, at: float) -> None:
    """Queue a pair for the disk; it does not replace another ACI that the operator has confirmed. `at` is Unix time."""
    upsert: Statement = (
        "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT (number)"
        " DO UPDATE SET source = excluded.source, moved_to = excluded.moved_to WHERE uid = excluded.uid",
        (pair.number, pair.aci, int(pair.source), pair.moved_to),
    )
    if pair.moved_to:
        upsert = (*upsert, NumberOrder(pair.number, pair.aci, pair.moved_to, at))
    store.keep(upsert)


async def load(store: Store) -> list[Pair]:
    """Return every pair, the oldest first; raise StateError."""
    return [_pair(*row) for row in await store.rows(f"SELECT {_COLUMNS} FROM identity ORDER BY rowid")]


def pairs(path: Path) -> list[Pair]:
    """Return every pair in a state file, by number; raise StateError."""
    return [_pair(*row) for row in read(path, f"SELECT {_COLUMNS} FROM identity ORDER BY number")]


def delete(store: Store, number: str) -> None:
    """Delete a number's pair."""
    store.write("DELETE FROM identity WHERE number = ?", (number,))


async def is_confirmed(store: Store, number: str, aci: str) -> bool:
    """Return True if the operator confirmed that number and new ACI are the same person's; raise StateError."""
    sql = "SELECT 1 FROM identity WHERE number = ? AND uid = ? AND moved_to IS NULL"
    return bool(await store.rows(sql, (number, aci)))


def confirm(network: str, number: str, aci: str, by: str, why: str, at: float) -> tuple[Statement, Statement]:
    """Confirm a number with the ACI that it moved to, and audit that. `at` is Unix time."""
    sql = "UPDATE identity SET uid = ?, source = ?, moved_to = NULL WHERE number = ? AND moved_to = ?"
    return (
        (sql, (aci, Source.ENVELOPE, number, aci), NumberOrder(number, aci, None, at)),
        audit.record(at, network, number, "confirmed", by, why),
    )


def stored_orders(connection: sqlite3.Connection) -> list[NumberOrder]:
    """Return the table's numbers that moved, for comparison with the journal."""
    rows = connection.execute("SELECT number, uid, moved_to FROM identity WHERE moved_to IS NOT NULL")
    return [NumberOrder(number, aci, moved_to, 0.0) for number, aci, moved_to in rows]


def restore(connection: sqlite3.Connection, order: NumberOrder) -> None:
    """Apply an order of the journal to the table. Writes nothing if they agree."""
    connection.execute(
        "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT (number)"
        " DO UPDATE SET uid = excluded.uid, source = excluded.source, moved_to = excluded.moved_to"
        " WHERE uid <> excluded.uid OR moved_to IS NOT excluded.moved_to",
        (order.number, order.aci, Source.ENVELOPE, order.moved_to),
    )


def _pair(number: str, aci: str, source: int, moved_to: str | None) -> Pair:
    return Pair(number, aci, Source(source), moved_to)
