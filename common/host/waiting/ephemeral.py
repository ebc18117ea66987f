"""The turns that have messages of which nothing is to be stored.

Such a message is marked in its event's context, under a reference. A turn has it if the model is shown the reference,
or its words where Hermes has merged it and dropped the context. Hermes can also put a message into the turn that runs:
so the turn of a session in which one has arrived counts as having it, until the next one begins.

At module level, because Hermes' hooks know no adapter, and adapters are replaced on every reconnect.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ...core.bounded import Bounded, Expiring
from ...inbound.delivery import Delivery
from ...tenancy.ephemeral import is_ephemeral, mark, references

_KEEP_MESSAGES = 1_000
_KEEP_SECONDS = 24 * 3600.0
_KEEP_SESSIONS = 4_000
_REF = "ephemeral"
"""The reference in an event's metadata: Hermes hands in the same event again."""


@dataclass(slots=True, eq=False)
class _Message:
    """A message that was handed over. `words` are kept until the model is shown them, by a hash of what it is shown."""

    ref: str
    keys: Collection[str]
    words: re.Pattern[str] | None
    shown: int | None = None

    def is_in(self, shown: str, refs: Collection[str], session_key: str) -> bool:
        """Return True if the model is shown the message, or was shown it with the same text."""
        if self.ref in refs or self.shown == hash(shown):
            return True
        # `/background` binds no session.
        is_here = not session_key or session_key in self.keys
        return is_here and self.words is not None and self.words.search(shown) is not None


_lock = threading.Lock()
_messages: Expiring[str, _Message] = Expiring(_KEEP_MESSAGES, time.time)
"""By reference."""
_arrived: Bounded[str, None] = Bounded(_KEEP_SESSIONS)
"""The keys of sessions in which one has arrived since their last turn began."""
_turns: Bounded[str, bool] = Bounded(_KEEP_SESSIONS)
"""For each session, by id, whether its latest turn has one."""
_sessions: Bounded[str, None] = Bounded(_KEEP_SESSIONS)
"""The ids of the sessions that have had such a turn."""


def arrived(delivery: Delivery, keys: Collection[str]) -> None:
    """Note a message that may get into the turn that runs, for example as an answer to a question of the agent's.

    `keys` are those that Hermes may use for its session.
    """
    if is_ephemeral(delivery.inbound):
        with _lock:
            for key in keys:
                _arrived.put(key, None)


def marked(event: Any, delivery: Delivery, keys: Collection[str]) -> str | None:
    """Note a message right before Hermes gets it, and return its mark; None for one that may be stored.

    A second call changes nothing.
    """
    if not is_ephemeral(delivery.inbound):
        return None
    ref = event.metadata.setdefault(_REF, secrets.token_hex(8))
    # A command's name may be gone from what the model is shown.
    said = event.get_command_args() if event.is_command() else event.text
    with _lock:
        if _messages.get(ref) is None:
            _messages.put(ref, _Message(ref, keys, _words(said or "")), _KEEP_SECONDS)
    return mark(delivery.inbound, ref)


def began(session_id: str, session_key: str, shown: str) -> None:
    """Note what the model is shown at the beginning of a turn. May be called again in the same turn."""
    refs = frozenset(references(shown))
    with _lock:
        found = [message for message in _messages.values() if message.is_in(shown, refs, session_key)]
        for message in found:
            message.words, message.shown = None, hash(shown)
        has = bool(found)
        _turns.put(session_id, has)
        if has:
            _sessions.put(session_id, None)
        _arrived.pop(session_key, None)


def delegated(parent: str, child: str) -> None:
    """Note that a sub-agent works for the turn of a session."""
    with _lock:
        if _turns.get(parent):
            _turns.put(child, True)


def reviewed(session_id: str, history: str) -> None:
    """Note what a review of a session is shown: after a restart, only the marks in it tell."""
    if references(history):
        with _lock:
            _sessions.put(session_id, None)


def in_turn(session_id: str, session_key: str) -> bool:
    """Return True if the current turn of a session has such a message."""
    with _lock:
        return bool(_turns.get(session_id)) or session_key in _arrived


def in_session(session_ids: Collection[str]) -> bool:
    """Return True if a session, given with those that it continues, has had such a turn."""
    with _lock:
        return any(session_id in _sessions for session_id in session_ids)


def _words(text: str) -> re.Pattern[str] | None:
    """Return the pattern of a message's words in what Hermes makes of several messages."""
    return re.compile(rf"(?<!\w){re.escape(text.strip())}(?!\w)") if text.strip() else None
