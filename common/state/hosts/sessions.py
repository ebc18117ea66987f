"""Stored sessions of Hermes, and a connection that sees some of them only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_COLUMNS = (
    *("id", "source", "chat_id", "chat_type", "thread_id", "user_id", "session_key", "origin_json"),
    "parent_session_id",
)
_DEEPEST = 50
_PARTS = {"sessions": "id", "messages": "session_id"}


def own_sessions(connection: Any, is_own: Callable[[Mapping[str, Any]], bool]) -> set[str]:
    """Return the ids of the sessions of which `is_own`.

    A session without a chat is a continuation, and belongs to its parent's chat; without a parent it is nobody's.
    """
    rows = {
        row[0]: dict(zip(_COLUMNS, row, strict=True))
        for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM main.sessions")
    }
    verdicts: dict[str, bool] = {}

    def verdict(session_id: str | None, depth: int = 0) -> bool:
        row = rows.get(session_id or "")
        if row is None or depth > _DEEPEST:
            return False
        if row["id"] not in verdicts:
            verdicts[row["id"]] = is_own(row) if row["chat_id"] else verdict(row["parent_session_id"], depth + 1)
        return verdicts[row["id"]]

    return {each for each in rows if verdict(each)}


def restrict(connection: Any, sessions: Iterable[str]) -> None:
    """Hide all other sessions from a connection, whatever it is asked, and let it write no more.

    Temporary views come before tables of the same name.
    """
    connection.execute("CREATE TEMP TABLE own (id TEXT PRIMARY KEY)")
    connection.executemany("INSERT INTO own VALUES (?)", ((each,) for each in sessions))
    for table, column in _PARTS.items():
        connection.execute(
            f"CREATE TEMP VIEW {table} AS SELECT * FROM main.{table} WHERE {column} IN (SELECT id FROM own)"
        )
    connection.execute("PRAGMA query_only=ON")
