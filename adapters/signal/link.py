"""One subscription to signal-cli's events, and the supervised stream of subscriptions.

signal-cli replays nothing: events that arrive while no subscription is open are lost. It sends every event to every
subscription, so overlapping subscriptions lose nothing, but the consumer must drop duplicates.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NoReturn
from urllib.parse import quote

from ...common.core.errors import ConnectionLost, HardenedError
from ...common.stream.link import Clock, Link
from ...common.stream.stats import StreamStats
from ...common.stream.supervisor import OPEN_WITHIN, Supervisor
from .client import SignalClient
from .failures import http_failure, unreachable
from .sse import EventParser, EventStream, NotAnEventStream


def supervised_stream(
    client: SignalClient,
    on_event: Callable[[bytes], None],
    on_dead: Callable[[HardenedError], None],
    *,
    stale_after: float = 60.0,
    streams: int = 1,
    give_up_after: float = 30.0,
    open_within: float = OPEN_WITHIN,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Supervisor:
    """Return the stream of an account's events, not yet open. `on_event` gets the raw data of each event."""

    def subscribe(stats: StreamStats, clock: Clock) -> Subscription:
        return Subscription(client, on_event, stats, clock)

    return Supervisor(
        "signal",
        subscribe,
        on_dead,
        give_up_after=give_up_after,
        streams=streams,
        stale_after=stale_after,
        check=client.check,
        open_within=open_within,
        clock=clock,
        sleep=sleep,
    )


class Subscription(Link):
    """One GET of /events. Open once the response headers arrive; every byte, keepalives included, shows that it lives.

    Before signal-cli 0.14.4 the headers come with the first event or keepalive, up to 15 s after the request.
    """

    def __init__(
        self, client: SignalClient, on_event: Callable[[bytes], None], stats: StreamStats, clock: Clock
    ) -> None:
        self._client = client
        self._on_event = on_event
        self._skipped = 0
        super().__init__(
            stats,
            clock,
            # Observed: a client that stops reading blocks signal-cli's receiver for all clients, while RPC still works.
            unanswered=f"{client.base_url} accepts the request but does not answer it: restart signal-cli, or look for "
            "another client that has stopped reading",
        )

    async def _listen(self) -> NoReturn:
        stream = await self._connect()
        self._mark_open()
        try:
            async for event in stream:
                self._deliver(self._on_event, event.raw)
        finally:
            self._mark_closed()
            await stream.close()
        raise ConnectionLost("signal-cli ended the event stream")

    async def _connect(self) -> EventStream:
        # A raw plus sign would be decoded as a space. Without the parameter, a daemon sends the events of all accounts.
        where, account = self._client.base_url, quote(self._client.account, safe="")
        while True:
            headers = self._client.headers()
            stream = EventStream(
                f"{where}/api/v1/events?account={account}",
                self._client.session,
                headers=headers,
                on_bytes=self._take_bytes,
            )
            try:
                await stream.connect()
            except NotAnEventStream as answer:
                # With two streams, the other one may have set the Host header since this request.
                if answer.status == 421 and (self._client.pin_host() or self._client.headers() != headers):
                    continue
                raise http_failure(answer.status, where) from None
            except ConnectionLost as lost:
                raise ConnectionLost(unreachable(f"{lost} at {where}")) from None
            return stream

    def _take_bytes(self, parser: EventParser) -> None:
        self.received = True
        self._mark_alive()
        self._stats.skipped += parser.skipped - self._skipped
        self._skipped = parser.skipped
