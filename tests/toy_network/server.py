"""A toy server, which plays a fixture to every client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from hermes_hardened_adapters.common.core.errors import ConnectionLost
from hermes_hardened_adapters.common.recording.capture import Capture, Recorded
from hermes_hardened_adapters.common.recording.documents import dumped
from hermes_hardened_adapters.common.recording.playback import Faults, Replay, cases
from hermes_hardened_adapters.common.recording.pseudonyms import Pseudonyms
from hermes_hardened_adapters.common.recording.recording import Recording
from hermes_hardened_adapters.common.recording.rules import Rules

from tests.toy_network.settings import ToySettings


class ToyServer:
    """Sends every line of `emit` to the clients that are connected."""

    def __init__(self) -> None:
        self.url = ""
        self.clients: list[asyncio.StreamWriter] = []
        self.arrived = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        self._server = await asyncio.start_server(self._serve, host, port)
        self.url = "{}:{}".format(*self._server.sockets[0].getsockname())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for client in self.clients:
            client.close()
        await asyncio.gather(*(client.wait_closed() for client in self.clients), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients.append(writer)
        self.arrived.set()
        await reader.read()
        writer.close()


class Playback:
    """Plays the lines of a recording as soon as a client is connected. The fault `twice` repeats an event."""

    def __init__(self, server: ToyServer, lines: list[bytes], faults: Faults) -> None:
        self.played = 0
        self._server = server
        self._lines = lines
        self._faults = faults

    async def run(self) -> None:
        await self._server.arrived.wait()
        for number, line in enumerate(self._lines, 1):
            for _ in range(2 if self._faults.happens_at("twice", number) else 1):
                for client in self._server.clients:
                    client.write(line)
            self.played = number


def prepare(path: Path, faults: Faults, speed: float | None) -> Replay:
    """Prepare the replay of a fixture."""
    lines = [line for case in cases(path, ".toy") for line in case.read_bytes().splitlines(keepends=True)]
    server = ToyServer()
    variables = lambda url: {"TOY_ADDRESS": url, "TOY_PASSWORD": "any"}  # noqa: E731
    return Replay(server, Playback(server, lines, faults), len(lines), variables)


@asynccontextmanager
async def connected(settings: ToySettings) -> AsyncIterator[asyncio.StreamReader]:
    """Connect. Raises ConnectionLost."""
    host, _, port = settings.address.partition(":")
    try:
        reader, writer = await asyncio.open_connection(host, int(port))
    except OSError as exc:
        raise ConnectionLost(f"no toy server at {settings.address}") from exc
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def record(settings: ToySettings, commands: Collection[str], capture: Capture) -> Recorded:
    """Record until the capture stops."""
    recording = Recording(commands)
    capture.sink = recording.add
    async with connected(settings) as reader:
        stopped = asyncio.create_task(capture.stop.wait())
        while not stopped.done():
            line = asyncio.create_task(reader.readline())
            await asyncio.wait({line, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if line.done():
                capture.record(line.result().decode())
            else:
                line.cancel()
    texts = frozenset({"text"})
    rules = Rules(Pseudonyms(), {}, frozenset(), frozenset(), texts)
    events = [rules.apply(event) for _, event in recording._events]
    return Recorded({".toy": "".join(f"{dumped(event)}\n" for event in events).encode()}, recording.dropped)
