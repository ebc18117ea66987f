"""One subscription to signal-cli's events: what it asks for, what the answers mean, when it is alive."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

import aiohttp

from ...common.core.errors import ConnectionLost, Fatal, HardenedError
from ...common.settings.config import without_user
from .sse import EventParser, EventStream, Refused

logger = logging.getLogger(__name__)

PROVED_AFTER = 5.0
"""Seconds after which a subscription without a byte counts as one that works."""


class Daemon(Protocol):
    """The daemon as its client knows it."""

    base_url: str
    account: str

    @property
    def session(self) -> aiohttp.ClientSession: ...

    def headers(self) -> dict[str, str]: ...

    def pin_host(self) -> bool: ...

    async def check(self) -> bool: ...


@dataclass
class StreamStats:
    """What the stream lived through so far; times in seconds of its clock."""

    last_byte: float | None = None
    last_event: float | None = None
    deaf_since: float | None = None
    """When the last standing subscription was lost, None while one stands."""
    connects: int = 0
    """Subscriptions that stood."""
    reconnects: int = 0
    """Those of them that took the place of a lost or silent one."""
    stale: int = 0
    events: int = 0
    skipped: int = 0
    """Events too large to be held, or refused by the handler."""
    open: int = 0


def verdict(refused: Refused, where: str) -> HardenedError:
    """What a response that is no event stream means, and what to do about it."""
    match refused.status:
        case 400:
            return Fatal(
                "signal_unknown_account",
                "signal-cli does not have this account: link or register it there, or correct SIGNAL_ACCOUNT",
            )
        case 401 | 403 | 407:
            return Fatal(
                "signal_unauthorized",
                f"{where} answers {refused.status}: let this bot pass the proxy in front of signal-cli",
            )
        case 421:
            return Fatal(
                "signal_host_pinned",
                "the daemon refuses this host name: bind it to 0.0.0.0, or use the address and port it is bound to",
            )
        case 408 | 425 | 429:
            return ConnectionLost(f"{where} asks for patience (status {refused.status})")
        case status if status >= 500:
            return ConnectionLost(
                f"{where} answers {status}: look into the log of signal-cli or of the proxy before it"
            )
        case status if 300 <= status < 400:
            return Fatal(
                "signal_redirected",
                f"{where} redirects elsewhere: set SIGNAL_HTTP_URL to the final address",
                heals=False,
            )
        case status if status < 300 or status == 404:
            return Fatal(
                "signal_other_api",
                f"{where} answers {status} without events; this looks like another API, e.g. bbernhard's "
                "signal-cli-rest-api: run `signal-cli daemon --http` and set SIGNAL_HTTP_URL to it",
                heals=False,
            )
    return Fatal(
        "signal_refused", f"{where} refuses the event stream with status {refused.status}: check SIGNAL_HTTP_URL"
    )


class Subscription:
    """One GET of /events, read by its own task from the moment it is made until it ends or `close`."""

    def __init__(
        self, daemon: Daemon, on_event: Callable[[bytes], None], stats: StreamStats, clock: Callable[[], float]
    ) -> None:
        self.failure: Exception = ConnectionLost("the event stream was closed")
        """Why it ended."""
        self._daemon = daemon
        self._on_event = on_event
        self._stats = stats
        self._clock = clock
        self._where = without_user(daemon.base_url)
        self._stood_at: float | None = None
        self._alive_at: float | None = None
        self._heard = False
        self._skipped = 0
        self._decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    @property
    def ended(self) -> bool:
        return self._task.done()

    @property
    def heard(self) -> bool:
        """Whether anything arrived, a keepalive at least."""
        return self._heard

    @property
    def proved(self) -> bool:
        """Whether it delivered a byte or stood for some seconds."""
        if self._stood_at is None:
            return False
        return self._heard or self._clock() - self._stood_at >= PROVED_AFTER

    def silent_for(self) -> float:
        """Seconds since the last byte, or since the headers; 0 as long as it does not stand."""
        return 0.0 if self._alive_at is None else self._clock() - self._alive_at

    async def stand(self, timeout: float) -> None:
        """Wait for the response headers; raises what came instead, `ConnectionLost` when nothing did."""
        await asyncio.wait({self._decided}, timeout=timeout)
        if not self._decided.done():
            raise ConnectionLost(
                f"{self._where} takes the request but does not answer it: restart signal-cli, or look for another "
                "client of it that has stopped reading"
            )
        if self._stood_at is None:
            raise self.failure

    async def ends_within(self, seconds: float) -> bool:
        await asyncio.wait({self._task}, timeout=max(seconds, 0))
        return self._task.done()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            await self._listen()
        except Exception as exc:
            self.failure = exc
        finally:
            if not self._decided.done():
                self._decided.set_result(None)

    async def _listen(self) -> None:
        stream = await self._connect()
        self._stats.open += 1
        self._stats.connects += 1
        self._stats.deaf_since = None
        self._stood_at = self._alive_at = self._stats.last_byte = self._clock()
        self._decided.set_result(None)
        try:
            async for event in stream:
                self._deliver(event.raw)
        finally:
            self._stats.open -= 1
            if not self._stats.open:
                self._stats.deaf_since = self._clock()
            await stream.close()
        raise ConnectionLost("signal-cli ended the event stream")

    async def _connect(self) -> EventStream:
        while True:
            headers = self._daemon.headers()
            stream = EventStream(
                f"{self._daemon.base_url}/api/v1/events?account={quote(self._daemon.account, safe='')}",
                self._daemon.session,
                headers=headers,
                on_bytes=self._hear,
            )
            try:
                await stream.connect()
            except Refused as refused:
                # Another subscription may have pinned the host since our request.
                if refused.status == 421 and (self._daemon.pin_host() or self._daemon.headers() != headers):
                    continue
                raise verdict(refused, self._where) from None
            except ConnectionLost as lost:
                raise ConnectionLost(
                    f"{lost} at {self._where}: start `signal-cli daemon --http` or correct SIGNAL_HTTP_URL"
                ) from None
            return stream

    def _hear(self, parser: EventParser) -> None:
        self._heard = True
        self._alive_at = self._stats.last_byte = self._clock()
        self._stats.skipped += parser.skipped - self._skipped
        self._skipped = parser.skipped

    def _deliver(self, data: bytes) -> None:
        self._stats.events += 1
        self._stats.last_event = self._clock()
        try:
            self._on_event(data)
        except Exception as exc:
            # Its text may quote the message.
            self._stats.skipped += 1
            logger.error("an event was not taken in: %s", type(exc).__name__)
