"""An in-process stand-in for a Mattermost server: REST under /api/v4 and the WebSocket, answering as 5.37 was recorded.

It has no database and one bot account: users, channels, members, posts and files are what a test puts in. Permissions,
markdown and thread notifications are not imitated.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import WSMessage, WSMsgType, web

from .mattermost_rest import HERMES, Call, Fault, RestApi, new_id, recorded
from .mattermost_routes import Routes, file_info

FRAMES = Path(__file__).parent.parent / "fixtures" / "mattermost"

TOKEN = "the-token-of-the-bot"
ALICE = "bq94ybh58insbfxpqbj3ktfcgr"
BOB = "fch9t9fgk38a5erhqkg6grycca"
TEAM = "uottyduth3bdfkhdsat7bjwerc"
OPS = "muqt1b4m93gydrwz6eqdui8wiw"
SECRET = "sbyx9jydibdkfen919tecwcssy"
DM = "6758nw41xbfctxqdqxftxr6k8y"
GROUP_MESSAGE = "nkb6nhdj33dw9qi37eh5wz7tua"

KEPT_EVENTS = 128
CLIENT_FRAME_BYTES = 8192

Object = dict[str, Any]


def recorded_frames(name: str) -> list[str]:
    """The raw frames recorded under that scenario name."""
    return (FRAMES / f"{name}.jsonl").read_text().splitlines()


@dataclass
class Connection:
    """What the server keeps for one connection id, also while the client is away."""

    id: str = field(default_factory=new_id)
    seq: int = 0
    """The next event's."""
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


