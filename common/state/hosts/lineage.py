"""The stored sessions that a piece of work belongs to, those that go on with one, and those of a chat."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..database import read


class Stored(NamedTuple):
    """A session as Hermes stores it; of one that it does not store, the id alone."""

    id: str
    source: str | None = None
    user_id: str | None = None
    session_key: str | None = None
    chat_id: str | None = None
    chat_type: str | None = None
    thread_id: str | None = None
    origin_json: str | None = None


_DEEPEST = 50
_QUERY = f"""
WITH RECURSIVE line (id, depth) AS (
    SELECT ?, 0
    UNION ALL
    SELECT sessions.parent_session_id, depth + 1 FROM line JOIN sessions USING (id)
    WHERE sessions.parent_session_id IS NOT NULL AND depth < {_DEEPEST}
)
SELECT line.id, {", ".join(f"sessions.{column}" for column in Stored._fields[1:])}
FROM line LEFT JOIN sessions USING (id) ORDER BY depth
"""
_DESCENT = f"""
WITH RECURSIVE descent (id) AS (
    SELECT ?
    UNION
    SELECT sessions.id FROM descent JOIN sessions ON sessions.parent_session_id = descent.id
)
SELECT {", ".join(Stored._fields)} FROM descent JOIN sessions USING (id)
"""
# SQLite takes the other columns from the row with the maximum.
_LATEST = f"""
SELECT {", ".join(Stored._fields)}, MAX(rowid) AS latest FROM sessions
WHERE source = ? AND chat_id = ? AND origin_json IS NOT NULL GROUP BY session_key ORDER BY latest DESC
"""


def lineage(database: Path, session_id: str) -> tuple[Stored, ...]:
    """Return a session, then those that it branched off, continues, or does a part of the work for. Raises StateError.

    Nothing is written: Hermes' own class would create and upgrade tables first.
    """
    return tuple(Stored(*row) for row in read(database, _QUERY, (session_id,)))


def descent(database: Path, session_id: str) -> tuple[Stored, ...]:
    """Return a session and all that come from it, none if it is not stored. Raises StateError."""
    return tuple(Stored(*row) for row in read(database, _DESCENT, (session_id,)))


def latest(database: Path, source: str, chat_id: str) -> tuple[Stored, ...]:
    """Return the latest session of each key of a chat that says where its messages came from. Raises StateError.

    The chats of two profiles may have the same id, but not the same key.
    """
    return tuple(Stored(*row[:-1]) for row in read(database, _LATEST, (source, chat_id)))
