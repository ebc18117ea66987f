"""The profiles of a gateway that serves several: where their sessions are stored, and whose each one is.

Before 0.20.6, Hermes stores the sessions of all profiles in the home for which its process was started; since then,
each profile's in its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ...core.errors import StateError
from ...state.hosts.chats import chat_rows
from ...state.hosts.lineage import Stored, descent, lineage
from ...tenancy.chats import Unknown
from .. import profile
from ..contract import table
from . import origins

_FILE = "state.db"


def databases() -> tuple[Path, ...]:
    """Return the databases that may have sessions of the current profile, its own first; that one always."""
    home = profile.home()
    root = profile.place(home)[0]
    process = table.DEFAULT_DATABASE.optional()
    others = [root / _FILE]
    # That of the process may be another profile's too.
    if process is not None and profile.place(Path(process).parent)[0] == root:
        others.insert(0, Path(process))
    own = home / _FILE
    return tuple(dict.fromkeys((own, *(path for path in others if path.exists()))))


def line(session_id: str) -> tuple[tuple[Stored, ...], Path]:
    """Return a session and its ancestors, and the database that has them.

    One that is stored nowhere comes with its id alone, and with the first database that can be read.
    """
    known = databases()
    readable = []
    for path in known:
        try:
            found = lineage(path, session_id)
        except StateError:
            continue
        if found[0].source is not None:
            return found, path
        readable.append(path)
    return (Stored(session_id),), (*readable, *known)[0]


def database(session_id: str) -> Path:
    """Return the database that has the session; without one, the first that can be read."""
    known = databases()
    return known[0] if len(known) == 1 else line(session_id)[1]


class Owner(NamedTuple):
    """The owner of the sessions in a database, from the current profile's point of view."""

    mine: str
    """The current profile."""
    keeper: str
    """The profile that keeps the database."""
    alone: bool
    """True if no other profile can have stored a session there."""

    def is_own(self, row: Mapping[str, Any]) -> bool:
        """Return True for a session of the current profile.

        A session without a key is only where no other profile could have stored it.
        """
        try:
            named = origins.profile(row)
        except Unknown:
            return False
        return (bool(row.get("session_key")) or self.alone) and (named or self.keeper) == self.mine


def owner(path: Path) -> Owner:
    """Return whose the sessions in a database are."""
    keeper = profile.place(path.parent)[1]
    return Owner(profile.place(profile.home())[1], keeper, keeper == profile.DEFAULT and not _has_others(path.parent))


def has_own_jobs() -> bool:
    """Return True if the jobs that Hermes lists are certainly the current profile's."""
    return table.OWN_JOBS.optional() is not None or not _has_others(profile.place(profile.home())[0])


def keep_apart(source: Any, gateway: Any, sessions: Any) -> None:
    """Begin a session for a message where Hermes would go on with that of another profile. Raises what fails.

    If Hermes has no session under the key of a message, it takes the latest one of the same chat and person, and where
    all profiles share a database, that may be their session with another profile's bot (hermes_state.py,
    find_latest_gateway_session_for_peer).
    """
    if not _share_database(gateway):
        return
    stored, key = table.SESSIONS_DATABASE.of(sessions), table.RUNNER_SESSION_KEY.of(gateway)(source)
    if stored is None:
        return
    current = table.CURRENT_SESSION.of(sessions)(key)
    found = table.SESSION_ROW.of(stored)(current) if current else None
    if current and (found is None or not found.get("session_key")):
        return
    if found is None or found.get("end_reason"):
        found = table.FIND_SESSION.of(stored)(
            source=source.platform.value,
            user_id=source.user_id,
            session_key=key,
            chat_id=source.chat_id,
            chat_type=source.chat_type,
            thread_id=source.thread_id,
        )
    if found and str(found.get("session_key") or "").split(":")[:2] != key.split(":")[:2]:
        table.BEGIN_SESSION.of(sessions)(source, force_new=True)


def may_resume(source: Any, gateway: Any, session_id: str) -> bool:
    """Return True if Hermes can show a chat no session of another profile that it looks up by an id.

    With an empty id: if it can show none at all, whatever it looks up. Where profiles share a database, Hermes takes
    the sessions of one person with the bots of all for one chat's. Raises StateError.
    """
    if not _share_database(gateway):
        return True
    chat = (source.platform.value, source.chat_id)
    stored = [(path, owner(path)) for path in databases() if path.exists()]
    rows = [(whose, row) for path, whose in stored for row in chat_rows(path)]
    if all(whose.is_own(row) for whose, row in rows if (row["source"], row["chat_id"]) == chat):
        return True
    found = [(whose, each._asdict()) for path, whose in stored for each in descent(path, session_id)]
    # What has no chat works for the session, and is never gone on with.
    return bool(found) and all(whose.is_own(row) for whose, row in found if row["id"] == session_id or row["chat_id"])


def _share_database(gateway: Any) -> bool:
    """Return True if the gateway keeps the sessions of several profiles in one database."""
    # Where it belongs to the class, there is one for each profile.
    return table.SESSIONS_DATABASE.optional() is None and bool(table.MULTIPLEX.of(table.RUNNER_CONFIG.of(gateway)))


def _has_others(root: Path) -> bool:
    return any((root / "profiles").glob("*"))
