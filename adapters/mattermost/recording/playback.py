"""Plays recorded frames on a stand-in for a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ....common.recording.playback import Faults
from ....common.recording.pseudonyms import parsed_object
from .server import ReplayServer

Object = dict[str, Any]

FAULTS = frozenset({"cut", "silence", "gap", "status"})
_POLL_SECONDS = 0.02


class Playback:
    """Plays frames to whoever is connected, numbered anew on each connection, and while nobody is, waits.

    `waits` are the seconds before each frame; `played` counts those that went out. What they tell of posts and of
    channels' members can be asked for over REST from then on.
    """

    def __init__(
        self,
        server: ReplayServer,
        frames: list[Object],
        waits: list[float],
        faults: Faults,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.played = 0
        self._server = server
        self._frames = frames
        self._waits = waits
        self._faults = faults
        self._sleep = sleep
        status = faults.number("status")
        server.refuse_upgrade = None if status is None else (int(status), {})

    async def run(self) -> None:
        """Return when all is played."""
        for number, (frame, wait) in enumerate(zip(self._frames, self._waits, strict=True), 1):
            # The server keeps the next event after a cut for whoever resumes, as a real one does.
            if not self._struck(number - 1):
                await self._listened_to()
                await self._sleep(wait)
            if self._faults.strike("gap", number):
                self._server.skip()
            self._take_note(frame)
            await self._server.emit(frame)
            if self._faults.strike("cut", number):
                self._server.cut()
            if self._faults.strike("silence", number):
                self._server.black_hole()
            self.played = number
        await self._listened_to()

    def _struck(self, number: int) -> bool:
        return self._faults.strike("cut", number) or self._faults.strike("silence", number)

    async def _listened_to(self) -> None:
        while not any(one.socket is not None and not one.silent for one in self._server.connections):
            await asyncio.sleep(_POLL_SECONDS)

    def _take_note(self, frame: Object) -> None:
        data, broadcast = _object(frame.get("data")), _object(frame.get("broadcast"))
        members = self._server.members.get(str(data.get("channel_id") or broadcast.get("channel_id")), set())
        match frame.get("event"):
            case "posted" | "post_edited" | "post_deleted" as event:
                post = post_of(data)
                if post is not None:
                    self._keep(post, deleted=event == "post_deleted")
            case "user_added":
                members.add(str(data.get("user_id")))
            case "user_removed":
                members.discard(str(data.get("user_id") or broadcast.get("user_id")))

    def _keep(self, post: Object, *, deleted: bool) -> None:
        changed = max(post["update_at"], post["create_at"])
        self._server.posts[post["id"]] = post | ({"message": "", "delete_at": changed} if deleted else {})
        if channel := self._server.channels.get(post["channel_id"]):
            channel["last_post_at"] = max(channel["last_post_at"], post["create_at"])


def post_of(data: Object) -> Object | None:
    """The post in a frame, None when it has none that can be served."""
    text = data.get("post")
    post = parsed_object(text) if isinstance(text, str) else None
    if post is None or not all(isinstance(post.get(key), str) for key in ("id", "user_id", "channel_id")):
        return None
    times = ("create_at", "update_at", "edit_at", "delete_at")
    plain = {"root_id": "", "message": "", "metadata": {}, **post}
    return plain | {key: post[key] if isinstance(post.get(key), int) else 0 for key in times}


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
