"""The package's stand-in for signal-cli's HTTP daemon, with what tests do to it and ask of it besides.

Contacts, groups and attachments are what a test puts in.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from hermes_hardened_adapters.adapters.signal.recording.rewriting import framed as frame
from hermes_hardened_adapters.adapters.signal.recording.stand_in import KEEPALIVE, ReplayDaemon, RpcFault

_times = itertools.count(1_795_500_000_000)
FIXTURES = Path(__file__).parent.parent / "fixtures" / "signal"

ACCOUNT = "+15550001111"
OWN_ACI = "11111111-1111-4111-8111-111111111111"
ALICE = "+15550002222"
ALICE_ACI = "22222222-2222-4222-8222-222222222222"
BOB = "+15550003333"
BOB_ACI = "33333333-3333-4333-8333-333333333333"
CAROL = "+15550004040"
CAROL_ACI = "44444444-4444-4444-8444-444444444444"
GROUP = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

__all__ = ["KEEPALIVE", "RpcFault", "frame"]


def recorded(name: str) -> bytes:
    """The raw SSE body recorded from signal-cli 0.14.6 under that scenario name."""
    return (FIXTURES / f"{name}.sse").read_bytes()


def recorded_event(name: str) -> dict[str, Any]:
    """The JSON of a recorded event, to derive variants from."""
    data = next(line for line in recorded(name).split(b"\n") if line.startswith(b"data:"))
    event: dict[str, Any] = json.loads(data[5:])
    return event


def direct_message(text: str | None, **changes: Any) -> dict[str, Any]:
    """A direct message of Alice's at a time of its own; `changes` are to its dataMessage."""
    event, stamp = recorded_event("dm_text"), next(_times)
    envelope = event["envelope"]
    envelope |= {"timestamp": stamp, "serverReceivedTimestamp": stamp, "serverDeliveredTimestamp": stamp}
    envelope["dataMessage"] |= {"timestamp": stamp, "message": text, **changes}
    return event


def contact(number: str | None, uuid: str | None, name: str = "") -> dict[str, Any]:
    return {"number": number, "uuid": uuid, "username": None, "name": name, "profile": {"givenName": name or None}}


def group(
    group_id: str = GROUP,
    *,
    name: str | None = "Test Group",
    members: tuple[tuple[str | None, str], ...] = ((ACCOUNT, OWN_ACI), (ALICE, ALICE_ACI)),
    pending: tuple[tuple[str | None, str], ...] = (),
    is_member: bool = True,
) -> dict[str, Any]:
    def people(rows: tuple[tuple[str | None, str], ...]) -> list[dict[str, Any]]:
        return [{"number": number, "uuid": uuid} for number, uuid in rows]

    return {
        "id": group_id,
        "name": name,
        "isMember": is_member,
        "isBlocked": False,
        "members": people(members),
        "pendingMembers": people(pending),
        "requestingMembers": [],
        "admins": people(members[:1]),
    }


@dataclass
class Call:
    """One JSON-RPC request as it arrived."""

    method: str
    params: dict[str, Any]


