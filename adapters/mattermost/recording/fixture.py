"""Loads a Mattermost fixture, or a folder of fixtures, with the data that a server needs to serve it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from ....common.core.errors import ConfigError
from ....common.recording.documents import Object, parsed_object
from ....common.recording.playback import cases, sidecar, timeline
from ..mentions.grammar import find_mentions
from .stand_in import ReplayServer

_BETWEEN_CASES = 1.0
_NOBODY = "b" * 26
"""The bot's id if neither a file nor a frame contains it."""
_NAMED = (("userId", "username"), ("addedUserId", "addedUsername"), ("removedUserId", "removedUsername"))


@dataclass
class Fixture:
    """A loaded recording: `frames` are events without `hello`, `times` are seconds, the rest is the server's data."""

    me_id: str = ""
    frames: list[Object] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    users: dict[str, Object] = field(default_factory=dict)
    channels: dict[str, Object] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)

    def server(self) -> ReplayServer:
        """Return a server with the fixture's data, its clock set to the first frame."""
        server = ReplayServer(me_id=self.me_id, users=self.users, channels=self.channels, members=self.members)
        began = next(filter(None, map(_time, self.frames)), None)
        server.ahead = 0 if began is None else int(began * 1000) - server.now()
        return server


def load(path: Path) -> Fixture:
    """Load the recording at a path, or all in a folder. Raises ConfigError if there are no frames, or several bots.

    Data that a recording has no files for is derived from its frames: the bot's id, names, channels and members.
    """
    fixture = Fixture()
    guesses: Counter[str] = Counter()
    bots: set[str] = set()
    for case in cases(path, ".jsonl"):
        lines = [parsed_object(line) for line in case.read_bytes().split(b"\n") if line.strip()]
        times = sidecar(case, ".times.json", list)
        if times is None or len(times) != len(lines):
            times = [_time(frame or {}) for frame in lines]
        pairs = [(frame, time) for frame, time in zip(lines, times, strict=True) if frame and "event" in frame]
        bots.update(_greeted(frame) for frame, _ in pairs)
        pairs = [(frame, time) for frame, time in pairs if frame["event"] != "hello"]
        start = fixture.times[-1] + _BETWEEN_CASES if fixture.times else 0.0
        fixture.times += timeline([time for _, time in pairs], start)
        fixture.frames += [frame for frame, _ in pairs]
        _add_sidecars(fixture, case, bots)
        for frame, _ in pairs:
            _learn(fixture, frame, guesses)
    bots.discard("")
    if not fixture.frames or len(bots) > 1:
        raise ConfigError([f"{path} holds {len(fixture.frames)} frames of {len(bots)} bots; one is needed"])
    fixture.me_id = bots.pop() if bots else next((guess for guess, _ in guesses.most_common(1)), _NOBODY)
    _complete(fixture)
    return fixture


def _add_sidecars(fixture: Fixture, case: Path, bots: set[str]) -> None:
    me = sidecar(case, ".me.json", dict) or {}
    bots.add(str(me.get("id") or ""))
    for user in (me, *(sidecar(case, ".users.json", list) or [])):
        if isinstance(user, dict) and isinstance(user.get("id"), str) and isinstance(user.get("username"), str):
            fixture.users[user["id"]] = {"delete_at": 0, **user}
    for channel in sidecar(case, ".channels.json", list) or []:
        if isinstance(channel, dict) and isinstance(channel.get("id"), str):
            fixture.channels[channel["id"]] = _channel(channel["id"], channel)


def _time(frame: Object) -> float | None:
    """Return the time of a frame's post, in seconds."""
    data = frame.get("data")
    post = post_of(data) if isinstance(data, dict) else None
    return max(post["create_at"], post["update_at"]) / 1000 if post else None


def _greeted(frame: Object) -> str:
    """Return the user to whom a `hello` is addressed; empty for any other frame."""
    broadcast = frame.get("broadcast")
    return str(broadcast.get("user_id") or "") if frame["event"] == "hello" and isinstance(broadcast, dict) else ""


def _learn(fixture: Fixture, frame: Object, guesses: Counter[str]) -> None:
    """Learn users, channels and members. Count candidates for the bot: a frame's only receiver, and mentioned users."""
    data, broadcast = frame.get("data"), frame.get("broadcast")
    if isinstance(broadcast, dict) and broadcast.get("user_id"):
        guesses[str(broadcast["user_id"])] += 10
    post = post_of(data) if isinstance(data, dict) else None
    if not isinstance(data, dict) or post is None or frame["event"] != "posted":
        return
    channel_id = post["channel_id"]
    fixture.channels.setdefault(channel_id, _channel(channel_id, data))
    fixture.members.setdefault(channel_id, set()).update({post["user_id"], *_direct_members(data)})
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


def _direct_members(data: Object) -> list[str]:
    """Return the two users of a direct channel, whose ids are its name."""
    name = data.get("channel_name")
    return name.split("__") if isinstance(name, str) and data.get("channel_type") == "D" else []


def _name(fixture: Fixture, user_id: object, username: object) -> None:
    if isinstance(user_id, str) and isinstance(username, str) and user_id and username:
        fixture.users.setdefault(user_id, {"id": user_id, "username": username.lower(), "delete_at": 0})


def _channel(channel_id: str, source: Object) -> Object:
    """Return a channel in the form of the server's list, from such a list or from a post's frame."""
    channel_type = source.get("type") or source.get("channel_type") or "O"
    display = source.get("display_name") or source.get("channel_display_name") or ""
    return {
        "id": channel_id,
        "team_id": source.get("team_id") or "",
        "type": channel_type,
        "name": source.get("name") or source.get("channel_name") or "",
        "display_name": "" if channel_type == "D" else display,
        "delete_at": 0,
        "last_post_at": 0,
    }


def _complete(fixture: Fixture) -> None:
    """Add the bot to every channel, and names for users without one."""
    for channel_id in fixture.channels:
        fixture.members.setdefault(channel_id, set()).add(fixture.me_id)
    for user_id in {fixture.me_id, *(user for members in fixture.members.values() for user in members)}:
        _name(fixture, user_id, f"user-{user_id[:6]}")
    fixture.users.setdefault(fixture.me_id, {"id": fixture.me_id, "username": "bot", "delete_at": 0})
    fixture.users[fixture.me_id]["is_bot"] = True


def post_of(data: Object) -> Object | None:
    """Return the post in a frame's data; None if there is none that can be served."""
    text = data.get("post")
    post = parsed_object(text) if isinstance(text, str) else None
    if post is None or not all(isinstance(post.get(key), str) for key in ("id", "user_id", "channel_id")):
        return None
    times = ("create_at", "update_at", "edit_at", "delete_at")
    plain = {"root_id": "", "message": "", "metadata": {}, **post}
    return plain | {key: post[key] if isinstance(post.get(key), int) else 0 for key in times}
