"""Slash commands that wait until the agent is done, and what is said behind them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from ..contract import table

_MOST = 50
"""The most events held in one session. Further ones take the host's way."""
_LOOK_SECONDS = 0.05


class Held:
    """Holds commands that the host would let wait behind a busy agent, such as those of skills, and what follows them.

    The host keeps one waiting event a session and appends later texts to it: behind a command they would become its
    arguments, and nobody would read them. `closing` ends the waiting.
    """

    def __init__(self, adapter: Any, closing: asyncio.Event) -> None:
        self._adapter = adapter
        self._closing = closing
        self._waiting: dict[str, deque[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def takes(self, event: Any, session_key: str) -> bool:
        """Hold an event that arrives in a busy session; return False if the host takes it."""
        if table.ACTIVE_SESSIONS.of(self._adapter) is None or event.internal:
            return False
        waiting = self._waiting.get(session_key)
        if waiting is None:
            if not event.is_command():
                return False
            waiting = self._waiting[session_key] = deque()
            task = asyncio.create_task(self._hand_in(session_key, waiting))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif len(waiting) >= _MOST or event is waiting[0]:
            return False
        waiting.append(event)
        return True

    def events(self) -> list[Any]:
        """Return the events that are held."""
        return [event for waiting in self._waiting.values() for event in waiting]

    async def _hand_in(self, session_key: str, waiting: deque[Any]) -> None:
        """Hand the held events in, in order: a command once the session is idle, what follows at once."""
        try:
            while waiting and not self._closing.is_set():
                if waiting[0].is_command() and session_key in table.ACTIVE_SESSIONS.of(self._adapter):
                    await asyncio.sleep(_LOOK_SECONDS)
                    continue
                await self._adapter.handle_message(waiting[0])
                waiting.popleft()
        finally:
            del self._waiting[session_key]