@dataclass
class FakeSignalDaemon(ReplayDaemon):
    account: str = ACCOUNT
    accounts: list[str] | None = None
    """Those of a daemon with several; None for one started with `-a`, which has no listAccounts."""
    contacts: list[dict[str, Any]] = field(default_factory=lambda: [contact(ACCOUNT, OWN_ACI)])
    statuses: dict[str, str] = field(default_factory=dict)
    handlers: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = field(default_factory=dict)
    """Overrides by RPC method; may be slow, may raise RpcFault."""
    check_status: int = 200
    pinned_host: str | None = None
    """Answer 421 on /events and /rpc unless Host is this (or has no port and is localhost)."""

    calls: list[Call] = field(default_factory=list)
    event_requests: list[tuple[float, dict[str, str], str]] = field(default_factory=list)
    """(loop time, headers, raw query) of every request to /events."""
    checks: int = 0

    async def __aenter__(self) -> FakeSignalDaemon:
        await self.start()
        return self

    def refusal(self, request: web.Request) -> int | None:
        now = asyncio.get_running_loop().time()
        self.event_requests.append((now, dict(request.headers), request.rel_url.raw_query_string))
        return 421 if self._misdirected(request) else self.refuse_events

    def status_of(self, number: str) -> dict[str, Any]:
        uuid = self.statuses.get(number)
        return {"recipient": number, "number": number, "uuid": uuid, "isRegistered": uuid is not None}

    def called(self, method: str) -> list[dict[str, Any]]:
        return [call.params for call in self.calls if call.method == method]

    async def result(self, method: str, params: dict[str, Any]) -> Any:
        self.calls.append(Call(method, params))
        self._mind_account(method, params.get("account"))
        if handler := self.handlers.get(method):
            return await handler(params)
        match method:
            case "listAccounts" if self.accounts is not None:
                return [{"number": number} for number in self.accounts]
            case "listDevices":
                return [{"id": 1, "name": None}]
            case "uploadStickerPack":
                # The daemon opens the file first of all.
                if not await asyncio.to_thread(Path(params["path"]).is_file):
                    raise RpcFault(-3, "Upload error: " + params["path"])
                raise RpcFault(-1, "Invalid sticker pack: Must include stickers.")
        return await super().result(method, params)

    def _mind_account(self, method: str, wanted: object) -> None:
        if self.accounts is None or method == "listAccounts" or wanted in {None, OWN_ACI, *self.accounts}:
            return
        raise RpcFault(-32602, "Specified account does not exist")

    async def _check(self, _: web.Request) -> web.Response:
        self.checks += 1
        return web.Response(status=self.check_status)

    async def _rpc(self, request: web.Request) -> web.Response:
        return web.Response(status=421) if self._misdirected(request) else await super()._rpc(request)

    def _misdirected(self, request: web.Request) -> bool:
        return self.pinned_host is not None and request.headers.get("Host") not in {self.pinned_host, "localhost"}


class RawConnection:
    """One request to a `raw_daemon`, answered byte by byte."""

    def __init__(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.head = head
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def status(self, status: int, content_type: str = "text/plain", body: bytes = b"") -> None:
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        await self.send(head.encode() + b"Connection: close\r\n\r\n" + body)

    async def headers(self) -> None:
        await self.send(b"HTTP/1.1 200 OK\r\nTransfer-encoding: chunked\r\nContent-type: text/event-stream\r\n\r\n")

    async def chunks(self, *bodies: bytes) -> None:
        for body in bodies:
            await self.send(b"%x\r\n%s\r\n" % (len(body), body))

    async def end(self) -> None:
        await self.send(b"0\r\n\r\n")

    def abort(self) -> None:
        self._writer.transport.abort()

    async def hung_up(self) -> str:
        """Wait for the peer to hang up; tells how: "closed" (FIN) or "reset" (RST)."""
        try:
            await self._reader.read()
        except ConnectionResetError:
            return "reset"
        return "closed"


Script = Callable[[RawConnection], Awaitable[None]]


@dataclass
class RawDaemon:
    url: str
    connections: list[RawConnection] = field(default_factory=list)
    """Those to anything but /check, in order of arrival."""
    open: int = 0


@asynccontextmanager
async def raw_daemon(*scripts: Script) -> AsyncIterator[RawDaemon]:
    """A daemon whose n-th connection is answered by the n-th script, the last one repeating; /check is 200."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                connection = RawConnection((await reader.readuntil(b"\r\n\r\n")).decode(), reader, writer)
                if "/check" in connection.head.partition("\r\n")[0]:
                    await connection.status(200)
                else:
                    await play(connection)
        finally:
            writer.close()

    async def play(connection: RawConnection) -> None:
        daemon.connections.append(connection)
        daemon.open += 1
        try:
            await scripts[min(len(daemon.connections), len(scripts)) - 1](connection)
        finally:
            daemon.open -= 1

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    daemon = RawDaemon(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        yield daemon
    finally:
        server.close()
        running = list(tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await server.wait_closed()
        await asyncio.sleep(0)
