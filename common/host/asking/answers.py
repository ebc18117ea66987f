"""Who answered the latest question of a session: the host's own record of an answer names nobody."""

from __future__ import annotations

import threading

from ...core.bounded import Bounded

_KEEP = 2_000
_lock = threading.Lock()
_by: Bounded[str, str] = Bounded(_KEEP)
"""User ids by session key."""


def given(session_key: str, user_id: str) -> None:
    """Record that somebody who may answers a session's question."""
    with _lock:
        _by.put(session_key, user_id)


def take(session_key: str) -> str | None:
    """Return who answered, once; None if unknown. Called as well when a question is asked, to forget earlier ones."""
    with _lock:
        return _by.pop(session_key, None)
