"""The busy sessions of an adapter whose profile a gateway serves besides its own, under the key of the host's runner.

Before 0.20.6, the host's adapters leave the profile out of their keys. The runner, told such a key, would take the
session of the gateway's own profile for the busy one: interrupt its agent, answer its questions, fill its queue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...core.bounded import Bounded
from .. import sessions
from ..contract import table

_KEEP = 2_000


class Lanes:
    """The sessions that one adapter and the runner know by different keys."""

    def __init__(self, adapter: Any, extra: Mapping[str, Any]) -> None:
        self._adapter = adapter
        self._extra = extra
        self._given: Bounded[str, str] = Bounded(_KEEP)
        """The adapter's key by the runner's."""

    def enter(self, event: Any, session_key: str) -> str:
        """Return the runner's key for an event of a busy session that the adapter knows by the given one."""
        if sessions.profile_of(self._adapter) is None:
            return session_key
        sessions.name_profile(event.source, self._adapter)
        key = self._key(event)
        if key != session_key:
            self._given.put(key, session_key)
            if sessions.is_worked_on(self._adapter, key):
                # What came first is read first.
                sessions.take_over(self._adapter, key, session_key)
        return key

    def leave(self, key: str) -> None:
        """Have the adapter find what the runner looks for no more: its turn is over, or has not begun."""
        if not sessions.is_worked_on(self._adapter, key):
            self.turn_ended(key)

    def turn_ended(self, key: str) -> None:
        """Have the adapter find what still waits when the runner's turn is over."""
        if (given := self._given.get(key)) is not None:
            sessions.take_over(self._adapter, given, key)

    def answers(self, event: Any, session_key: str) -> bool:
        """Return True if the event answers the agent's question in a session that the adapter did not look into."""
        key = self._key(event)
        return key != session_key and not event.is_command() and _asks(key)

    def is_led_astray(self, event: Any) -> bool:
        """Return True for an event that the adapter took for an answer to another bot's question."""
        if event.internal or event.is_command() or sessions.profile_of(self._adapter) is None:
            return False
        key, without_profile = self._key(event), sessions.session_key(event.source, self._extra, self._adapter)
        return sessions.is_worked_on(self._adapter, key) and _asks(without_profile) and not _asks(key)

    def _key(self, event: Any) -> str:
        return sessions.session_keys(event.source, self._extra, self._adapter)[-1]


def _asks(key: str) -> bool:
    """Return True if a question of the agent's waits in a session."""
    clarify = table.PENDING_CLARIFY.optional()
    return clarify is not None and clarify(key, include_choice_prompts=True) is not None
