"""The owners of the sessions that Hermes stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any, NamedTuple

from .lineage import Stored

STORED = "stored"
"""The name under which Hermes' database is attached."""
JOBS = "cron"
"""The source of the sessions of jobs, which are told by their ids."""
HELPER = "subagent"
"""The source of the sessions of an agent's helpers, which newer hosts give the chat of their parent too."""
_COLUMNS = Stored._fields
_NAMES_CHAT = f"chat_id > '' AND source <> '{HELPER}'"
# The parent is stored behind the system prompt, which is long: it is read for those alone that need it.
_PARENT = f"CASE WHEN {_NAMES_CHAT} THEN NULL ELSE parent_session_id END"
_QUERY = f"SELECT {', '.join(_COLUMNS)}, {_PARENT}, rowid FROM {STORED}.sessions"
_TABLES = (
    f"CREATE TABLE main.seen (at INTEGER PRIMARY KEY, {', '.join(_COLUMNS)})",
    "CREATE TABLE main.parents (at INTEGER PRIMARY KEY, parent)",
)
_REMEMBER = (
    "DELETE FROM main.seen",
    "DELETE FROM main.parents",
    f"INSERT INTO main.seen SELECT rowid, {', '.join(_COLUMNS)} FROM {STORED}.sessions",
    "INSERT INTO main.parents SELECT rowid, parent_session_id"
    f" FROM {STORED}.sessions WHERE ({_NAMES_CHAT}) IS NOT TRUE",
)
_CHANGED = f"""
SELECT (SELECT count(*) FROM {STORED}.sessions) <> (SELECT count(*) FROM main.seen) OR EXISTS (
    SELECT 1 FROM {STORED}.sessions AS now LEFT JOIN main.seen ON seen.at = now.rowid
    WHERE {" OR ".join(f"now.{column} IS NOT seen.{column}" for column in _COLUMNS)}
) OR EXISTS (
    SELECT 1 FROM main.parents LEFT JOIN {STORED}.sessions AS now ON now.rowid = parents.at
    WHERE now.parent_session_id IS NOT parents.parent)
"""

Row = Mapping[str, Any]


class Whose(NamedTuple):
    """Tells whose a session is, from its row."""

    is_own: Callable[[Row], bool]
    inherits: Callable[[Row], bool]
    """Tells whether a session belongs to its parent's chat."""
    job: Callable[[Row], str]
    """The job whose session it is; empty if it is none's."""
    by_chat: bool
    """True if nothing depends on the session's own id."""
    basis: object = None
    """All else that the answers depend on, the jobs excepted. Equal for equal answers; None if nobody can say."""


class OwnSessions:
    """Knows one's own sessions, and looks at each session anew only after one of them has changed."""

    def __init__(self) -> None:
        self._own: Mapping[str, int] | None = None
        self._basis: object = None
        self._jobs: list[tuple[Row, bool]] = []
        """A session of each job, and whether it is one's own: that can change without a change of a session."""

    def create(self, connection: Connection) -> None:
        """Create what `read` needs in the private database."""
        for statement in _TABLES:
            connection.execute(statement)

    def known(self, connection: Connection, whose: Whose, *, unchanged: bool) -> Mapping[str, int] | None:
        """Return what the last `read` did if that is still so; else None.

        `unchanged` says that Hermes' file is the same as then.
        """
        if self._own is None or whose.basis is None or whose.basis != self._basis:
            return None
        if not unchanged and connection.execute(_CHANGED).fetchone()[0]:
            return None
        return self._own if all(whose.is_own(row) is verdict for row, verdict in self._jobs) else None

    def read(self, connection: Connection, whose: Whose) -> Mapping[str, int]:
        """Return the rows of one's own sessions by their ids, and remember all sessions.

        A session without a parent, or in a circle of parents, inherits nothing.
        """
        self._own = None
        for statement in _REMEMBER:
            connection.execute(statement)
        own, self._jobs = _own_sessions(_rows(connection), whose)
        self._own, self._basis = own, whose.basis
        return own


def asked(connection: Connection, whose: Whose) -> Whose:
    """Ask about all sessions, and return the answers in the same form: whoever is asked may take their time.

    Nothing is being read meanwhile. A session that is new or changed afterwards is nobody's.
    """
    answers: dict[tuple[Any, ...], bool] = {}

    def is_own(row: Row) -> bool:
        answers[tuple(row.values())] = own = whose.is_own(row)
        return own

    _own_sessions(_rows(connection), whose._replace(is_own=is_own))
    return whose._replace(is_own=lambda row: answers.get(tuple(row.values()), False))


def _rows(connection: Connection) -> dict[str, tuple[Any, ...]]:
    """Return all sessions by their ids."""
    return {row[0]: tuple(row) for row in connection.execute(_QUERY)}


def _own_sessions(rows: Mapping[str, tuple[Any, ...]], whose: Whose) -> tuple[dict[str, int], list[tuple[Row, bool]]]:
    """Return the rows of one's own sessions by their ids, and one session of each job with its verdict."""
    answers: dict[tuple[Any, ...], bool] = {}
    verdicts: dict[str, bool] = {}
    jobs: list[tuple[Row, bool]] = []

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
                key = (whose.job(named), *row[1:-2]) if whose.by_chat else row
                if key not in answers:
                    answers[key] = whose.is_own(named)
                    if whose.job(named):
                        jobs.append((named, answers[key]))
                verdict = answers[key]
                break
            at = row[-2]
        verdicts.update(dict.fromkeys(path, verdict))
        return verdict

    own = {}
    for session_id, row in rows.items():
        # Most sessions are like one before, and chats have few kinds of them.
        known = answers.get(("", *row[1:-2])) if row[1] not in {JOBS, HELPER} else None
        if verdict_of(session_id) if known is None else known:
            own[session_id] = row[-1]
    return own, jobs
