"""A TCP relay between our client and the real daemon, for what can be seen of a standing stream without an account."""

from __future__ import annotations

import asyncio
import contextlib


class AccountlessRelay:
    """A loopback relay that takes `?account=…` off the request line, and can go silent.

    Without an account the real daemon refuses every stream that names one, and our client always names it. Behind
    this relay it subscribes to all (zero) accounts, with the daemon's own headers, chunks and keepalives.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.StreamWriter] = set()
        self.opened: list[float] = []
        """Loop time of every request to /events."""
        self.url = ""

    async def __aenter__(self) -> AccountlessRelay:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()

    def silence(self) -> None:
        """Black hole: what is connected now stays open and gets nothing more."""
        self._passing.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n")
        if request.startswith(b"GET /api/v1/events?"):
            self.opened.append(asyncio.get_running_loop().time())
            request = b"GET /api/v1/events HTTP/1.1\r\n"
        try:
            onward_reader, onward = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        # One request a connection: only its first line passes through here.
        onward.write(request + b"Connection: close\r\n")
        self._writers |= {writer, onward}
        self._passing.add(writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, onward))
                both.create_task(self._pump(onward_reader, writer, only_while_passing=True))
        finally:
            for end in (writer, onward):
                self._writers.discard(end)
                end.close()

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, only_while_passing: bool = False
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while chunk := await source.read(65536):
                if not only_while_passing or sink in self._passing:
                    sink.write(chunk)
                    await sink.drain()
        with contextlib.suppress(OSError, RuntimeError):
            sink.write_eof()
