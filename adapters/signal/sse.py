"""Server-sent events over aiohttp-sse-client, without the library's parser and reconnects.

The library supplies the request, its headers and its states. Standard:
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp_sse_client.client import CONTENT_TYPE_EVENT_STREAM, EventSource
from multidict import CIMultiDict

from ...common.core.errors import ConnectionLost, HardenedError

EVENT_CAP = 64 * 2**20
"""Maximum size of one event in bytes; larger events are skipped. A text of 200 KB is one event of signal-cli."""

CONNECT_WITHIN = 10.0
"""Seconds for the TCP (and TLS) handshake, the only limit set here."""

_BOM = b"\xef\xbb\xbf"
_LF, _CR = b"\n\r"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""SO_LINGER on, with no time to linger: closing sends RST instead of FIN."""


class NotAnEventStream(HardenedError):
    """The server answered with something other than an event stream."""

    def __init__(self, status: int, content_type: str) -> None:
        super().__init__(f"the server answered with status {status} and content type {content_type}")
        self.status = status
        self.content_type = content_type


@dataclass(frozen=True, slots=True)
class ServerEvent:
    type: str
    raw: bytes
    """The data, undecoded."""
    last_event_id: str

    @property
    def data(self) -> str:
        """The data as text, with invalid UTF-8 replaced."""
        return self.raw.decode("utf-8", "replace")


class EventParser:
    """Parses a byte stream into events, independent of chunk boundaries. Never returns an unfinished event.

    Replaces invalid UTF-8. Skips an event of more than `cap` bytes and counts it in `skipped`. Takes linear time.
    """

    def __init__(self, cap: int = EVENT_CAP) -> None:
        self.bytes = 0
        self.comments = 0
        self.skipped = 0
        self.last_event_id = ""
        self.retry: int | None = None
        """The server's last `retry`, in milliseconds."""
        self._cap = cap
        self._start: bytes | None = b""
        self._after_cr = False
        self._line = bytearray()
        self._type = ""
        self._id = ""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._oversized = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Return the events that the chunk completes, in order."""
        self.bytes += len(chunk)
        chunk = self._without_bom(chunk)
        # A CRLF may be cut between its characters: its LF is no line end of its own.
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if not chunk:
            return []
        if b"\r" in chunk:
            # Bytes are split at LF, CR and CRLF only. Text would be split at U+2028, too, which signal-cli sends raw.
            lines = chunk.splitlines()
            unfinished = b"" if chunk[-1] in (_LF, _CR) else lines.pop()
            self._after_cr = chunk[-1] == _CR
        else:
            *lines, unfinished = chunk.split(b"\n")  # much faster than splitlines
        events = []
        for line in lines:
            if self._line:
                self._hold(line)
                line = bytes(self._line)
                self._line.clear()
            if line:
                self._take(line)
            elif event := self._dispatch():
                events.append(event)
        if unfinished:
            self._hold(unfinished)
        return events

    def _without_bom(self, chunk: bytes) -> bytes:
        """Strip one byte order mark at the very beginning, even a split one."""
        if self._start is None:
            return chunk
        start = self._start + chunk
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._start = start
            return b""
        self._start = None
        return start.removeprefix(_BOM)

    def _hold(self, piece: bytes) -> None:
        if self._fits(len(self._line) + len(piece)):
            self._line += piece
        else:
            self._line[:] = b":"  # turns the rest of the line into a comment

    def _fits(self, size: int) -> bool:
        if not self._oversized and self._data_bytes + size > self._cap:
            self.skipped += 1
            self._oversized = True
            self._data.clear()
        return not self._oversized

    def _take(self, line: bytes) -> None:
        if not self._fits(len(line)):
            return
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"":
                self.comments += 1
            case b"data":
                self._data_bytes += len(value) + 1
                self._data.append(value)
            case b"event":
                self._type = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 19:
                self.retry = int(value)

    def _dispatch(self) -> ServerEvent | None:
        self.last_event_id = self._id
        event = None
        if self._data:
            event = ServerEvent(self._type or "message", b"\n".join(self._data), self._id)
        self._type = ""
        self._data.clear()
        self._data_bytes = 0
        self._oversized = False
        return event


async def _accept_event_stream(response: aiohttp.ClientResponse) -> None:
    if response.status != 200 or response.content_type != CONTENT_TYPE_EVENT_STREAM:
        response.close()
        raise NotAnEventStream(response.status, response.content_type)


class EventStream(EventSource):  # type: ignore[misc]
    """One GET of one event stream. Iterate over its events until the server ends it or `close` is called.

    `on_bytes` gets the parser after each chunk that arrives, comments included. There is no read time-out and no
    reconnect, and nothing is logged. Connecting and iterating raise ConnectionLost, connecting also NotAnEventStream.
    """

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        *,
        headers: Mapping[str, str] | None = None,
        on_bytes: Callable[[EventParser], None] | None = None,
        cap: int = EVENT_CAP,
    ) -> None:
        super().__init__(
            url,
            session=session,
            headers=CIMultiDict(headers or {}),
            # No limit for the headers: signal-cli before 0.14.4 sends them up to 15 s late.
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
            # Otherwise the library logs the whole URL, which contains the account's number.
            raise_for_status=_accept_event_stream,
            allow_redirects=False,
        )
        self.parser = EventParser(cap)
        self._on_bytes = on_bytes
        self._events: deque[ServerEvent] = deque()

    async def connect(self, _retry: int = 0) -> None:
        try:
            await super().connect()
        except (aiohttp.ClientError, HttpProcessingError, OSError) as exc:
            # The exception texts quote the URL or the body, so only the class name is passed on.
            raise ConnectionLost(f"no event stream could be opened ({type(exc).__name__})") from None

    async def __anext__(self) -> ServerEvent:
        while not self._events:
            self._events.extend(self.parser.feed(await self._read()))
            if self._on_bytes is not None:
                self._on_bytes(self.parser)
        return self._events.popleft()

    async def _read(self) -> bytes:
        if self._response is None:
            raise StopAsyncIteration
        try:
            chunk: bytes = await self._response.content.readany()
        except (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError) as exc:
            # aiohttp raises RuntimeError if the connection was lost before reading started.
            if self._response is None:
                raise StopAsyncIteration from None
            raise ConnectionLost(f"the event stream broke ({type(exc).__name__})") from None
        if not chunk:
            raise StopAsyncIteration
        return chunk

    async def close(self) -> None:
        """Reset the connection instead of closing it.

        After an ordinary close, signal-cli's next event is written into the closed socket without an error and lost.
        """
        if self._response is not None and (connection := self._response.connection) is not None:
            peer = connection.transport and connection.transport.get_extra_info("socket")
            if peer is not None:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        await super().close()
