"""A stand-in for signal-cli's HTTP daemon that serves given data, without a Signal account.

It has the endpoints of `signal-cli daemon --http` (`/api/v1/check`, `/events`, `/rpc`), framed byte for byte like
0.14.6.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .rewriting import framed

KEEPALIVE = b":\n"
KEEPALIVE_SECONDS = 15.0
_REQUEST_BYTES = 256 * 2**20
_POLL_SECONDS = 0.02


class RpcFault(Exception):
    """Raised by a handler to answer a call with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.body = {"code": code, "message": message, "data": data}


@dataclass
class ReplayDaemon:
    """A daemon that serves from `start` until `stop`; `async with` calls both. Every open stream gets every event."""

    account: str = ""
    contacts: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    attachments: dict[str, bytes] = field(default_factory=dict)
    header_delay: float = 0.0
    """Seconds until the response headers of /events, as daemons before 0.14.4 delay them."""
    refuse_events: int | None = None
    """Answer /events with this status instead of a stream."""

    streams: list[web.StreamResponse] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None
    _sent: int = 1795400000000
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> ReplayDaemon:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None:
        """Start listening. Raises OSError if the port is in use."""
        app = web.Application(client_max_size=_REQUEST_BYTES)
        app.router.add_get("/api/v1/check", self._check)
        app.router.add_get("/api/v1/events", self._events)
        app.router.add_post("/api/v1/rpc", self._rpc)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address, bound = self._runner.addresses[0][:2]
        self.url = f"http://{f'[{address}]' if ':' in address else address}:{bound}"

    async def stop(self) -> None:
        self.drop_streams()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- controls

    async def emit(self, *bodies: bytes) -> None:
        """Write raw bytes to every open stream."""
        for stream in list(self.streams):
            for body in bodies:
                try:
                    await stream.write(body)
                except ConnectionResetError:
                    # Like the real daemon, notice a closed stream only when a write fails.
                    if stream in self.streams:
                        self.streams.remove(stream)
                    break

    async def emit_event(self, *events: object) -> None:
        """Frame events and write them to every open stream."""
        await self.emit(*(framed(event) for event in events))

    def forget_streams(self) -> list[web.StreamResponse]:
        """Keep the open streams open, but never write to them again."""
        lost, self.streams = self.streams, []
        return lost

    def drop_streams(self) -> None:
        """Abort every open stream without the terminating chunk."""
        for stream in self.forget_streams():
            if stream._req is not None and stream._req.transport is not None:
                stream._req.transport.abort()

    async def streams_open(self, count: int, timeout: float | None = 5.0) -> None:
        """Wait until that many streams are subscribed."""
        async with asyncio.timeout(timeout):
            while len(self.streams) < count:
                self._arrived.clear()
                await self._arrived.wait()

    # -- answers to clients

    def refusal(self, request: web.Request) -> int | None:
        """Return the status with which to refuse a request to /events; None to accept it."""
        return self.refuse_events

    async def _check(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if (status := self.refusal(request)) is not None:
            return web.Response(status=status)
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        if self.header_delay:
            await asyncio.sleep(self.header_delay)
        await stream.prepare(request)
        self.streams.append(stream)
        self._arrived.set()
        try:
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(_POLL_SECONDS)
        finally:
            if stream in self.streams:
                self.streams.remove(stream)
        return stream

    async def _rpc(self, request: web.Request) -> web.Response:
        payload = await request.json()
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": payload.get("id")}
        try:
            answer["result"] = await self.result(payload["method"], payload.get("params") or {})
        except RpcFault as fault:
            answer["error"] = fault.body
        return web.json_response(answer)

    async def result(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a call. Raises RpcFault."""
        match method:
            case "version":
                return {"version": "0.14.6"}
            case "listContacts":
                return self.contacts
            case "listGroups":
                wanted = params.get("groupId")
                return [group for group in self.groups if wanted is None or group["id"] in wanted]
            case "getUserStatus":
                return [self.status_of(number) for number in params["recipient"]]
            case "getAttachment":
                body = self.attachments.get(params["id"])
                if body is None:
                    raise RpcFault(-1, "Could not find attachment")
                return {"data": base64.b64encode(body).decode()}
            case "send" | "updateGroup" | "quitGroup" | "sendReaction":
                self._sent += 1
                return {"timestamp": self._sent, "results": []}
            case "sendTyping" | "sendReceipt":
                return {}
        raise RpcFault(-32601, "Method not implemented")

    def status_of(self, number: str) -> dict[str, Any]:
        """Return the row of `getUserStatus` for a number."""
        uuid = next((contact.get("uuid") for contact in self.contacts if contact.get("number") == number), None)
        return {"recipient": number, "number": number, "uuid": uuid, "isRegistered": uuid is not None}
