"""The stand-in's WebSocket half: connections, resumes and actions, as recorded from 5.37."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import WSMessage, WSMsgType, web

from ....common.recording.documents import Object
from .stand_in_rest import new_id

if TYPE_CHECKING:
    from .stand_in import ReplayServer

TOKEN = "the-token-of-the-bot"
KEPT_EVENTS = 128
CLIENT_FRAME_BYTES = 8192


def event_of(name: str, data: Object, *, user_id: str = "", channel_id: str = "") -> Object:
    broadcast = {"omit_users": None, "user_id": user_id, "channel_id": channel_id, "team_id": ""}
    return {"event": name, "data": data, "broadcast": broadcast}


def post_event(name: str, post: Object) -> Object:
    text = json.dumps(post, ensure_ascii=False, separators=(",", ":"))
    return event_of(name, {"post": text}, channel_id=post["channel_id"])


def abort(socket: web.WebSocketResponse) -> None:
    request = socket._req
    if request is not None and request.transport is not None:
        request.transport.abort()


@dataclass
class Connection:
    """The server's state of one connection id, kept while the client is disconnected."""

    id: str = field(default_factory=new_id)
    seq: int = 0
    """The sequence number of the next event."""
    kept: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    socket: web.WebSocketResponse | None = None
    silent: bool = False

    def number(self, event: Object) -> str:
        frame = json.dumps({**event, "seq": self.seq}, ensure_ascii=False, separators=(",", ":"))
        self.kept.append((self.seq, frame))
        self.seq += 1
        return frame

    async def send(self, frame: str) -> None:
        if self.socket is not None and not self.silent:
            try:
                await self.socket.send_str(frame)
            except ConnectionError:
                self.socket = None


def _token_shown(message: WSMessage) -> str | None:
    """Return the token in an `authentication_challenge`."""
    action = json.loads(message.data) if message.type is WSMsgType.TEXT else {}
    if action.get("action") != "authentication_challenge":
        return None
    return str(action.get("data", {}).get("token"))


class WebSocketApi:
    """Accepts WebSockets: sends `hello` or resumes, and answers pings."""

    def __init__(self, server: ReplayServer) -> None:
        self._server = server

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self._server.upgrades.append(dict(request.query))
        if self._server.refuse_upgrade is not None:
            status, headers = self._server.refuse_upgrade
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse(max_msg_size=CLIENT_FRAME_BYTES)
        await socket.prepare(request)
        challenged = False
        if not self._server.knows(request.headers):
            challenged = await self._passes_challenge(socket)
            if not challenged:
                abort(socket)
                return socket
        await asyncio.sleep(self._server.hello_delay)
        connection = await self._connected(socket, request.query)
        if challenged:
            await connection.send(json.dumps({"status": "OK", "seq_reply": 1}))
        async for message in socket:
            if connection.socket is socket and not connection.silent:
                await self._act(connection, message, self._server.ping_answer)
        if connection.socket is socket:
            connection.socket = None
        return socket

    async def _passes_challenge(self, socket: web.WebSocketResponse) -> bool:
        """Return True if a client without a token header sends the token in time. Its other actions fail."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._server.bad_token_delay):
                async for message in socket:
                    if _token_shown(message) == self._server.token:
                        return True
                    await self._act(Connection(socket=socket), message, self._server.ping_answer and "FAIL")
        return False

    async def _connected(self, socket: web.WebSocketResponse, query: Mapping[str, str]) -> Connection:
        """Return the connection, after sending the missed events of a resumed one or the `hello` of a new one."""
        wanted, seq = query.get("connection_id"), int(query.get("sequence_number") or 0)
        for connection in self._server.connections:
            missed = [frame for number, frame in connection.kept if number >= seq]
            if self._server.resumes and connection.id == wanted and len(missed) == connection.seq - seq:
                connection.socket, connection.silent = socket, False
                for frame in missed:
                    await connection.send(frame)
                return connection
        connection = Connection(socket=socket)
        self._server.connections.append(connection)
        hello = {"connection_id": connection.id, "server_version": "5.37.0..replay.false"}
        await connection.send(connection.number(event_of("hello", hello, user_id=self._server.me_id)))
        return connection

    async def _act(self, connection: Connection, message: WSMessage, answer: str | None) -> None:
        if message.type is not WSMsgType.TEXT or answer is None:
            return
        action = json.loads(message.data)
        self._server.actions.append(action)
        reply: Object = {"status": answer, "seq_reply": action["seq"]}
        if answer == "FAIL":
            error = {"id": "api.context.session_expired.app_error", "status_code": 401}
            reply["error"] = {**error, "message": "Invalid session", "detailed_error": f"token={TOKEN} is invalid"}
        else:
            reply["data"] = {"text": "pong"}
        await connection.send(json.dumps(reply))
