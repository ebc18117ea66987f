"""session_search over the sessions of the chat's own contexts.

Hermes' own function runs on an object of Hermes' own class, whose connection is to a database that shows these sessions
only (`state.hosts.own_rows`). The object knows no other file, so it can read nowhere else.
"""

from __future__ import annotations

import atexit
import inspect
import json
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from ...core.bounded import Bounded
from ...state.hosts.own_rows import SUBSTRINGS, TEXT, OwnRows
from ...state.hosts.sessions import Row, Whose
from ...tenancy.chats import Operation, Unknown
from ...tenancy.contexts import BUILT_IN, Contexts, reads
from .. import profile
from ..contract import table
from . import origins, profiles, session

_ASKED = (
    *("query", "role_filter", "limit", "around_message_id", "window", "sort"),
    *("detail", "after", "before", "exclude_session_ids"),
)
"""The parameters that a chat may give, if Hermes has them. `profile` would open another database."""
_KEEP = 16


class _Recall:
    """The sessions of some contexts of one profile, and Hermes' object that reads them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._opened: tuple[OwnRows, Any] | None = None

    def close(self) -> None:
        """Close both; the next search opens them again."""
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(Exception):
                opened[1].close()
            opened[0].close()

    def search(self, path: Path, args: Mapping[str, Any], session_id: str, whose: Whose) -> str:
        """Return Hermes' answer. Raises Unknown if others' sessions could be seen, and sqlite3.Error."""
        rows, hosts = self._opened = self._opened or _open()
        with rows.showing(path, whose) as shown:
            hosts._fts_enabled, hosts._trigram_available = TEXT in rows.indexes, SUBSTRINGS in rows.indexes
            if shown.other and (hosts.get_session(shown.other) or hosts.get_messages(shown.other)):
                raise Unknown("the sessions of other chats cannot be hidden")
            wanted = args.get("session_id")
            if isinstance(wanted, str) and wanted.strip():
                # What precedes the id in a link names a profile, whose database Hermes would open.
                wanted = wanted.rpartition("/")[2].strip()
                # Hermes would look for a session that it misses here in every profile.
                if wanted not in shown.own and args.get("around_message_id") is None:
                    return json.dumps({"error": f"session_id not found: {wanted}", "success": False})
            else:
                wanted = None
            search = table.SESSION_SEARCH.load()
            given = {name: args[name] for name in _taken(search) if args.get(name) is not None}
            return str(search(**given, session_id=wanted, db=hosts, current_session_id=session_id))


_recalls: Bounded[tuple[int, Path, Path, tuple[str, ...]], _Recall] = Bounded(_KEEP)
_opening = threading.Lock()


def search(args: Mapping[str, Any], session_id: str, contexts: Contexts, mine: tuple[str, ...]) -> str:
    """Carry out a call of session_search that sees the sessions of these contexts only; return the host's answer.

    Raises Unknown, or what failed; nothing was read then.
    """
    path = profiles.database(session_id)
    # A database must not be used on both sides of a fork, and one may have the sessions of several profiles.
    key = (os.getpid(), profile.home(), path, mine)
    with _opening:
        recall = _recalls.get(key) or _Recall()
        dropped = _recalls.put(key, recall)
    if dropped is not None:
        with dropped[1].lock:
            dropped[1].close()
    with recall.lock:
        done = False
        try:
            answer = recall.search(path, args, session_id, _whose(contexts, mine, path))
            done = True
            return answer
        finally:
            if not done or _recalls.get(key) is not recall:
                recall.close()


def close() -> None:
    """Close everything that searches have opened."""
    with _opening:
        recalls = [*_recalls.values()]
        _recalls.clear()
    for each in recalls:
        with each.lock:
            each.close()


atexit.register(close)


@lru_cache(maxsize=4)
def _taken(search: Callable[..., Any]) -> tuple[str, ...]:
    """Return the parameters of Hermes' search that a chat may give."""
    takes = inspect.signature(search).parameters
    return tuple(name for name in _ASKED if name in takes)


def _open() -> tuple[OwnRows, Any]:
    with tempfile.NamedTemporaryFile() as nothing:
        hosts = table.SESSION_DB(db_path=Path(nothing.name), read_only=True)
    hosts._conn.close()
    rows = OwnRows()
    hosts._conn = rows.connection
    return rows, hosts


def _whose(contexts: Contexts, mine: tuple[str, ...], path: Path) -> Whose:
    owner, jobs = profiles.owner(path), session.job_chats()

    def is_own(row: Row) -> bool:
        job = origins.job(row)
        if not job and not owner.is_own(row):
            return False
        try:
            return reads(mine, contexts.of(jobs[job] if job else origins.of_row(row), Operation.RECALL))
        except Exception:
            return False

    built_in = contexts.policy in BUILT_IN.values()
    return Whose(is_own, origins.inherits, origins.job, built_in, (contexts, owner) if built_in else None)
