"""One WebSocket to Mattermost: what it asks for, what the answers mean, when it is alive.

A server that does not accept the token upgrades all the same and cuts the socket some seconds later; one that has
revoked it leaves the socket open. So what proves the token is the `hello`, and later the answers to our pings.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import aiohttp
from yarl import URL

from ...common.core.errors import ConnectionLost, Fatal, HardenedError, Retryable, Unanswered
from .rest.failures import transport_failure, upgrade_refused
from .sequence import Frame, Place, Sequence, frame_of

logger = logging.getLogger(__name__)

PROVED_AFTER = 5.0
"""Seconds after which a socket that delivered nothing but its `hello` counts as one that works."""
_UPGRADE_SECONDS = 10.0
_IDENTITY_SECONDS = 10.0
_CLOSE_SECONDS = 0.3
_FRAME_BYTES = 8 * 2**20


class Server(Protocol):
    """The server as its client knows it."""

    base_url: str

    @property
    def session(self) -> aiohttp.ClientSession: ...

    def headers(self) -> dict[str, str]: ...

    async def me(self) -> dict[str, Any]: ...


@dataclass
class StreamStats:
    """What the stream lived through so far; times in seconds of its clock."""

    last_byte: float | None = None
    last_event: float | None = None
    deaf_since: float | None = None
    """When the last standing socket was lost, None while one stands."""
    connects: int = 0
    """Sockets that stood."""
    reconnects: int = 0
    """Those of them that took the place of a lost one."""
    resumed: int = 0
    """Those of them that went on where the lost one ended."""
    gaps: int = 0
    """How often events were lost."""
    frames: int = 0
    """Events handed on."""
    duplicates: int = 0
    skipped: int = 0
    """Frames that are none, and events refused by the handler."""
    unreadable: int = 0
    """Sockets that ended with a frame too large or broken."""
    pings: int = 0


class Doubtful(ConnectionLost):
    """A socket ended so that our token may be the reason."""


class Socket:
    """One connection, read by its own task from the moment it is made until it ends or `close`.

    It stands with the `hello`; when it asked to be resumed, also with the next event, or with an answer to its first
    ping and no `hello` before. `on_gap` is called when it stands and events before it are lost.
    """

    def __init__(
        self,
        server: Server,
        sequence: Sequence,
        on_frame: Callable[[Frame], None],
        on_gap: Callable[[], None],
        stats: StreamStats,
        *,
        clock: Callable[[], float],
        ping_every: float,
        reply_within: float,
    ) -> None:
        self.failure: Exception = ConnectionLost("the WebSocket was closed")
        """Why it ended."""
        self._server = server
        self._sequence = sequence
        self._on_frame = on_frame
        self._on_gap = on_gap
        self._stats = stats
        self._clock = clock
        self._ping_every = ping_every
        self._reply_within = reply_within
        self._where = server.base_url
        self._resume = sequence.resume_query()
        self._stood_at: float | None = None
        self._heard = False
        self._replies: dict[int, asyncio.Future[str]] = {}
        self._decided: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    @property
    def proved(self) -> bool:
        """Whether it delivered an event or stood for some seconds."""
        if self._stood_at is None:
            return False
        return self._heard or self._clock() - self._stood_at >= PROVED_AFTER

    async def stand(self, timeout: float) -> None:
        """Wait until it stands; raises what came instead, `ConnectionLost` when nothing did."""
        await asyncio.wait({self._decided}, timeout=timeout)
        if not self._decided.done():
            raise ConnectionLost(f"{self._where} opens no WebSocket with a `hello`: restart Mattermost or its proxy")
        if self._stood_at is None:
            raise self.failure

    async def ended(self) -> None:
        await asyncio.wait({self._task})

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    # -- from the upgrade to the end

    async def _run(self) -> None:
        try:
            await self._listen()
        except Exception as exc:
            self.failure = await self._explained(exc) if isinstance(exc, Doubtful) else exc
        finally:
            if not self._decided.done():
                self._decided.set_result(None)

    async def _listen(self) -> None:
        socket = await self._upgrade()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(socket))
                tasks.create_task(self._ping(socket))
        except ExceptionGroup as ended:
            failure = ended.exceptions[0]
        finally:
            if self._stood_at is not None:
                self._stats.deaf_since = self._clock()
            with suppress(TimeoutError, aiohttp.ClientError):
                await asyncio.wait_for(socket.close(), _CLOSE_SECONDS)
        raise failure

    async def _upgrade(self) -> aiohttp.ClientWebSocketResponse:
        url = URL(f"{self._server.base_url}/api/v4/websocket").with_query(self._resume)
        try:
            async with asyncio.timeout(_UPGRADE_SECONDS):
                return await self._server.session.ws_connect(
                    url, headers=self._server.headers(), max_msg_size=_FRAME_BYTES
                )
        except aiohttp.WSServerHandshakeError as refused:
            failure = upgrade_refused(refused.status, self._where)
            if refused.status == 401:
                failure = Doubtful(f"{self._where} answers 401 to the WebSocket")
        except (aiohttp.ClientError, TimeoutError) as exc:
            failure = transport_failure(exc, self._where)
            if isinstance(failure, Unanswered):
                failure = ConnectionLost(str(failure))
        # Outside the handler: the exception holds the request's headers.
        raise failure

    async def _explained(self, doubtful: Doubtful) -> Exception:
        """Why it ended, by asking over REST who we are."""
        try:
            async with asyncio.timeout(_IDENTITY_SECONDS):
                me = await self._server.me()
        except Fatal as exc:
            return exc
        except Retryable as exc:
            return ConnectionLost(str(exc))
        except TimeoutError:
            return doubtful
        if me.get("delete_at"):
            return Fatal("mattermost_bot_disabled", "the bot is disabled: enable it in Mattermost's System Console")
        return doubtful

    # -- reading

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        while True:
            message = await socket.receive()
            match message.type:
                case aiohttp.WSMsgType.TEXT:
                    self._take(message.data)
                case aiohttp.WSMsgType.BINARY:
                    self._stats.skipped += 1
                case _:
                    raise self._end(socket, message.data)

    def _end(self, socket: aiohttp.ClientWebSocketResponse, cause: object) -> HardenedError:
        if isinstance(cause, aiohttp.WebSocketError):
            # A resume would bring the same frame again.
            self._sequence.forget()
            self._stats.unreadable += 1
            return ConnectionLost(f"{self._where} sent a frame that is too large or broken (code {cause.code})")
        if self._stood_at is None:
            return Doubtful(f"{self._where} closed the WebSocket before any event: let the proxy pass Authorization on")
        return ConnectionLost(f"{self._where} closed the WebSocket (code {socket.close_code})")

    def _take(self, text: str) -> None:
        self._stats.last_byte = self._clock()
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
                raise ConnectionLost(f"event {self._sequence.expected} did not come")
            case Place.FIRST:
                self._stand(lost=self._stats.connects > 0)
            case Place.NEXT:
                self._heard = True
                if self._resume and self._stood_at is None:
                    self._stats.resumed += 1
                    self._stand(lost=False)
        self._hand_on(frame)

    def _stand(self, *, lost: bool) -> None:
        self._stats.connects += 1
        self._stats.deaf_since = None
        self._stood_at = self._clock()
        if not self._decided.done():
            self._decided.set_result(None)
        if lost:
            self._stats.gaps += 1
            self._call(self._on_gap)

    def _hand_on(self, frame: Frame) -> None:
        self._stats.frames += 1
        self._stats.last_event = self._clock()
        self._call(self._on_frame, frame)

    def _call(self, handler: Callable[..., None], *arguments: Frame) -> None:
        try:
            handler(*arguments)
        except Exception as exc:
            # Its text may quote the message.
            self._stats.skipped += 1
            logger.error("an event was not taken in: %s", type(exc).__name__)

    # -- pings

    async def _ping(self, socket: aiohttp.ClientWebSocketResponse) -> NoReturn:
        numbers = itertools.count(1)
        while True:
            number = next(numbers)
            reply = self._replies[number] = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(self._reply_within):
                    await socket.send_str(json.dumps({"action": "ping", "seq": number}))
                    self._stats.pings += 1
                    status = await reply
            except (aiohttp.ClientError, ConnectionError):
                raise ConnectionLost(f"the WebSocket to {self._where} broke") from None
            except TimeoutError:
                raise ConnectionLost(f"{self._where} does not answer a ping") from None
            if status != "OK":
                # The reply's own words contain the token.
                raise Doubtful(f"{self._where} refuses a ping")
            del self._replies[number]
            await asyncio.sleep(self._ping_every)

    def _take_reply(self, number: int, status: str) -> None:
        if status == "OK" and self._resume and self._stood_at is None:
            self._stats.resumed += 1
            self._stand(lost=self._sequence.hole is not None)
        if (reply := self._replies.get(number)) is not None and not reply.done():
            reply.set_result(status)
