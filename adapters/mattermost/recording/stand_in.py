"""A stand-in for a Mattermost server: WebSocket and REST under /api/v4, with the answers of a recorded 5.37.

It has one bot account and no database: users, channels, members and posts are passed in. It does not imitate
permissions, Markdown and thread notifications.
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

from ....common.recording.documents import Object
from .stand_in_rest import RestApi, new_id
from .stand_in_routes import Routes
from .stand_in_websocket import TOKEN, Connection, WebSocketApi, abort, event_of, post_event

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
    """A server that serves from `start` until `stop`; `async with` calls both."""

    token: str = TOKEN
    prefix: str = ""
    """A path before /api/v4."""
    me_id: str = ""
    users: dict[str, Object] = field(default_factory=dict)
    channels: dict[str, Object] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)
    """Maps a channel id to user ids."""
    posts: dict[str, Object] = field(default_factory=dict)

    refuse_upgrade: tuple[int, dict[str, str]] | None = None
    """Status and headers instead of 101."""
    bad_token_delay: float = 5.0
    """Seconds until a socket without a valid token is cut."""
    hello_delay: float = 0.0
    ping_answer: str | None = "OK"
    """OK, FAIL, or None for no answer. A client without a valid token gets FAIL instead of OK."""
    resumes: bool = True
    """False: every connection id is unknown, as after a restart."""
    ahead: int = 0
    """Milliseconds by which the server's clock is ahead of this machine's."""

    upgrades: list[dict[str, str]] = field(default_factory=list)
    """Query parameters of every WebSocket upgrade."""
    actions: list[Object] = field(default_factory=list)
    """Actions that clients sent over WebSockets."""
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
        """Start listening. Raises OSError if the port is in use."""
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
        """Return the handler of REST calls."""
        return RestApi(self, Routes(self).table())

    def template(self, name: str) -> Any:
        """Return the constant fields of an answer of that kind."""
        return _TEMPLATES[name]

    # -- actions of people

    async def post(
        self, user_id: str, channel_id: str, message: str, *, sender_name: str = "", **fields: Any
    ) -> Object:
        """Store a post by a user, and send its event if the bot is a member. `fields` are the post's: root_id, …"""
        post = self.store(user_id, channel_id, message, **fields)
        if self.me_id in self.members[channel_id]:
            await self.emit(self.posted(post, sender_name))
        return post

    def store(self, user_id: str, channel_id: str, message: str, **fields: Any) -> Object:
        """Store a post without an event."""
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
        """Return the FileInfos of the files that a new post refers to."""
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

    async def react(self, user_id: str, post_id: str, emoji_name: str, *, removed: bool = False) -> Object:
        """React to a post, or take a reaction away."""
        now = self.now()
        reaction = {"user_id": user_id, "post_id": post_id, "emoji_name": emoji_name, "create_at": now}
        data = {"reaction": json.dumps(reaction, separators=(",", ":"))}
        name = "reaction_removed" if removed else "reaction_added"
        await self.emit(event_of(name, data, channel_id=self.posts[post_id]["channel_id"]))
        return reaction

    async def remove_member(self, channel_id: str, user_id: str, remover_id: str) -> None:
        """Remove a member. The event has one form for the bot that was removed, another for the other members."""
        self.members[channel_id].discard(user_id)
        if user_id == self.me_id:
            data = {"channel_id": channel_id, "remover_id": remover_id}
            await self.emit(event_of("user_removed", data, user_id=user_id))
        else:
            await self.emit(
                event_of("user_removed", {"remover_id": remover_id, "user_id": user_id}, channel_id=channel_id)
            )

    # -- faults

    def cut(self) -> None:
        """Abort every socket. Events that follow are kept for a resume."""
        for connection in self.connections:
            if connection.socket is not None:
                abort(connection.socket)
            connection.socket = None

    def black_hole(self) -> None:
        """Keep the open sockets open, but never send on them again."""
        for connection in self.connections:
            connection.silent = True

    def skip(self, count: int = 1) -> None:
        """Skip sequence numbers."""
        for connection in self.connections:
            connection.seq += count

    # -- events

    async def emit(self, *events: Object | str) -> None:
        """Send events or recorded frames to every connection, numbered for each."""
        for event in events:
            parsed: Object = json.loads(event) if isinstance(event, str) else event
            for connection in self.connections:
                await connection.send(connection.number(parsed))

    def posted(self, post: Object, sender_name: str = "") -> Object:
        """Return the `posted` event of a post."""
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
        """Return the server's time in milliseconds, never the same twice."""
        self._now = max(self._now + 1, int(time.time() * 1000))
        return self._now + self.ahead

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Return True if a request has the bot's token."""
        return headers.get("Authorization") == f"Bearer {self.token}"

    async def connected(self, count: int = 1, timeout: float = 5.0) -> None:
        """Wait until that many sockets are open and greeted or resumed."""
        async with asyncio.timeout(timeout):
            while sum(connection.socket is not None for connection in self.connections) < count:
                await asyncio.sleep(0.005)

    def _mentioned(self, post: Object) -> list[str]:
        """Return the mentioned members, found by a coarser grammar than the server's."""
        members = [user_id for user_id in self.members[post["channel_id"]] if user_id != post["user_id"]]
        if self.channels[post["channel_id"]]["type"] == "D":
            return members
        names = {name.rstrip(".-_:").lower() for name in re.findall(r"@([\w.:-]+)", post["message"])}
        everybody = names & {"channel", "all", "here"}
        return [user_id for user_id in members if everybody or self.users[user_id]["username"] in names]
