"""A stand-in for a Mattermost server: REST under /api/v4 and the WebSocket, answering as 5.37 was recorded.

It has no database and one bot account: users, channels, members and posts are what it is given. Permissions, markdown
and thread notifications are not imitated.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .rest import Object, RestApi, new_id
from .routes import Routes
from .websocket import TOKEN, Connection, WebSocketApi, abort, event_of, post_event

_REQUEST_BYTES = 64 * 2**20
_TEMPLATES: Mapping[str, Any] = {
    "post_create_201": {"edit_at": 0, "delete_at": 0, "is_pinned": False, "root_id": "", "parent_id": "",
                        "original_id": "", "type": "", "props": {}, "hashtags": "", "pending_post_id": "",
                        "reply_count": 0, "last_reply_at": 0, "participants": None, "metadata": {}},
    "channel_leave_self": {"roles": "channel_user", "notify_props": {}},
    "users_me_teams": [],
    "config_client": {"Version": "5.37.0", "MaxPostSize": "16383", "MaxFileSize": "52428800"},
    "system_ping": {"status": "OK"},
}  # fmt: skip


@dataclass
class ReplayServer:
    """Serves from `start` until `stop`; `async with` does both."""

    token: str = TOKEN
    prefix: str = ""
    """A path before /api/v4."""
    me_id: str = ""
    users: dict[str, Object] = field(default_factory=dict)
    channels: dict[str, Object] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """Channel id to user ids."""
    posts: dict[str, Object] = field(default_factory=dict)

    refuse_upgrade: tuple[int, dict[str, str]] | None = None
    """Status and headers instead of 101."""
    bad_token_delay: float = 5.0
    """Seconds until a socket without a valid token is cut."""
    hello_delay: float = 0.0
    ping_answer: str | None = "OK"
    """OK, FAIL, or None for no answer. Without a valid token it is FAIL or none."""
    resumes: bool = True
    """False: every connection id is unknown, as after a restart."""
    ahead: int = 0
    """How many milliseconds the server's clock is ahead of this machine's."""

    upgrades: list[dict[str, str]] = field(default_factory=list)
    """Query parameters of every WebSocket upgrade."""
    actions: list[Object] = field(default_factory=list)
    """What clients sent over WebSockets."""
    connections: list[Connection] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None
    _now: int = 0

    async def __aenter__(self) -> ReplayServer:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self, port: int = 0, host: str = "127.0.0.1", ssl_context: Any = None) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application(client_max_size=_REQUEST_BYTES)
        app.router.add_get(f"{self.prefix}/api/v4/websocket", WebSocketApi(self).handle)
        app.router.add_route("*", f"{self.prefix}/api/v4/{{path:.*}}", self.rest().handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port, ssl_context=ssl_context).start()
        address, bound = self._runner.addresses[0][:2]
        scheme = "https" if ssl_context else "http"
        self.url = f"{scheme}://{f'[{address}]' if ':' in address else address}:{bound}{self.prefix}"

    async def stop(self) -> None:
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def rest(self) -> RestApi:
        """What answers REST calls."""
        return RestApi(self, Routes(self).table())

    def template(self, name: str) -> Any:
        """What an answer of that kind has besides what is known here."""
        return _TEMPLATES[name]

    # -- what people do

    async def post(
        self, user_id: str, channel_id: str, message: str, *, sender_name: str = "", **fields: Any
    ) -> Object:
        """A post of that user, stored, and told to the bot if it is a member. `fields` are the post's: root_id, ..."""
        post = self.store(user_id, channel_id, message, **fields)
        if self.me_id in self.members[channel_id]:
            await self.emit(self.posted(post, sender_name))
        return post

    def store(self, user_id: str, channel_id: str, message: str, **fields: Any) -> Object:
        """A post that no event tells of."""
        now = self.now()
        post = {
            **self.template("post_create_201"),
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
        if infos := self.infos_of(post):
            post["metadata"] = {"files": [{**info, "post_id": post["id"]} for info in infos]}
        if root := self.posts.get(post["root_id"]):
            root["update_at"] = now
            root["reply_count"] += 1
        self.posts[post["id"]] = post
        self.channels[channel_id]["last_post_at"] = post["create_at"]
        return post

    def infos_of(self, post: Object) -> list[Object]:
        """The FileInfos of the files a new post names."""
        return []

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

    async def remove_member(self, channel_id: str, user_id: str, remover_id: str) -> None:
        """Told to the removed bot in one form, to others in another."""
        self.members[channel_id].discard(user_id)
        if user_id == self.me_id:
            data = {"channel_id": channel_id, "remover_id": remover_id}
            await self.emit(event_of("user_removed", data, user_id=user_id))
        else:
            await self.emit(
                event_of("user_removed", {"remover_id": remover_id, "user_id": user_id}, channel_id=channel_id)
            )

    # -- what goes wrong

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
        return self._now + self.ahead

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries the bot's token."""
        return headers.get("Authorization") == f"Bearer {self.token}"

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
