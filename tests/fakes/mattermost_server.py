"""An in-process stand-in for a Mattermost server: REST under /api/v4 and the WebSocket, answering as 5.37 was recorded.

It has no database and one bot account: users, channels, members, posts and files are what a test puts in. Permissions,
markdown and thread notifications are not imitated.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from .mattermost_rest import HERMES, Call, Fault, Object, RestApi, new_id, recorded
from .mattermost_routes import Routes, file_info
from .mattermost_websocket import TOKEN, Connection, WebSocketApi, abort, event_of, post_event

FRAMES = Path(__file__).parent.parent / "fixtures" / "mattermost"

ALICE = "bq94ybh58insbfxpqbj3ktfcgr"
BOB = "fch9t9fgk38a5erhqkg6grycca"
TEAM = "uottyduth3bdfkhdsat7bjwerc"
OPS = "muqt1b4m93gydrwz6eqdui8wiw"
SECRET = "sbyx9jydibdkfen919tecwcssy"
DM = "6758nw41xbfctxqdqxftxr6k8y"
GROUP_MESSAGE = "nkb6nhdj33dw9qi37eh5wz7tua"


def recorded_frames(name: str) -> list[str]:
    """The raw frames recorded under that scenario name."""
    return (FRAMES / f"{name}.jsonl").read_text().splitlines()


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
    config: Object = field(default_factory=dict)
    """What differs from the recorded client configuration."""
    roles: dict[str, list[str]] = field(default_factory=lambda: {"channel_user": ["create_post", "upload_file"]})
    """Permissions by role. Answers about roles were not recorded: they follow Mattermost's API reference."""

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
        app.router.add_get(f"{self.prefix}/api/v4/websocket", WebSocketApi(self).handle)
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
        """A post of that user, stored, and told to the bot if it is a member. `fields` are the post's: root_id, ..."""
        post = self.store(user_id, channel_id, message, **fields)
        if HERMES in self.members[channel_id]:
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
        await self.emit(post_event("post_edited", self.posts[post_id]))
        return self.posts[post_id]

    async def delete(self, post_id: str) -> None:
        now = self.now()
        deleted = post_event("post_deleted", self.posts[post_id])
        self.posts[post_id] |= {"message": "", "delete_at": now, "update_at": now}
        await self.emit(deleted)

    async def add_member(self, channel_id: str, user_id: str, adder_id: str) -> None:
        """`user_added` without the adder, then the post that names him."""
        self.members[channel_id].add(user_id)
        data = {"team_id": self.channels[channel_id]["team_id"], "user_id": user_id}
        await self.emit(event_of("user_added", data, channel_id=channel_id))
        added, adder = self.users[user_id]["username"], self.users[adder_id]["username"]
        props = {"addedUserId": user_id, "addedUsername": added, "userId": adder_id, "username": adder}
        text = f"{added} added to the channel by {adder}."
        await self.post(adder_id, channel_id, text, type="system_add_to_channel", props=props, sender_name="System")

    async def remove_member(self, channel_id: str, user_id: str, remover_id: str) -> None:
        """Told to the removed bot in one form, to others in another."""
        self.members[channel_id].discard(user_id)
        if user_id == HERMES:
            data = {"channel_id": channel_id, "remover_id": remover_id}
            await self.emit(event_of("user_removed", data, user_id=user_id))
        else:
            await self.emit(
                event_of("user_removed", {"remover_id": remover_id, "user_id": user_id}, channel_id=channel_id)
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
                abort(connection.socket)
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
        return event_of("posted", data, channel_id=post["channel_id"])

    def now(self) -> int:
        """Milliseconds, never the same twice."""
        self._now = max(self._now + 1, int(time.time() * 1000))
        return self._now

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
