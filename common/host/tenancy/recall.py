"""session_search over the sessions of the chat's own contexts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from ...state.hosts.sessions import own_sessions, restrict
from ...tenancy.chats import Operation, Unknown
from ...tenancy.contexts import Contexts
from .. import profile
from ..contract import table
from . import session

_NOT_FOUND = json.dumps({"success": False, "error": "session_id not found"})
_ASKED = ("query", "role_filter", "limit", "around_message_id", "window", "sort")


def search(args: Mapping[str, Any], session_id: str, contexts: Contexts, mine: tuple[str, ...]) -> str:
    """Carry out a call of session_search that sees the sessions of these contexts only; return the host's answer."""

    def is_own(row: Mapping[str, Any]) -> bool:
        try:
            belongs = contexts.of(session.of_row(row), Operation.RECALL)
        except Unknown:
            return False
        return belongs[0] in mine if belongs else not mine

    database = _database_class()(db_path=profile.home() / "state.db")
    try:
        own = own_sessions(database._conn, is_own)
        restrict(database._conn, own)
        wanted = args.get("session_id")
        wanted = wanted.rpartition("/")[2].strip() if isinstance(wanted, str) else ""
        # The host would look for a missing one in every profile.
        if wanted and wanted not in own:
            return _NOT_FOUND
        known = {name: args[name] for name in _ASKED if args.get(name) is not None}
        return str(table.SESSION_SEARCH(**known, session_id=wanted or None, db=database, current_session_id=session_id))
    finally:
        database.close()


@cache
def _database_class() -> Any:
    class OwnSessions(table.SESSION_DB.load()):  # type: ignore[misc]
        def _checkout_read_conn(self) -> None:
            """Read with the restricted connection, never with one of the host's pool."""
            return

    return OwnSessions
