"""The supervised stream of signal-cli's events.

signal-cli replays nothing: what arrives while no subscription stands is lost. It hands every event to every
subscription, so an overlap loses nothing; whoever takes the events must drop duplicates.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import NoReturn

from ...common.core.backoff import backoff
from ...common.core.errors import HardenedError
from ...common.stream.reconnect import Reconnection
from .link import Daemon, StreamStats, Subscription

logger = logging.getLogger(__name__)

HEADERS_WITHIN = 20.0
"""Seconds for the response headers: before 0.14.4 they come with the first keepalive only, up to 15 s late."""


def _at_once() -> Iterator[float]:
    """The delays after a subscription that had proved itself."""
    return chain((0.0,), backoff())


class SignalStream:
    """Keeps one subscription (or two) to the daemon's events standing, from `open` until `close` or `on_dead`.

    `on_event` gets the data of each event as it came, synchronously and in order. `on_dead` is called once, after
    everything is closed: with `Fatal` when the daemon refuses, with `ConnectionLost` when nothing has stood for
    `give_up_after` seconds (a request under way is waited for). A subscription without a byte for `stale_after` seconds
    is replaced. `sleep` is what back-off waits with.
    """

    def __init__(
        self,
        daemon: Daemon,
        on_event: Callable[[bytes], None],
        on_dead: Callable[[HardenedError], None],
        *,
        stale_after: float = 60.0,
        streams: int = 1,
        give_up_after: float = 30.0,
        headers_within: float = HEADERS_WITHIN,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = StreamStats()
        self._daemon = daemon
        self._on_event = on_event
        self._on_dead = on_dead
        self._stale_after = stale_after
        self._streams = streams
        self._headers_within = headers_within
        self._clock = clock
        self._reconnection = Reconnection("signal", self.stats, give_up_after, clock, sleep)
        self._subscriptions: set[Subscription] = set()
        self._replacing = asyncio.Lock()
        self._runner: asyncio.Task[None] | None = None

    async def open(self, timeout: float = HEADERS_WITHIN) -> None:
        """Return when the first subscription stands; raises `Fatal` or `ConnectionLost`, then nothing is left open."""
        if self._subscriptions:
            raise RuntimeError("the stream is open already")
        self._reconnection.pace.book()
        first = self._subscribe()
        try:
            await first.stand(timeout)
        except BaseException:
            await self._drop(first)
            raise
        self._runner = asyncio.create_task(self._run(first))

    async def close(self) -> None:
        """Stop listening at once. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait({runner})
        await self._drop(*self._subscriptions)

    async def _run(self, first: Subscription) -> None:
        try:
            async with asyncio.TaskGroup() as lines:
                lines.create_task(self._keep(first))
                for _ in range(1, self._streams):
                    lines.create_task(self._keep(None))
        except ExceptionGroup as ended:
            reason = ended.exceptions[0]
        finally:
            await self._drop(*self._subscriptions)
        self._on_dead(self._reconnection.epitaph(reason))

    async def _keep(self, first: Subscription | None) -> NoReturn:
        """Keep one subscription standing; raises what ends the whole stream."""
        standing = first or await self._connect(_at_once())
        delays = backoff()
        while True:
            if await self._falls_silent(standing):
                delays = backoff()
                # Two streams hear the same and fall silent together: one goes on listening until the other stands.
                async with self._replacing:
                    successor = await self._replace(standing) or await self._connect(delays)
            else:
                delays = _at_once() if standing.proved else delays
                await self._drop(standing)
                self._reconnection.judge(standing.failure)
                successor = await self._connect(delays)
            if successor is not standing:
                self.stats.reconnects += 1
            standing = successor

    async def _falls_silent(self, standing: Subscription) -> bool:
        """Wait until it ends (False) or has been silent for too long (True)."""
        while not await standing.ends_within(self._stale_after - standing.silent_for()):
            if standing.silent_for() >= self._stale_after:
                return True
        return False

    async def _replace(self, silent: Subscription) -> Subscription | None:
        """Put a new subscription in the place of a silent one, which ends only when the new one stands.

        With two streams the old one ends first: the other still listens. None when the daemon is unwell.
        """
        healthy = await self._daemon.check()
        if self._is_alive(silent):
            return silent
        self.stats.stale += 1
        logger.warning(
            "no byte from signal-cli for %.0f s, its check %s", self._stale_after, "passes" if healthy else "fails"
        )
        if not healthy or self._streams > 1:
            await self._drop(silent)
        if not healthy:
            return None
        new = await self._attempt(0.0)
        if new is None and self._is_alive(silent):
            return silent
        await self._drop(silent)
        return new

    async def _connect(self, delays: Iterator[float]) -> Subscription:
        while True:
            if (new := await self._attempt(next(delays))) is not None:
                return new

    async def _attempt(self, delay: float) -> Subscription | None:
        """A new subscription that stands, or None when another attempt may be better."""
        await self._reconnection.wait(delay)
        new = self._subscribe()
        try:
            await new.stand(self._headers_within)
        except Exception as exc:
            await self._drop(new)
            self._reconnection.judge(exc)
            return None
        return new

    def _is_alive(self, subscription: Subscription) -> bool:
        return not subscription.ended and subscription.silent_for() < self._stale_after

    def _subscribe(self) -> Subscription:
        subscription = Subscription(self._daemon, self._on_event, self.stats, self._clock)
        self._subscriptions.add(subscription)
        return subscription

    async def _drop(self, *subscriptions: Subscription) -> None:
        for subscription in subscriptions:
            await subscription.close()
            self._subscriptions.discard(subscription)