@dataclass
class FakeMattermostServer:
    token: str = TOKEN
    prefix: str = ""
    """A path before /api/v4."""
    users: dict[str, Object] = field(default_factory=dict)
    channels: dict[str, Object] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """Channel id to user ids."""
    posts: dict[str, Object] = field(default_factory=dict)
    files: dict[str, tuple[Object, bytes]] = field(default_factory=dict)
    reactions: list[Object] = field(default_factory=list)

    lists_all_channels: bool = True
    """False: no /users/me/channels, as before 6.1."""
    since_returns_nothing: int = 0
    """How many `posts?since=` answer with an empty page."""
    refuse_upgrade: tuple[int, dict[str, str]] | None = None
    """Status and headers instead of 101."""
    bad_token_delay: float = 0.05
    """Seconds until a socket without a valid token is cut; 5 on the real server."""
    hello_delay: float = 0.0
    ping_answer: str | None = "OK"
    """OK, FAIL, or None for no answer. Without a valid token it is FAIL or none."""
    resumes: bool = True
    """False: every connection id is unknown, as after a restart."""

    calls: list[Call] = field(default_factory=list)
    upgrades: list[dict[str, str]] = field(default_factory=list)
    """Query parameters of every WebSocket upgrade."""
    actions: list[Object] = field(default_factory=list)
    """What clients sent over WebSockets."""
    faults: list[Fault] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None
    _now: int = 0

    def __post_init__(self) -> None:
        people = [recorded("users_me"), *recorded("users_ids")]
        self.users = {user["id"]: user for user in people} | self.users
        of_the_bot = {OPS: {BOB}, SECRET: set(), DM: set(), GROUP_MESSAGE: {BOB}}
        for channel in recorded("users_me_channels"):
            if channel["id"] in of_the_bot:
                self.channels.setdefault(channel["id"], channel)
                self.members.setdefault(channel["id"], {HERMES, ALICE} | of_the_bot[channel["id"]])

    async def __aenter__(self) -> FakeMattermostServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, ssl_context: Any = None) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        rest = RestApi(self, Routes(self).table())
        app.router.add_get(f"{self.prefix}/api/v4/websocket", self._websocket)
        app.router.add_route("*", f"{self.prefix}/api/v4/{{path:.*}}", rest.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=ssl_context).start()
        scheme = "https" if ssl_context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._runner.addresses[0][1]}{self.prefix}"

    async def stop(self) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    # -- what people do

    def add_user(self, username: str, user_id: str = "", **fields: Any) -> str:
        user_id = user_id or new_id()
        self.users[user_id] = {**self.users[ALICE], "id": user_id, "username": username, **fields}
        return user_id

    def add_channel(self, name: str, channel_type: str = "O", members: set[str] | None = None) -> str:
        """A channel (D, G, P or O) without a word being sent about it."""
        channel_id = new_id()
        self.channels[channel_id] = {
            **self.channels[OPS],
            "id": channel_id,
            "name": name,
            "display_name": "" if channel_type == "D" else name.title(),
            "type": channel_type,
            "team_id": "" if channel_type in "DG" else TEAM,
        }
        self.members[channel_id] = members if members is not None else {HERMES, ALICE}
        return channel_id

    async def post(
        self, user_id: str, channel_id: str, message: str, *, sender_name: str = "", **fields: Any
    ) -> Object:
        """A post of that user, stored and told to everybody connected. `fields` are the post's: root_id, props, ..."""
        post = self.store(user_id, channel_id, message, **fields)
        await self.emit(self.posted(post, sender_name))
        return post

    def store(self, user_id: str, channel_id: str, message: str, **fields: Any) -> Object:
        """A post that no event tells of."""
        now = self.now()
        post = {
            **recorded("post_create_201"),
            "id": new_id(),
            "create_at": now,
            "update_at": now,
            "user_id": user_id,
            "channel_id": channel_id,
            "message": message,
            "props": {"from_bot": "true"} if self.users[user_id].get("is_bot") else {},
            **fields,
        }
        post["parent_id"] = post["root_id"]
        if infos := [self.files[file_id][0] for file_id in post.get("file_ids") or () if file_id in self.files]:
            post["metadata"] = {"files": [{**info, "post_id": post["id"]} for info in infos]}
        if root := self.posts.get(post["root_id"]):
            root["update_at"] = now
            root["reply_count"] += 1
        self.posts[post["id"]] = post
        self.channels[channel_id]["last_post_at"] = post["create_at"]
        return post

    def add_file(self, name: str, content: bytes, user_id: str) -> Object:
        """The FileInfo of a new file, to name in a post's `file_ids`."""
        info = file_info(name, content, user_id, self.now())
        self.files[info["id"]] = (info, content)
        return info

    async def edit(self, post_id: str, message: str) -> Object:
        now = self.now()
        self.posts[post_id] |= {"message": message, "edit_at": now, "update_at": now}
        await self.emit(_post_event("post_edited", self.posts[post_id]))
        return self.posts[post_id]

    async def delete(self, post_id: str) -> None:
        now = self.now()
        event = _post_event("post_deleted", self.posts[post_id])
        self.posts[post_id] |= {"message": "", "delete_at": now, "update_at": now}
        await self.emit(event)

    async def add_member(self, channel_id: str, user_id: str, adder_id: str) -> None:
        """`user_added` without the adder, then the post that names him."""
        self.members[channel_id].add(user_id)
        data = {"team_id": self.channels[channel_id]["team_id"], "user_id": user_id}
        await self.emit(_event("user_added", data, channel_id=channel_id))
        added, adder = self.users[user_id]["username"], self.users[adder_id]["username"]
        props = {"addedUserId": user_id, "addedUsername": added, "userId": adder_id, "username": adder}
        text = f"{added} added to the channel by {adder}."
        await self.post(adder_id, channel_id, text, type="system_add_to_channel", props=props, sender_name="System")

    async def remove_member(self, channel_id: str, user_id: str, remover_id: str) -> None:
        """Told to the removed bot in one form, to others in another."""
        self.members[channel_id].discard(user_id)
        if user_id == HERMES:
            data = {"channel_id": channel_id, "remover_id": remover_id}
            await self.emit(_event("user_removed", data, user_id=user_id))
        else:
            await self.emit(
                _event("user_removed", {"remover_id": remover_id, "user_id": user_id}, channel_id=channel_id)
            )

    # -- what goes wrong

    def revoke_token(self) -> None:
        """Open sockets go on receiving; only calls and pings fail."""
        self.token = new_id()
        self.ping_answer = "FAIL"

    def disable_bot(self) -> None:
        self.users[HERMES]["delete_at"] = self.now()
        self.ping_answer = "FAIL"

    def limit_rate(self, times: int, retry_after: int = 1) -> None:
        """429 as recorded."""
        headers = {"Retry-After": str(retry_after), "X-Ratelimit-Limit": "6, 6", "X-Ratelimit-Reset": "2, 2"}
        self.faults.append(Fault(429, times, headers, "limit exceeded\n"))

    def cut(self) -> None:
        """Abort every socket. What is emitted while the client is away is kept for a resume."""
        for connection in self.connections:
            if connection.socket is not None:
                _abort(connection.socket)
            connection.socket = None

    def black_hole(self) -> None:
        """Nothing more arrives on the open sockets, though they stay open."""
        for connection in self.connections:
            connection.silent = True

    def lose(self, event: Object) -> None:
        """An event that is numbered and kept, but does not arrive."""
        for connection in self.connections:
            connection.number(event)

    def skip(self, count: int = 1) -> None:
        """Numbers that no event has."""
        for connection in self.connections:
            connection.seq += count

    # -- what is told

    async def emit(self, *events: Object | str) -> None:
        """Events or recorded frames, to every connection with its next seq."""
        for event in events:
            told: Object = json.loads(event) if isinstance(event, str) else event
            for connection in self.connections:
                await connection.send(connection.number(told))

    async def emit_raw(self, frame: str) -> None:
        """Exactly this, whatever it is."""
        for connection in self.connections:
            await connection.send(frame)

    def posted(self, post: Object, sender_name: str = "") -> Object:
        """The event that tells of a post."""
        channel = self.channels[post["channel_id"]]
        author = self.users[post["user_id"]]["username"]
        data: Object = {
            "channel_display_name": f"@{author}" if channel["type"] == "D" else channel["display_name"],
            "channel_name": channel["name"],
            "channel_type": channel["type"],
            "post": json.dumps(post, ensure_ascii=False, separators=(",", ":")),
            "sender_name": sender_name or f"@{author}",
            "set_online": True,
            "team_id": channel["team_id"],
        }
        if mentions := self._mentioned(post):
            data["mentions"] = json.dumps(mentions, separators=(",", ":"))
        if infos := post["metadata"].get("files"):
            data["otherFile"] = "true"
            if any(info["mime_type"].startswith("image/") for info in infos):
                data["image"] = "true"
        return _event("posted", data, channel_id=post["channel_id"])

    def now(self) -> int:
        """Milliseconds, never the same twice."""
        self._now = max(self._now + 1, int(time.time() * 1000))
        return self._now

    # -- what the adapter sees

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        self.upgrades.append(dict(request.query))
        if self.refuse_upgrade is not None:
            status, headers = self.refuse_upgrade
            return web.Response(status=status, headers=headers)
        socket = web.WebSocketResponse(max_msg_size=CLIENT_FRAME_BYTES)
        await socket.prepare(request)
        if not self.knows(request.headers):
            with suppress(TimeoutError):
                async with asyncio.timeout(self.bad_token_delay):
                    async for message in socket:
                        await self._act(Connection(socket=socket), message, self.ping_answer and "FAIL")
            _abort(socket)
            return socket
        await asyncio.sleep(self.hello_delay)
        connection = await self._connected(socket, request.query)
        async for message in socket:
            if connection.socket is socket and not connection.silent:
                await self._act(connection, message, self.ping_answer)
        if connection.socket is socket:
            connection.socket = None
        return socket

    async def _connected(self, socket: web.WebSocketResponse, query: Mapping[str, str]) -> Connection:
        """The connection that is resumed, with what it missed sent; else a new one, greeted."""
        wanted, seq = query.get("connection_id"), int(query.get("sequence_number") or 0)
        for connection in self.connections:
            missed = [frame for number, frame in connection.kept if number >= seq]
            if self.resumes and connection.id == wanted and len(missed) == connection.seq - seq:
                connection.socket, connection.silent = socket, False
                for frame in missed:
                    await connection.send(frame)
                return connection
        connection = Connection(socket=socket)
        self.connections.append(connection)
        hello = {"connection_id": connection.id, "server_version": "5.37.0..fake.false"}
        await connection.send(connection.number(_event("hello", hello, user_id=HERMES)))
        return connection

    async def _act(self, connection: Connection, message: WSMessage, answer: str | None) -> None:
        if message.type is not WSMsgType.TEXT or answer is None:
            return
        action = json.loads(message.data)
        self.actions.append(action)
        reply: Object = {"status": answer, "seq_reply": action["seq"]}
        if answer == "FAIL":
            error = {"id": "api.context.session_expired.app_error", "status_code": 401}
            reply["error"] = {**error, "message": "Invalid session", "detailed_error": f"token={TOKEN} is invalid"}
        else:
            reply["data"] = {"text": "pong"}
        await connection.send(json.dumps(reply))

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries the bot's token."""
        return headers.get("Authorization") == f"Bearer {self.token}"

    def called(self, method: str, path: str) -> list[Call]:
        """The calls of that method whose path starts so."""
        return [call for call in self.calls if call.method == method and call.path.startswith(path)]

    async def connected(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until that many sockets are open and greeted or resumed."""
        async with asyncio.timeout(timeout):
            while sum(connection.socket is not None for connection in self.connections) < count:
                await asyncio.sleep(0.005)

    def _mentioned(self, post: Object) -> list[str]:
        """Evidence only, coarser than the server's grammar."""
        members = [user_id for user_id in self.members[post["channel_id"]] if user_id != post["user_id"]]
        if self.channels[post["channel_id"]]["type"] == "D":
            return members
        names = {name.rstrip(".-_:").lower() for name in re.findall(r"@([\w.:-]+)", post["message"])}
        everybody = names & {"channel", "all", "here"}
        return [user_id for user_id in members if everybody or self.users[user_id]["username"] in names]


def _event(name: str, data: Object, *, user_id: str = "", channel_id: str = "") -> Object:
    broadcast = {"omit_users": None, "user_id": user_id, "channel_id": channel_id, "team_id": ""}
    return {"event": name, "data": data, "broadcast": broadcast}


def _post_event(name: str, post: Object) -> Object:
    text = json.dumps(post, ensure_ascii=False, separators=(",", ":"))
    return _event(name, {"post": text}, channel_id=post["channel_id"])


def _abort(socket: web.WebSocketResponse) -> None:
    request = socket._req
    if request is not None and request.transport is not None:
        request.transport.abort()
