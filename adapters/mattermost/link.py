"""One WebSocket to Mattermost, and the supervised stream of its events.

The server keeps a client's last 128 events for some minutes. A new socket that names the connection id and the next
`seq` gets the missed ones. If that fails, for example after a restart of the server, events are lost, and the consumer
must catch up over REST.

With a bad token, the server upgrades nevertheless and cuts the socket after some seconds. With a revoked token, it
leaves the socket open. So only the `hello`, and later the replies to our pings, prove the token.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn

import aiohttp
from yarl import URL

from ...common.core.errors import ConnectionLost, Fatal, HardenedError, Retryable, Unanswered
from ...common.stream.link import Clock, Link
from ...common.stream.stats import StreamStats
from ...common.stream.supervisor import Supervisor
from .rest.client import MattermostClient
from .rest.failures import bot_disabled, transport_failure, upgrade_refused
from .sequence import Frame, Place, Sequence, frame_of

_PING_SECONDS = 30.0
_REPLY_SECONDS = 10.0
_UPGRADE_SECONDS = 10.0
_IDENTITY_SECONDS = 10.0
_CLOSE_SECONDS = 0.3
_FRAME_BYTES = 8 * 2**20


def supervised_stream(
    client: MattermostClient,
    on_frame: Callable[[Frame], None],
    on_gap: Callable[[], None],
    on_dead: Callable[[HardenedError], None],
    *,
    ping_every: float = _PING_SECONDS,
    reply_within: float = _REPLY_SECONDS,
    give_up_after: float = 60.0,
    clock: Clock = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Supervisor:
    """Return the stream of a bot's events, not yet open. `on_frame` gets each event once, in the order of `seq`.

    `on_gap` is called when a new socket is open and earlier events were lost, before the frames that follow the gap.
    """
    sequence = Sequence()

    def connect(stats: StreamStats, clock: Clock) -> Socket:
        return Socket(
            client, sequence, on_frame, on_gap, stats, clock, ping_every=ping_every, reply_within=reply_within
        )

    return Supervisor("mattermost", connect, on_dead, give_up_after=give_up_after, clock=clock, sleep=sleep)


class Doubtful(ConnectionLost):
    """A socket ended in a way that may be due to a bad token."""


class Socket(Link):
    """One WebSocket. Open once `hello` arrives; a resumed one is also confirmed by its next event or first ping reply.

    A ping without a reply within `reply_within` seconds ends it. Silence does not: an idle server sends nothing.
    """

    def __init__(
        self,
        client: MattermostClient,
        sequence: Sequence,
        on_frame: Callable[[Frame], None],
        on_gap: Callable[[], None],
        stats: StreamStats,
        clock: Clock,
        *,
        ping_every: float,
        reply_within: float,
    ) -> None:
        self._client = client
        self._sequence = sequence
        self._on_frame = on_frame
        self._on_gap = on_gap
        self._ping_every = ping_every
        self._reply_within = reply_within
        self._where = client.base_url
        # Empty for a first connection. A resumed socket gets no `hello`.
        self._resume = sequence.resume_query()
        self._replies: dict[int, asyncio.Future[str]] = {}
        super().__init__(
            stats, clock, unanswered=f"{self._where} opens no WebSocket with a `hello`: restart Mattermost or its proxy"
        )

    # -- from the upgrade to the end

    async def _listen(self) -> NoReturn:
        try:
            await self._converse(await self._upgrade())
        except Doubtful as doubtful:
            failure = await self._explain(doubtful)
        raise failure

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket))
                tasks.create_task(self._ping(socket))
        except ExceptionGroup as ended:
            failure = ended.exceptions[0]
        finally:
            # Reported before closing the socket and asking over REST, which both take time.
            self._mark_closed()
            with suppress(TimeoutError, aiohttp.ClientError):
                await asyncio.wait_for(socket.close(), _CLOSE_SECONDS)
        raise failure

    async def _upgrade(self) -> aiohttp.ClientWebSocketResponse:
        url = URL(f"{self._where}/api/v4/websocket").with_query(self._resume)
        try:
            async with asyncio.timeout(_UPGRADE_SECONDS):
                return await self._client.session.ws_connect(
                    url, headers=self._client.headers(), max_msg_size=_FRAME_BYTES
                )
        except aiohttp.WSServerHandshakeError as refused:
            failure = upgrade_refused(refused.status, self._where)
            if refused.status == 401:
                failure = Doubtful(f"{self._where} answers 401 to the WebSocket")
        except (aiohttp.ClientError, TimeoutError) as exc:
            failure = transport_failure(exc, self._where)
            if isinstance(failure, Unanswered):
                failure = ConnectionLost(str(failure))
        # Outside the handler, so that it is no context: the exception holds the request's headers with the token.
        raise failure

    async def _explain(self, doubtful: Doubtful) -> HardenedError:
        """Return the reason why a socket ended, after asking for our own user over REST."""
        try:
            async with asyncio.timeout(_IDENTITY_SECONDS):
                me = await self._client.me()
        except Fatal as exc:
            return exc
        except Retryable as exc:
            return ConnectionLost(str(exc))
        except TimeoutError:
            return doubtful
        return bot_disabled() if me.get("delete_at") else doubtful

    # -- reading

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        while True:
            message = await socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                case aiohttp.WSMsgType.BINARY:
                    # The server sends text only.
                    self._stats.skipped += 1
                case _:
                    raise self._end(socket, message.data)

    def _end(self, socket: aiohttp.ClientWebSocketResponse, cause: object) -> HardenedError:
        if isinstance(cause, aiohttp.WebSocketError):
            # A resume would get the same frame again.
            self._sequence.forget()
            return ConnectionLost(f"{self._where} sent a frame that is too large or broken (code {cause.code})")
        if self._opened_at is None:
            # The token is bad, or a proxy dropped the header. `_explain` finds out.
            return Doubtful(
                f"{self._where} closed the WebSocket before any event: let the proxy pass on the Authorization header"
            )
        return ConnectionLost(f"{self._where} closed the WebSocket (code {socket.close_code})")

    def _take(self, text: str) -> None:
        self._mark_alive()
        frame = frame_of(text)
        if frame is None:
            self._stats.skipped += 1
            return
        if frame.seq_reply is not None:
            self._take_reply(frame.seq_reply, frame.status)
            return
        match self._sequence.place(frame):
            case Place.OLD:
                self._stats.duplicates += 1
                return
            case Place.AHEAD:
                # A new socket resumes at the missing event, if the server still has it.
                raise ConnectionLost(f"event {self._sequence.expected} is missing")
            case Place.FIRST:
                # A new connection id: the server has dropped the events after our last one. Before the first socket,
                # none were lost here; posts missed since the last run are fetched after opening.
                lost = self._stats.connects > 0
                self._mark_open()
                if lost:
                    self._report_gap()
            case Place.NEXT:
                self.received = True
                if self._resuming:
                    self._stats.resumed += 1
                    self._mark_open()
        self._deliver(self._on_frame, frame)

    @property
    def _resuming(self) -> bool:
        return bool(self._resume) and self._opened_at is None

    def _report_gap(self) -> None:
        self._stats.gaps += 1
        self._call(self._on_gap)

    # -- pings

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        # The first ping goes out at once: on a quiet server, only its reply confirms a resumed socket.
        numbers = itertools.count(1)
        while True:
            number = next(numbers)
            reply = self._replies[number] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._reply_within):
                    await socket.send_str(json.dumps({"action": "ping", "seq": number}))
                    status = await reply
            except (aiohttp.ClientError, ConnectionError):
                raise ConnectionLost(f"the WebSocket to {self._where} broke") from None
            except TimeoutError:
                raise ConnectionLost(f"{self._where} does not answer a ping") from None
            if status != "OK":
                # The text of the server's reply contains the token.
                raise Doubtful(f"{self._where} refuses a ping")
            del self._replies[number]
            await asyncio.sleep(self._ping_every)

    def _take_reply(self, number: int, status: str) -> None:
        if status == "OK" and self._resuming:
            self._stats.resumed += 1
            self._mark_open()
            # The resume went through without the missing event, so the server no longer has it.
            if self._sequence.hole is not None:
                self._report_gap()
        if (reply := self._replies.get(number)) is not None and not reply.done():
            reply.set_result(status)
