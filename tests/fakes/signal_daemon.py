"""An in-process stand-in for signal-cli's HTTP daemon that replays recorded traffic.

It speaks what `signal-cli daemon --http` speaks (`/api/v1/check`, `/events`, `/rpc`), framed byte for byte like
0.14.6. It has no Signal account behind it: contacts, groups and attachments are what a test puts in.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

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

KEEPALIVE = b":\n"


def recorded(name: str) -> bytes:
    """The raw SSE body recorded from signal-cli 0.14.6 under that scenario name."""
    return (FIXTURES / f"{name}.sse").read_bytes()


def recorded_event(name: str) -> dict[str, Any]:
    """The JSON of a recorded event, to derive variants from."""
    data = next(line for line in recorded(name).split(b"\n") if line.startswith(b"data:"))
    event: dict[str, Any] = json.loads(data[5:])
    return event


def frame(event: object) -> bytes:
    """One event framed as the daemon does it: no space after the colons, one data line."""
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return b"event:receive\ndata:" + body.encode() + b"\n\n"


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


class RpcFault(Exception):
    """What a handler raises to answer with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, "data": data}


@dataclass
class FakeSignalDaemon:
    account: str = ACCOUNT
    accounts: list[str] | None = None
    """Those of a daemon with several; None for one started with `-a`, which has no listAccounts."""
    contacts: list[dict[str, Any]] = field(default_factory=lambda: [contact(ACCOUNT, OWN_ACI)])
    groups: list[dict[str, Any]] = field(default_factory=list)
    statuses: dict[str, str] = field(default_factory=dict)
    attachments: dict[str, bytes] = field(default_factory=dict)
    handlers: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = field(default_factory=dict)
    """Overrides by RPC method; may be slow, may raise RpcFault."""
    header_delay: float = 0.0
    """Seconds until the response headers of /events, as daemons before 0.14.4 delay them."""
    refuse_events: int | None = None
    """Answer /events with this status instead of a stream."""
    check_status: int = 200
    pinned_host: str | None = None
    """Answer 421 on /events and /rpc unless Host is this (or has no port and is localhost)."""

    calls: list[Call] = field(default_factory=list)
    event_requests: list[tuple[float, dict[str, str], str]] = field(default_factory=list)
    """(loop time, headers, raw query) of every request to /events."""
    checks: int = 0
    streams: list[web.StreamResponse] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None
    _sent: int = 1795400000000
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> FakeSignalDaemon:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        app = web.Application(client_max_size=256 * 2**20)
        app.router.add_get("/api/v1/check", self._check)
        app.router.add_get("/api/v1/events", self._events)
        app.router.add_post("/api/v1/rpc", self._rpc)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        host, bound = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{bound}"

    async def stop(self) -> None:
        self.drop_streams()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- what a test does to it

    async def emit(self, *bodies: bytes) -> None:
        """Write raw bytes to every open stream, as the daemon fans events out."""
        for stream in list(self.streams):
            for body in bodies:
                try:
                    await stream.write(body)
                except ConnectionResetError:
                    # Like the daemon, which notices a closed stream only when writing fails.
                    if stream in self.streams:
                        self.streams.remove(stream)
                    break

    async def emit_event(self, *events: object) -> None:
        await self.emit(*(frame(event) for event in events))

    def forget_streams(self) -> list[web.StreamResponse]:
        """Black hole: the open streams stay open, but nothing more is ever written to them."""
        lost, self.streams = self.streams, []
        return lost

    def drop_streams(self) -> None:
        """Abort every open stream in the middle, without the terminating chunk."""
        for stream in self.forget_streams():
            transport = getattr(stream, "_req", None) and stream._req.transport
            if transport is not None:
                transport.abort()

    async def streams_open(self, count: int, timeout: float = 5.0) -> None:
        """Wait until that many streams are subscribed."""
        async with asyncio.timeout(timeout):
            while len(self.streams) < count:
                self._arrived.clear()
                await self._arrived.wait()

    def called(self, method: str) -> list[dict[str, Any]]:
        return [call.params for call in self.calls if call.method == method]

    # -- what the adapter sees

    async def _check(self, _: web.Request) -> web.Response:
        self.checks += 1
        return web.Response(status=self.check_status)

    def _misdirected(self, request: web.Request) -> bool:
        return self.pinned_host is not None and request.headers.get("Host") not in {self.pinned_host, "localhost"}

    async def _events(self, request: web.Request) -> web.StreamResponse:
        loop = asyncio.get_running_loop()
        self.event_requests.append((loop.time(), dict(request.headers), request.rel_url.raw_query_string))
        if self._misdirected(request):
            return web.Response(status=421)
        if self.refuse_events is not None:
            return web.Response(status=self.refuse_events)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if self.header_delay:
            await asyncio.sleep(self.header_delay)
        await stream.prepare(request)
        self.streams.append(stream)
        self._arrived.set()
        try:
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.02)
        finally:
            if stream in self.streams:
                self.streams.remove(stream)
        return stream

    async def _rpc(self, request: web.Request) -> web.Response:
        if self._misdirected(request):
            return web.Response(status=421)
        payload = await request.json()
        call = Call(payload["method"], payload.get("params") or {})
        self.calls.append(call)
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": payload.get("id")}
        try:
            self._mind_account(call)
            answer["result"] = await self._result(call)
        except RpcFault as fault:
            answer["error"] = fault.body
        return web.json_response(answer)

    def _mind_account(self, call: Call) -> None:
        wanted = call.params.get("account")
        if self.accounts is None or call.method == "listAccounts" or wanted in {None, OWN_ACI, *self.accounts}:
            return
        raise RpcFault(-32602, "Specified account does not exist")

    async def _result(self, call: Call) -> Any:
        if handler := self.handlers.get(call.method):
            return await handler(call.params)
        match call.method:
            case "listAccounts" if self.accounts is not None:
                return [{"number": number} for number in self.accounts]
            case "listDevices":
                return [{"id": 1, "name": None}]
            case "uploadStickerPack":
                # The daemon opens the file first of all.
                if not await asyncio.to_thread(Path(call.params["path"]).is_file):
                    raise RpcFault(-3, "Upload error: " + call.params["path"])
                raise RpcFault(-1, "Invalid sticker pack: Must include stickers.")
            case "version":
                return {"version": "0.14.6"}
            case "listContacts":
                return self.contacts
            case "listGroups":
                wanted = call.params.get("groupId")
                return [g for g in self.groups if wanted is None or g["id"] in wanted]
            case "getUserStatus":
                return [
                    {"recipient": n, "number": n, "uuid": self.statuses.get(n), "isRegistered": n in self.statuses}
                    for n in call.params["recipient"]
                ]
            case "getAttachment":
                body = self.attachments.get(call.params["id"])
                if body is None:
                    raise RpcFault(-1, "Could not find attachment")
                return {"data": base64.b64encode(body).decode()}
            case "send" | "updateGroup" | "quitGroup" | "sendReaction":
                self._sent += 1
                return {"timestamp": self._sent, "results": []}
            case "sendTyping" | "sendReceipt":
                return {}
        raise RpcFault(-32601, "Method not implemented")


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
        head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
        await self.send(head.encode() + body)

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
