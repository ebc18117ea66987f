"""Plays a Mattermost fixture on a stand-in for the server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ....common.recording.documents import Object
from ....common.recording.playback import Faults, Replay, delays
from .fixture import load, post_of
from .stand_in import ReplayServer

_POLL_SECONDS = 0.02


def prepare(path: Path, faults: Faults, speed: float | None) -> Replay:
    """Prepare the replay of a fixture, or of a folder of fixtures. Raises ConfigError."""
    fixture = load(path)
    server = fixture.server()
    return Replay(
        server,
        Playback(server, fixture.frames, delays(fixture.times, speed), faults),
        len(fixture.frames),
        lambda url: {"MATTERMOST_URL": url, "MATTERMOST_TOKEN": server.token},
    )


class Playback:
    """Plays frames in order while a client is connected, with new sequence numbers on each connection.

    `waits` are the seconds before each frame; `played` counts the frames sent. The posts and members in played frames
    are then available over REST.
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
        """Play all frames, then return."""
        for number, (frame, wait) in enumerate(zip(self._frames, self._waits, strict=True), 1):
            # After a cut, do not wait for a client: like a real server, this one keeps the next event for the resume.
            if not self._client_lost(number - 1):
                await self._wait_for_client()
                await self._sleep(wait)
            if self._faults.happens_at("gap", number):
                self._server.skip()
            self._apply(frame)
            await self._server.emit(frame)
            if self._faults.happens_at("cut", number):
                self._server.cut()
            if self._faults.happens_at("silence", number):
                self._server.black_hole()
            self.played = number
        await self._wait_for_client()

    def _client_lost(self, number: int) -> bool:
        return self._faults.happens_at("cut", number) or self._faults.happens_at("silence", number)

    async def _wait_for_client(self) -> None:
        while not any(one.socket is not None and not one.silent for one in self._server.connections):
            await asyncio.sleep(_POLL_SECONDS)

    def _apply(self, frame: Object) -> None:
        """Update the server's posts and members."""
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


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}
