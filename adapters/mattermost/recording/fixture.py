"""A recorded case, or a folder of them, with what a server needs to serve it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....common.core.errors import ConfigError
from ....common.recording.playback import cases, sidecar, timeline
from ....common.recording.pseudonyms import parsed_object
from ..mentions.grammar import find_mentions
from .playback import post_of
from .server import ReplayServer

Object = dict[str, Any]

_BETWEEN_CASES = 1.0
_NOBODY = "b" * 26
"""The bot's id where nothing tells it."""
_NAMED = (("userId", "username"), ("addedUserId", "addedUsername"), ("removedUserId", "removedUsername"))


@dataclass
class Fixture:
    """`frames` are the events without the greeting, `times` in seconds; the rest is what the server knows."""

    me_id: str = ""
    frames: list[Object] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    users: dict[str, Object] = field(default_factory=dict)
    channels: dict[str, Object] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)

    def server(self) -> ReplayServer:
        """A server that knows what the fixture does, and whose clock is at its beginning."""
        server = ReplayServer(me_id=self.me_id, users=self.users, channels=self.channels, members=self.members)
        began = next(filter(None, map(_time, self.frames)), None)
        server.ahead = 0 if began is None else int(began * 1000) - server.now()
        return server


def load(path: Path) -> Fixture:
    """Raises ConfigError for files that hold no frames, or those of several bots.

    What no file beside a case tells is taken from its frames: whose socket it was, who has which name, which channels
    there are and who is in them.
    """
    fixture = Fixture()
    guesses: Counter[str] = Counter()
    told: set[str] = set()
    for case in cases(path, ".jsonl"):
        lines = [parsed_object(line) for line in case.read_bytes().split(b"\n") if line.strip()]
        times = sidecar(case, ".times.json", list)
        if times is None or len(times) != len(lines):
            times = [_time(frame or {}) for frame in lines]
        pairs = [(frame, time) for frame, time in zip(lines, times, strict=True) if frame and "event" in frame]
        told.update(_greeted(frame) for frame, _ in pairs)
        pairs = [(frame, time) for frame, time in pairs if frame["event"] != "hello"]
        start = fixture.times[-1] + _BETWEEN_CASES if fixture.times else 0.0
        fixture.times += timeline([time for _, time in pairs], start)
        fixture.frames += [frame for frame, _ in pairs]
        _take_sidecars(fixture, case, told)
        for frame, _ in pairs:
            _learn(fixture, frame, guesses)
    told.discard("")
    if not fixture.frames or len(told) > 1:
        raise ConfigError([f"{path} holds {len(fixture.frames)} frames of {len(told)} bots; one is needed"])
    fixture.me_id = told.pop() if told else next((guess for guess, _ in guesses.most_common(1)), _NOBODY)
    _complete(fixture)
    return fixture


def _take_sidecars(fixture: Fixture, case: Path, told: set[str]) -> None:
    me = sidecar(case, ".me.json", dict) or {}
    told.add(str(me.get("id") or ""))
    for user in (me, *(sidecar(case, ".users.json", list) or [])):
        if isinstance(user, dict) and isinstance(user.get("id"), str) and isinstance(user.get("username"), str):
            fixture.users[user["id"]] = {"delete_at": 0, **user}
    for channel in sidecar(case, ".channels.json", list) or []:
        if isinstance(channel, dict) and isinstance(channel.get("id"), str):
            fixture.channels[channel["id"]] = _channel(channel["id"], channel)


def _time(frame: Object) -> float | None:
    """When something was said, in seconds."""
    data = frame.get("data")
    post = post_of(data) if isinstance(data, dict) else None
    return max(post["create_at"], post["update_at"]) / 1000 if post else None


def _greeted(frame: Object) -> str:
    """Whom the server greets; empty in any other frame."""
    broadcast = frame.get("broadcast")
    return str(broadcast.get("user_id") or "") if frame["event"] == "hello" and isinstance(broadcast, dict) else ""


def _learn(fixture: Fixture, frame: Object, guesses: Counter[str]) -> None:
    """Who is who and where, and who the bot may be: what is told to one user, or mentions one, is most often his."""
    data, broadcast = frame.get("data"), frame.get("broadcast")
    if isinstance(broadcast, dict) and broadcast.get("user_id"):
        guesses[str(broadcast["user_id"])] += 10
    post = post_of(data) if isinstance(data, dict) else None
    if not isinstance(data, dict) or post is None or frame["event"] != "posted":
        return
    channel_id = post["channel_id"]
    fixture.channels.setdefault(channel_id, _channel(channel_id, data))
    fixture.members.setdefault(channel_id, set()).update({post["user_id"], *_of_direct(data)})
    sender = data.get("sender_name")
    if isinstance(sender, str) and sender.startswith("@"):
        _name(fixture, post["user_id"], sender[1:])
    props = found if isinstance(found := post.get("props"), dict) else {}
    for id_key, name_key in _NAMED:
        _name(fixture, props.get(id_key), props.get(name_key))
    mentioned = _mentioned(data)
    guesses.update(mentioned)
    unknown = find_mentions(str(post["message"]), lambda _: None).unknown
    if len(mentioned) == 1 and len(unknown) == 1 and data.get("channel_type") != "D":
        _name(fixture, mentioned[0], unknown[0])


def _mentioned(data: Object) -> list[str]:
    parsed = parsed_object(f'{{"ids":{data["mentions"]}}}') if isinstance(data.get("mentions"), str) else None
    ids = parsed["ids"] if parsed and isinstance(parsed["ids"], list) else []
    return [one for one in ids if isinstance(one, str)]


def _of_direct(data: Object) -> list[str]:
    """The two people of a direct channel, whose ids are its name."""
    name = data.get("channel_name")
    return name.split("__") if isinstance(name, str) and data.get("channel_type") == "D" else []


def _name(fixture: Fixture, user_id: object, username: object) -> None:
    if isinstance(user_id, str) and isinstance(username, str) and user_id and username:
        fixture.users.setdefault(user_id, {"id": user_id, "username": username.lower(), "delete_at": 0})


def _channel(channel_id: str, told: Object) -> Object:
    """A channel as the server lists it, from such a list or from the frame of a post in it."""
    channel_type = told.get("type") or told.get("channel_type") or "O"
    display = told.get("display_name") or told.get("channel_display_name") or ""
    return {
        "id": channel_id,
        "team_id": told.get("team_id") or "",
        "type": channel_type,
        "name": told.get("name") or told.get("channel_name") or "",
        "display_name": "" if channel_type == "D" else display,
        "delete_at": 0,
        "last_post_at": 0,
    }


def _complete(fixture: Fixture) -> None:
    """The bot is in every channel it heard of, and everybody has a name."""
    for channel_id in fixture.channels:
        fixture.members.setdefault(channel_id, set()).add(fixture.me_id)
    for user_id in {fixture.me_id, *(user for members in fixture.members.values() for user in members)}:
        _name(fixture, user_id, f"user-{user_id[:6]}")
    fixture.users.setdefault(fixture.me_id, {"id": fixture.me_id, "username": "bot", "delete_at": 0})
    fixture.users[fixture.me_id]["is_bot"] = True
