"""Whose the stored sessions of Hermes are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any, NamedTuple

STORED = "stored"
"""The name under which Hermes' database is attached."""
JOBS = "cron"
"""The source of the sessions of jobs, which are told by their ids."""
HELPER = "subagent"
"""The source of the sessions of an agent's helpers, which newer hosts give the chat of their parent too."""
_COLUMNS = ("id", "source", "chat_id", "chat_type", "thread_id", "user_id", "session_key", "origin_json")
# The parent is stored behind the system prompt, which is long: it is read for those alone that need it.
_PARENT = f"CASE WHEN chat_id > '' AND source <> '{HELPER}' THEN NULL ELSE parent_session_id END"
_QUERY = f"SELECT {', '.join(_COLUMNS)}, {_PARENT} FROM {STORED}.sessions"

Row = Mapping[str, Any]


class Whose(NamedTuple):
    """How to tell whose a session is, from its row."""

    is_own: Callable[[Row], bool]
    inherits: Callable[[Row], bool]
    """Whether a session belongs to its parent's chat."""
    job: Callable[[Row], str]
    """The job whose session it is; empty if it is none's."""
    by_chat: bool
    """True if nothing depends on the session's own id."""


def own_sessions(connection: Connection, whose: Whose) -> set[str]:
    """Return the ids of one's own sessions. A session without a parent, or in a circle of parents, inherits nothing."""
    rows = {row[0]: tuple(row) for row in connection.execute(_QUERY)}
    answers: dict[tuple[Any, ...], bool] = {}
    verdicts: dict[str, bool] = {}

    def verdict_of(session_id: str) -> bool:
        path: dict[str, None] = {}
        at = session_id
        verdict = False
        while at in rows and at not in path:
            if at in verdicts:
                verdict = verdicts[at]
                break
            path[at] = None
            row = rows[at]
            named = dict(zip(_COLUMNS, row, strict=False))
            if not whose.inherits(named):
                key = (whose.job(named), *row[1:-1]) if whose.by_chat else row
                if key not in answers:
                    answers[key] = whose.is_own(named)
                verdict = answers[key]
                break
            at = row[-1]
        verdicts.update(dict.fromkeys(path, verdict))
        return verdict

    own = set()
    for session_id, row in rows.items():
        # Most sessions are like one before, and chats have few kinds of them.
        known = answers.get(("", *row[1:-1])) if row[1] not in {JOBS, HELPER} else None
        if verdict_of(session_id) if known is None else known:
            own.add(session_id)
    return own
