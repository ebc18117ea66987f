"""The audit table: every change of a chat's status and every confirmed number, with author, time and reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .database import Write

if TYPE_CHECKING:
    from .store import Store

LATEST_WHY = "SELECT why FROM audit WHERE network = c.network AND chat = c.id ORDER BY audit.id DESC LIMIT 1"
"""A subquery for the latest reason about a chat, which is a row `c` of `chat_group`."""

PRUNE = """
DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - 2000 AND id NOT IN (
    SELECT max(audit.id) FROM audit JOIN chat_group ON chat_group.network = audit.network AND chat_group.id = chat
    GROUP BY audit.network, chat
)
"""
"""Deletes all but the last 2,000 entries and the latest entry of every chat."""


def record(at: float, network: str, chat: str, status: str, by: str, why: str) -> Write:
    """Record a change; execute this directly after its statement. Does nothing if that changed no row."""
    sql = "INSERT INTO audit (at, network, chat, status, by, why) SELECT ?, ?, ?, ?, ?, ? WHERE changes() > 0"
    return sql, (at, network, chat, status, by, why)


async def last_number(store: Store) -> int:
    """Return the number of the latest entry, 0 without any; raise StateError."""
    ((last,),) = await store.rows("SELECT coalesce(max(id), 0) FROM audit")
    return int(last)


async def since(store: Store, network: str, number: int) -> list[tuple[int, str, str]]:
    """Return (number, chat, status) of a network's entries after that number, oldest first; raise StateError."""
    rows = await store.rows(
        "SELECT id, chat, status FROM audit WHERE network = ? AND id > ? ORDER BY id", (network, number)
    )
    return [(found, chat, status) for found, chat, status in rows]
