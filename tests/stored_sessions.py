"""Writes Hermes' database of sessions, by Hermes' own class."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from hermes_state import SessionDB

Message = tuple[str, str]
"""Role and text."""


class StoredSessions:
    """An open database of a HERMES_HOME. `SessionDB` is the real one."""

    def __init__(self, home: Path) -> None:
        self.path = home / "state.db"
        self.db = SessionDB(db_path=self.path)
        self.clock = 1_760_000_000.0

    def __enter__(self) -> StoredSessions:
        return self

    def __exit__(self, *_: object) -> None:
        self.db.close()

    def add(
        self,
        session_id: str,
        chat: str | None,
        messages: Iterable[Message] = (),
        *,
        source: str = "signal",
        parent: str | None = None,
        title: str | None = None,
        user: str | None = None,
        ended: str | None = None,
        kind: str = "group",
    ) -> list[int]:
        """Store a session, of a chat or of none; return the ids of its messages."""
        given = {"parent_session_id": parent} if parent else {}
        self.db.create_session(session_id=session_id, source=source, user_id=user, **given)
        if chat is not None:
            origin = json.dumps({"platform": source, "chat_id": chat, "chat_type": kind})
            self.write(
                "UPDATE sessions SET chat_id = ?, chat_type = ?, session_key = ?, origin_json = ? WHERE id = ?",
                (chat, kind, f"agent:main:{source}:{kind}:{chat}", origin, session_id),
            )
        if title:
            self.db.set_session_title(session_id, title)
        self.clock += 100
        self.write("UPDATE sessions SET started_at = ? WHERE id = ?", (self.clock, session_id))
        ids = [self.say(session_id, role, text) for role, text in messages]
        if ended:
            self.db.end_session(session_id, ended)
        return ids

    def say(self, session_id: str, role: str, text: str) -> int:
        """Store a message; return its id."""
        self.clock += 1
        stored = int(self.db.append_message(session_id=session_id, role=role, content=text))
        self.write("UPDATE messages SET timestamp = ? WHERE id = ?", (self.clock, stored))
        return stored

    def write(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Change the database as only a test may."""

        def change(connection: sqlite3.Connection) -> None:
            connection.execute(sql, parameters)

        self.db._execute_write(change)

    def ids(self) -> list[str]:
        """Return the ids of all sessions."""
        with sqlite3.connect(self.path) as connection:
            found = [row[0] for row in connection.execute("SELECT id FROM sessions ORDER BY id")]
        connection.close()
        return found


def copy_of(source: Path, home: Path, keep: Callable[[str], bool]) -> StoredSessions:
    """Copy a database to another home, and delete from it, as Hermes does, all sessions that are not kept."""
    home.mkdir(parents=True, exist_ok=True)
    read, written = sqlite3.connect(source), sqlite3.connect(home / "state.db")
    read.backup(written)
    read.close()
    written.close()
    copy = StoredSessions(home)
    for each in copy.ids():
        if not keep(each):
            copy.db.delete_session(each)
    return copy
