"""The supervised stream of Mattermost's events.

The server keeps a client's last 128 events for some minutes; a new socket that names the connection id and the next
`seq` gets those it missed. When that fails, after a restart of the server for instance, events are lost and whoever
takes them must catch up over REST.
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
from .link import Server, Socket, StreamStats
from .sequence import Frame, Sequence

logger = logging.getLogger(__name__)

_HELLO_SECONDS = 20.0
_REPLY_SECONDS = 10.0


class MattermostStream:
    """Keeps one WebSocket standing, from `open` until `close` or `on_dead`.

    `on_frame` gets each event, synchronously, in order and once for each `seq`. `on_gap` is called when a
    new socket stands and events were lost before it, first the gap, then the frames that follow it. `on_dead` is
    called once, after everything is closed: with `Fatal` when the server refuses us, with `ConnectionLost` when
    nothing has stood for `give_up_after` seconds. `sleep` is what back-off waits with.
    """

    def __init__(
        self,
        client: Server,
        on_frame: Callable[[Frame], None],
        on_gap: Callable[[], None],
        on_dead: Callable[[HardenedError], None],
        *,
        ping_every: float = 30.0,
        reply_within: float = _REPLY_SECONDS,
        give_up_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.stats = StreamStats()
        self._client = client
        self._on_frame = on_frame
        self._on_gap = on_gap
        self._on_dead = on_dead
        self._ping_every = ping_every
        self._reply_within = reply_within
        self._clock = clock
        self._reconnection = Reconnection("mattermost", self.stats, give_up_after, clock, sleep)
        self._sequence = Sequence()
        self._socket: Socket | None = None
        self._runner: asyncio.Task[None] | None = None

    async def open(self, timeout: float = _HELLO_SECONDS) -> None:
        """Return at the server's `hello`; raises `Fatal` or `ConnectionLost`, then nothing is left open."""
        if self._socket is not None:
            raise RuntimeError("the stream is open already")
        self._reconnection.pace.book()
        first = self._connect()
        try:
            await first.stand(timeout)
        except BaseException:
            await self._drop()
            raise
        self._runner = asyncio.create_task(self._run(first))

    async def close(self) -> None:
        """Stop listening at once. Idempotent."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.cancel()
            await asyncio.wait({runner})
        await self._drop()

    async def _run(self, first: Socket) -> None:
        try:
            await self._keep(first)
        except Exception as exc:
            reason = exc
        finally:
            await self._drop()
        self._on_dead(self._reconnection.epitaph(reason))

    async def _keep(self, standing: Socket) -> NoReturn:
        """Keep one socket standing; raises what ends the whole stream."""
        delays = backoff()
        while True:
            await standing.ended()
            # After one that had proved itself, the first attempt is made at once.
            delays = chain((0.0,), backoff()) if standing.proved else delays
            await self._drop()
            self._reconnection.judge(standing.failure)
            standing = await self._reconnect(delays)
            self.stats.reconnects += 1

    async def _reconnect(self, delays: Iterator[float]) -> Socket:
        while True:
            await self._reconnection.wait(next(delays))
            new = self._connect()
            try:
                await new.stand(_HELLO_SECONDS)
            except Exception as exc:
                await self._drop()
                self._reconnection.judge(exc)
            else:
                return new

    def _connect(self) -> Socket:
        self._socket = Socket(
            self._client,
            self._sequence,
            self._on_frame,
            self._on_gap,
            self.stats,
            clock=self._clock,
            ping_every=self._ping_every,
            reply_within=self._reply_within,
        )
        return self._socket

    async def _drop(self) -> None:
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
