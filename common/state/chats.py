"""The table of groups and channels, by network and id: their status, who gave it and when.

Every status that permits or forbids is an order, which the journal keeps as well.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.chats import Entry, Status
from ..core.errors import StateError
from . import audit
from .database import Statement, Write, read
from .orders import ChatOrder

if TYPE_CHECKING:
    from .store import Store

BY_INVITATION = (Status.APPROVED, Status.BLOCKED)
"""The statuses that people's acts lead to, not the operator's orders."""


def entries(path: Path, network: str) -> dict[str, Entry]:
    """Return the entries of a network's chats in a state file, by chat id; raise StateError."""
    sql = f"SELECT id, status, by, at, ({audit.LATEST_WHY}) FROM chat_group c WHERE network = ?"
    rows = read(path, sql, (network,))
    return {chat_id: Entry(Status(status), by or "", at, why or "") for chat_id, status, by, at, why in rows}


async def load(store: Store, network: str) -> list[tuple[str, Status]]:
    """Return every chat of a network with its status, the oldest first; raise StateError."""
    rows = await store.rows("SELECT id, status FROM chat_group WHERE network = ? ORDER BY at, id", (network,))
    return [(chat_id, Status(status)) for chat_id, status in rows]


def add_known(network: str, chat_id: str, at: float) -> Write:
    """Add a chat with the status KNOWN, unless the table has it."""
    sql = "INSERT OR IGNORE INTO chat_group VALUES (?, ?, ?, NULL, ?)"
    return sql, (network, chat_id, Status.KNOWN, at)


def write(order: ChatOrder, over: Iterable[Status]) -> tuple[Statement, Statement]:
    """Set a chat's status and audit it, if the chat has no status in the table yet or one of `over`."""
    assert order.status is not None
    writable = ", ".join(f"'{status}'" for status in over)
    sql = (
        "INSERT INTO chat_group VALUES (?, ?, ?, ?, ?) ON CONFLICT (network, id)"
        " DO UPDATE SET status = excluded.status, by = excluded.by, at = excluded.at"
        f" WHERE chat_group.status IN ({writable})"
    )
    return (
        (sql, (order.network, order.chat, order.status, order.by, order.at), order),
        audit.record(order.at, order.network, order.chat, order.status, order.by, order.why),
    )


def remove(order: ChatOrder, over: Iterable[Status]) -> list[Statement]:
    """Remove a chat that has one of the statuses `over`. `order` has no status."""
    sql = "DELETE FROM chat_group WHERE network = ? AND id = ? AND status = ?"
    # Only what was permitted or forbidden is in the journal.
    return [
        (sql, (order.network, order.chat, status), *((order,) if status in BY_INVITATION else ())) for status in over
    ]


def stored_orders(connection: sqlite3.Connection) -> list[ChatOrder]:
    """Return the table's orders, for comparison with the journal; raise StateError."""
    sql = f"SELECT network, id, status, by, ({audit.LATEST_WHY}), at FROM chat_group c WHERE status <> ?"
    try:
        return [
            ChatOrder(network, chat, Status(status), by or "", why or "", at)
            for network, chat, status, by, why, at in connection.execute(sql, (Status.KNOWN,))
        ]
    except ValueError as exc:
        raise StateError(f"the state file holds an order of an unknown kind: {exc}") from exc


def restore(connection: sqlite3.Connection, order: ChatOrder) -> None:
    """Apply an order of the journal to the table. Writes nothing if they agree."""
    if order.status is None:
        sql = "DELETE FROM chat_group WHERE network = ? AND id = ? AND status IN (?, ?)"
        connection.execute(sql, (order.network, order.chat, *BY_INVITATION))
        return
    for sql, parameters, *_ in write(order, [status for status in Status if status is not order.status]):
        connection.execute(sql, parameters)
