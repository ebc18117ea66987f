"""One connection to a peer's events, over any transport."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NoReturn, TypeVar

from ..core.errors import ConnectionLost
from .stats import StreamStats

logger = logging.getLogger(__name__)

PROVED_AFTER = 5.0
"""Seconds after which an open link counts as working, even if nothing has arrived."""

Clock = Callable[[], float]
EventT = TypeVar("EventT")


class Link(ABC):
    """One connection. Its own task runs `_listen` from construction until `_listen` ends or `close` is called.

    A subclass supplies `_listen`, which reports its progress with the `_mark_…` methods and passes events on with
    `_deliver`. It calls `super().__init__` last, because the task starts there. `unanswered` is the text of the error
    for a peer that does not open the link in time.
    """

    def __init__(self, stats: StreamStats, clock: Clock, unanswered: str) -> None:
        self.failure: Exception = ConnectionLost("the connection was closed")
        """The error that ended the link."""
        self.received = False
        """True once the peer has sent more than opening a link requires."""
        self._stats = stats
        self._clock = clock
        self._unanswered = unanswered
        self._opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._opened_at: float | None = None
        self._closed = False
        # Apart from `stats.last_byte`: the bytes of another link must not hide the silence of this one.
        self._last_byte_at = 0.0
        self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        return self._task.done()

    @property
    def proved(self) -> bool:
        """True once the link received something or has been open for `PROVED_AFTER` seconds."""
        if self._opened_at is None:
            return False
        return self.received or self._clock() - self._opened_at >= PROVED_AFTER

    def silent_for(self) -> float:
        """Return the seconds since the last byte, or since it opened; 0 before that."""
        return 0.0 if self._opened_at is None else self._clock() - self._last_byte_at

    async def wait_open(self, timeout: float) -> None:
        """Return once the link is open. Raises `failure` if it ends instead, ConnectionLost after `timeout` seconds."""
        await asyncio.wait({self._opened, self._task}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            raise self.failure if self.ended else ConnectionLost(self._unanswered)

    async def ends_within(self, seconds: float | None) -> bool:
        """Wait for the end of the link, at most `seconds` (None: for ever); return True if it has ended."""
        await asyncio.wait({self._task}, timeout=None if seconds is None else max(seconds, 0.0))
        return self._task.done()

    async def close(self) -> None:
        """End the link at once. Idempotent."""
        self._task.cancel()
        await asyncio.wait({self._task})

    @abstractmethod
    async def _listen(self) -> NoReturn:
        """Connect and read until the link ends; raise the reason."""

    async def _run(self) -> None:
        try:
            await self._listen()
        # `close` cancels the task: a CancelledError passes and leaves the default `failure`.
        except Exception as exc:
            self.failure = exc
        finally:
            self._mark_closed()

    def _mark_open(self) -> None:
        """Record that the link is open. A second call changes nothing."""
        if self._opened.done():
            return
        self._stats.open += 1
        self._stats.connects += 1
        self._stats.disconnected_since = None
        self._mark_alive()
        self._opened_at = self._last_byte_at
        self._opened.set_result(None)

    def _mark_alive(self) -> None:
        """Record that bytes have arrived."""
        self._last_byte_at = self._stats.last_byte = self._clock()

    def _mark_closed(self) -> None:
        """Record that nothing arrives any more. `_run` calls this at the end; `_listen` may do so earlier."""
        # A link that never opened was never counted.
        if self._opened_at is None or self._closed:
            return
        self._closed = True
        self._stats.open -= 1
        if not self._stats.open:
            self._stats.disconnected_since = self._clock()

    def _deliver(self, handler: Callable[[EventT], None], event: EventT) -> None:
        """Count an event and pass it to its handler."""
        self._stats.events += 1
        self._stats.last_event = self._clock()
        self._call(handler, event)

    def _call(self, handler: Callable[..., None], *arguments: object) -> None:
        """Call a handler. A failure is logged and counted; it never ends the link."""
        try:
            handler(*arguments)
        except Exception as exc:
            # The exception's text may quote the message.
            self._stats.skipped += 1
            logger.error("an event could not be handled: %s", type(exc).__name__)
