"""The chats that Hermes has stored sessions of."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ...core.errors import StateError
from .lineage import Stored

_BUSY_SECONDS = 5.0


def chat_rows(path: Path) -> list[Mapping[str, Any]]:
    """Return the latest session of each chat, thread, person and key, with its start as `last`, the latest first.

    Returns none without a database. The chats of two profiles may have the same ids, but not the same keys. Raises
    StateError if the database cannot be read.
    """
    if not path.exists():
        return []
    query = (
        f"SELECT {', '.join(Stored._fields)}, MAX(started_at) FROM sessions WHERE chat_id <> '' AND source <> ''"
        " GROUP BY source, chat_id, thread_id, user_id, session_key ORDER BY MAX(started_at) DESC"
    )
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
            # Hermes keeps more than sessions there.
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone():
                return []
            return [dict(zip((*Stored._fields, "last"), row, strict=True)) for row in connection.execute(query)]
    except sqlite3.Error as exc:
        raise StateError(f"the sessions in {path} cannot be read ({type(exc).__name__})") from exc
