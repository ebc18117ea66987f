"""Which number belongs to which ACI, on disk: in the state file, and those that moved in the journal of orders too."""

from __future__ import annotations

from .database import Statement
from .identity import Pair, Source
from .orders import NumberOrder
from .store import Store


def record(store: Store, pair: Pair, at: float) -> None:
    """Put a pair on disk, unless the operator has confirmed another ACI there meanwhile. `at` is Unix time."""
    upsert: Statement = (
        "INSERT INTO identity VALUES (?, ?, ?, ?) ON CONFLICT (number)"
        " DO UPDATE SET source = excluded.source, moved_to = excluded.moved_to WHERE uid = excluded.uid",
        (pair.number, pair.uid, int(pair.source), pair.moved_to),
    )
    if pair.moved_to:
        upsert = (*upsert, NumberOrder(pair.number, pair.uid, pair.moved_to, at))
    store.keep(upsert)


async def recorded(store: Store) -> list[Pair]:
    """Every pair on disk; raises StateError."""
    rows = await store.rows("SELECT number, uid, source, moved_to FROM identity")
    return [Pair(number, uid, Source(source), moved_to) for number, uid, source, moved_to in rows]
