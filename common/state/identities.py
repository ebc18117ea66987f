"""Who is who, on disk: pairs in the state file, those that moved in the journal of orders too, and direct chats."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from .database import Statement
from .orders import NumberOrder
from .store import Store, read


class Source(IntEnum):
    """Where a pair was learnt; the higher is the stronger."""

    CONTACTS = 1
    ENVELOPE = 2


@dataclass(frozen=True, slots=True)
class Pair:
    """A number and the ACI it belongs to. `moved_to` is the ACI that showed up with it later."""

    number: str
    aci: str
    source: Source
    moved_to: str | None = None


def record(store: Store, pair: Pair, at: float) -> None:
    """Put a pair on disk, unless the operator has confirmed another ACI there meanwhile. `at` is Unix time."""
    upsert: Statement = (
        "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT (number)"
        " DO UPDATE SET source = excluded.source, moved_to = excluded.moved_to WHERE uid = excluded.uid",
        (pair.number, pair.aci, int(pair.source), pair.moved_to),
    )
    if pair.moved_to:
        upsert = (*upsert, NumberOrder(pair.number, pair.aci, pair.moved_to, at))
    store.keep(upsert)


_ALL = "SELECT number, uid, source, moved_to FROM identity ORDER BY rowid"


async def recorded(store: Store) -> list[Pair]:
    """Every pair on disk; raises StateError."""
    return _pairs(await store.rows(_ALL))


def recorded_in(state: Path) -> list[Pair]:
    """Every pair in a state file, beside a gateway that may be running; raises StateError."""
    return _pairs(read(state, _ALL))


def _pairs(rows: Iterable[tuple[Any, ...]]) -> list[Pair]:
    return [Pair(number, aci, Source(source), moved_to) for number, aci, source, moved_to in rows]


def forget(store: Store, number: str) -> None:
    """Take a pair from disk."""
    store.write("DELETE FROM identity WHERE number = ?", (number,))


async def is_confirmed(store: Store, number: str, aci: str) -> bool:
    """Whether the operator said that a number which turned up with that ACI is the same person's; raises StateError."""
    confirmed = "SELECT 1 FROM identity WHERE number = ? AND uid = ? AND moved_to IS NULL"
    return bool(await store.rows(confirmed, (number, aci)))
