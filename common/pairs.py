"""Who is who, on disk: pairs in the state file, those that moved in the journal of orders too, and direct chats."""

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
    rows = await store.rows("SELECT number, uid, source, moved_to FROM identity ORDER BY rowid")
    return [Pair(number, uid, Source(source), moved_to) for number, uid, source, moved_to in rows]


def forget(store: Store, number: str) -> None:
    """Take a pair from disk."""
    store.write("DELETE FROM identity WHERE number = ?", (number,))


async def is_confirmed(store: Store, number: str, uid: str) -> bool:
    """Whether the operator said that a number which turned up with that ACI is the same person's; raises StateError."""
    confirmed = "SELECT 1 FROM identity WHERE number = ? AND uid = ? AND moved_to IS NULL"
    return bool(await store.rows(confirmed, (number, uid)))


async def recorded_chats(store: Store) -> list[tuple[str, str]]:
    """Every alias on disk with the id of its direct chat; raises StateError."""
    return [(alias, chat) for alias, chat in await store.rows("SELECT alias, chat FROM direct_chat ORDER BY rowid")]


def record_chat(store: Store, alias: str, chat: str) -> None:
    """Put the id of a direct chat on disk, by alias."""
    store.write("INSERT OR REPLACE INTO direct_chat VALUES (?, ?)", (alias, chat))


def forget_chat(store: Store, alias: str) -> None:
    """Take an alias from disk."""
    store.write("DELETE FROM direct_chat WHERE alias = ?", (alias,))
