"""Keeps a stream of events connected: opens, watches and replaces links, and gives up in the end."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from itertools import chain
from typing import NoReturn

from ..core.backoff import backoff
from ..core.errors import HardenedError
from .link import Clock, Link
from .reconnect import Reconnection
from .stats import StreamStats

logger = logging.getLogger(__name__)

OPEN_WITHIN = 20.0
"""Seconds for a link to open: signal-cli before 0.14.4 sends headers only with its first keepalive, after 15 s."""


class Supervisor:
    """Keeps `streams` links open, from `open` until `close` or `on_dead`.

    `connect` makes a new link with the supervisor's stats and clock. With `stale_after`, a link without a byte for that
    many seconds is replaced; if `check` finds the peer healthy, the new link opens before the old one closes, so that
    no event is lost of a peer that sends each event to every link. `on_dead` is called once, after everything is
    closed: with Fatal when the peer refuses us, with ConnectionLost when no link has been open for `give_up_after`
    seconds (after the attempt in progress).
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[StreamStats, Clock], Link],
        on_dead: Callable[[HardenedError], None],
        *,
        give_up_after: float,
        streams: int = 1,
        stale_after: float | None = None,
        check: Callable[[], Awaitable[bool]] | None = None,
        open_within: float = OPEN_WITHIN,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = StreamStats()
        self._name = name
        self._connect = connect
        self._on_dead = on_dead
        self._streams = streams
        self._stale_after = stale_after
        self._check = check
        self._open_within = open_within
        self._clock = clock
        self._reconnection = Reconnection(name, self.stats, give_up_after, clock, sleep)
        self._links: set[Link] = set()
        self._replacing = asyncio.Lock()
        self._runner: asyncio.Task[None] | None = None

    async def open(self, timeout: float = OPEN_WITHIN) -> None:
        """Return when the first link is open. Raises Fatal or ConnectionLost, and then leaves nothing open."""
        if self._links:
            raise RuntimeError("the stream is open already")
        # The first attempt counts towards the limit as well.
        self._reconnection.rate_limit.reserve()
        first = self._new_link()
        try:
            await first.wait_open(timeout)
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
        await self._drop(*self._links)

    async def _run(self, first: Link) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep(first))
                for _ in range(1, self._streams):
                    tasks.create_task(self._keep(None))
        except ExceptionGroup as ended:
            # `_keep` never returns. The first one to fail ends the others, so its reason is the stream's.
            reason = ended.exceptions[0]
        finally:
            await self._drop(*self._links)
        self._on_dead(self._reconnection.final_error(reason))

    async def _keep(self, first: Link | None) -> NoReturn:
        """Keep one link open; raise the error that ends the whole stream."""
        link = first or await self._reconnect(_at_once())
        delays = backoff()
        while True:
            if await self._falls_silent(link):
                delays = backoff()
                # Two links get the same bytes and fall silent together: one stays until the other has been replaced.
                async with self._replacing:
                    successor = await self._replace(link) or await self._reconnect(delays)
            else:
                # The back-off restarts only after a link that worked: a peer that drops every link must not be stormed.
                delays = _at_once() if link.proved else delays
                await self._drop(link)
                self._reconnection.raise_if_fatal(link.failure)
                successor = await self._reconnect(delays)
            if successor is not link:
                self.stats.reconnects += 1
            link = successor

    async def _falls_silent(self, link: Link) -> bool:
        """Wait until the link ends (False) or has been silent for `stale_after` seconds (True)."""
        if self._stale_after is None:
            await link.ends_within(None)
            return False
        while not await link.ends_within(self._stale_after - link.silent_for()):
            if link.silent_for() >= self._stale_after:
                return True
        return False

    async def _replace(self, silent: Link) -> Link | None:
        """Return an open link in place of a silent one; None if another attempt has to back off first.

        The silent link is closed once its successor is open, or earlier if a second link listens. If bytes arrive on it
        meanwhile, it stays open and is returned.
        """
        healthy = self._check is None or await self._check()
        # The check took its time, in which a byte may have arrived.
        if self._is_alive(silent):
            return silent
        self.stats.stale += 1
        logger.warning(
            "%s sent no data for %.0f s, its health check %s",
            self._name,
            self._stale_after,
            "passes" if healthy else "fails",
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

    async def _reconnect(self, delays: Iterator[float]) -> Link:
        while True:
            if (new := await self._attempt(next(delays))) is not None:
                return new

    async def _attempt(self, delay: float) -> Link | None:
        """Return a new open link, or None if the attempt failed and another one may succeed."""
        await self._reconnection.wait(delay)
        new = self._new_link()
        try:
            await new.wait_open(self._open_within)
        except Exception as exc:
            await self._drop(new)
            self._reconnection.raise_if_fatal(exc)
            return None
        return new

    def _is_alive(self, link: Link) -> bool:
        return not link.ended and (self._stale_after is None or link.silent_for() < self._stale_after)

    def _new_link(self) -> Link:
        link = self._connect(self.stats, self._clock)
        self._links.add(link)
        return link

    async def _drop(self, *links: Link) -> None:
        for link in links:
            await link.close()
            self._links.discard(link)


def _at_once() -> Iterator[float]:
    """Yield the delays after a link that worked: the first attempt is made at once."""
    return chain((0.0,), backoff())
