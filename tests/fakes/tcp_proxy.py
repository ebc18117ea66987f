"""A TCP proxy in the process of the test that ill-treats what passes, switchable while connections are open."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_CHUNK = 2**16


class Mode(Enum):
    """What becomes of bytes. What fell into a black hole is gone, so a link never comes back from there."""

    PASS = "pass"
    BLACK_HOLE = "black hole"
    BYTEWISE = "byte by byte"
    DELAY = "delay"


@dataclass(eq=False)
class Link:
    """One connection of a client, and ours to the server for it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    mode: Mode
    delay: float
    cut_after: int | None
    request: bytes = b""
    """The line with which the client's last request began."""
    passed: int = 0
    """Bytes of the server's stream that were let through."""
    open: bool = True
    """Until the client is gone or was cut off."""
    closed: bool = False
    """No more goes to the client."""
    under_way: int = 0
    """Pieces of the server's stream that are still held back."""

    def reset(self) -> None:
        """RST to the client; the server sees the connection end, too."""
        self.open, self.closed = False, True
        for writer in (self.client, self.server):
            peer = writer.get_extra_info("socket")
            if peer is not None and peer.fileno() >= 0:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()

    def half_close(self) -> None:
        """FIN to the client, whose own direction stays open."""
        if not self.closed and not self.client.is_closing():
            self.client.write_eof()
        self.closed = True

    async def down(self, chunk: bytes) -> None:
        """What the server sent."""
        if self.mode is Mode.DELAY:
            await asyncio.sleep(self.delay)
        if self.mode is Mode.BLACK_HOLE:
            return
        if self.cut_after is not None:
            chunk = chunk[: max(self.cut_after - self.passed, 0)]
        for piece in _pieces(chunk, self.mode):
            if self.closed:
                return
            self.client.write(piece)
            await self.client.drain()
            await asyncio.sleep(0)
        self.passed += len(chunk)
        if self.cut_after is not None and self.passed >= self.cut_after:
            self.half_close()
            raise ConnectionAbortedError

    async def up(self, chunk: bytes) -> None:
        """What the client sent."""
        if self.mode is not Mode.BLACK_HOLE:
            self.server.write(chunk)
            await self.server.drain()


def _pieces(chunk: bytes, mode: Mode) -> list[bytes]:
    return [chunk[at : at + 1] for at in range(len(chunk))] if mode is Mode.BYTEWISE else [chunk]


@dataclass
class TcpProxy:
    """In front of `target` (a URL); `mode`, `delay` and `cut_after` are what new connections begin with."""

    target: str
    mode: Mode = Mode.PASS
    delay: float = 0.1
    cut_after: int | None = None
    """Cut a connection after so many bytes of the server's stream."""
    links: list[Link] = field(default_factory=list)
    """The open ones, in order of arrival."""
    watched: bytes = b""
    """Requests whose first line contains this are counted in `peak`."""
    peak: int = 0
    """The most links that were ever open with a watched request."""
    accepted: int = 0
    url: str = ""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> TcpProxy:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        scheme = urlsplit(self.target).scheme
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()
        running = list(self._tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
        await asyncio.sleep(0)

    @property
    def open(self) -> int:
        return len(self.links)

    def asking(self, words: bytes = b"") -> list[Link]:
        """The open links whose last request has those words in its first line."""
        return [link for link in self.links if link.open and (words or self.watched) in link.request]

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(timeout):
            while not condition():
                await asyncio.sleep(0.005)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = urlsplit(self.target)
        try:
            from_server, server = await asyncio.open_connection(target.hostname, target.port)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, server, self.mode, self.delay, self.cut_after)
        self.links.append(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._up(link, reader))
                pumps.create_task(self._down(link, from_server))
        except* OSError:
            pass
        finally:
            link.open = False
            self.links.remove(link)
            for end in (writer, server):
                end.close()
            with suppress(OSError):
                await asyncio.wait_for(server.wait_closed(), 1)

    async def _up(self, link: Link, reader: asyncio.StreamReader) -> None:
        try:
            while chunk := await reader.read(_CHUNK):
                if b" HTTP/1." in (first := chunk.split(b"\r\n", 1)[0]):
                    link.request = first
                    self.peak = max(self.peak, len(self.asking()))
                await link.up(chunk)
        finally:
            link.open = False
        raise ConnectionAbortedError  # No client of ours goes on listening after its FIN.

    async def _down(self, link: Link, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            link.under_way += 1
            try:
                await link.down(chunk)
            finally:
                link.under_way -= 1
        if link.mode is not Mode.BLACK_HOLE:
            link.half_close()
