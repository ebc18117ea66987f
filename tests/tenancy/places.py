"""Chats of three servers: Signal and Mattermost of one profile, and Mattermost of another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, OWN_ACI, FakeSignalDaemon, contact, group
from tests.gateway_process import signal_env
from tests.scene_signal import BOT, BOT_ITSELF, Person, variant

LABELS = ("maple", "otter", "comet", "ferry", "amber", "quilt", "basil", "heron", "lotus", "pixel", "tango", "velvet")
"""The words that tell chats apart. They are no secrets."""


class Sent(NamedTuple):
    """A message that left the gateway."""

    chat: str
    text: str
    files: tuple[bytes, ...] = ()


@dataclass
class Place:
    """A place in which one person talks. Several may share an owner: a channel and its threads, a group's people."""

    name: str
    owner: str
    label: str
    profile: str
    address: str
    """The chat as the host names it for its deliveries."""
    say: Callable[[str], Awaitable[object]]
    mutter: Callable[[str], Awaitable[object]] | None = None
    """Say something that is not for the agent."""


@dataclass
class Networks:
    """The servers, and everything that was sent to them."""

    daemon: FakeSignalDaemon
    servers: dict[str, FakeMattermostServer]
    """By the name of their profile."""
    places: list[Place] = field(default_factory=list)
    _on_signal: list[Sent] = field(default_factory=list)
    """All that was sent on Signal: files are read at once, while they are there."""

    def sent(self) -> Iterator[Sent]:
        """Yield all that left the gateway."""
        yield from self._on_signal
        for server in self.servers.values():
            for post in server.posts.values():
                if post["user_id"] == HERMES:
                    files = tuple(server.files[file_id][1] for file_id in post.get("file_ids") or ())
                    yield Sent(f"mattermost:{post['channel_id']}", post["message"], files)

    def owner(self, chat: str) -> str:
        """Return the owner of a chat that something was sent to."""
        return next((place.owner for place in self.places if place.address == chat), "")

    async def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what is sent on Signal."""
        person, *_ = *params.get("recipient", ()), ""
        numbers = {each["uuid"]: each["number"] for each in self.daemon.contacts}
        chat = f"group:{params['groupId']}" if params.get("groupId") else numbers.get(person, person)
        files = tuple(_content(str(each)) for each in params.get("attachments") or ())
        self._on_signal.append(Sent(f"signal:{chat}", str(params.get("message") or ""), files))
        return {"timestamp": len(self._on_signal), "results": []}


def _content(attachment: str) -> bytes:
    path = Path(attachment)
    return path.read_bytes() if path.is_file() else attachment.encode()


def networks() -> Networks:
    """Return servers with all chats."""
    daemon = FakeSignalDaemon(contacts=[contact(ACCOUNT, OWN_ACI, "Hermes")], groups=[])
    servers = {"default": FakeMattermostServer(), "other": FakeMattermostServer(token="b" * 26)}
    found = Networks(daemon, servers)
    daemon.handlers["send"] = found.keep
    labels = iter(LABELS)
    people = [_person(n) for n in range(3)]
    for person in people:
        daemon.contacts.append(contact(person.number, person.aci, person.name))
        found.places.append(_direct(daemon, person, next(labels)))
    for n, members in enumerate([people, people[:2], people[1:]]):
        found.places += _group(daemon, n, members, next(labels))
    found.places += _mattermost(servers["default"], "default", [next(labels) for _ in range(4)])
    found.places += _mattermost(servers["other"], "other", [next(labels) for _ in range(2)])
    return found


def settings(on: Networks) -> dict[str, dict[str, str]]:
    """Return the environment of each profile."""
    numbers = ",".join(str(each["number"]) for each in on.daemon.contacts[1:])
    groups = ",".join(each["id"] for each in on.daemon.groups)
    signal = signal_env(on.daemon.url, ACCOUNT, users=numbers, groups=groups, SIGNAL_REQUIRE_MENTION="true")
    # Everybody in both: a job of another profile puts that profile's environment in place of the process's, and the
    # host looks up the people of the default profile there (cron/scheduler.py, run_job; gateway/authz_mixin.py).
    people = ",".join(user for server in on.servers.values() for user in server.users if user != HERMES)
    return {
        name: (signal if name == "default" else {})
        | {"MATTERMOST_URL": each.url, "MATTERMOST_TOKEN": each.token, "MATTERMOST_ALLOWED_USERS": people}
        for name, each in on.servers.items()
    }


def _person(n: int) -> Person:
    return Person(f"Person {n}", f"{n}7777777-7777-4777-8777-77777777777{n}", f"+1555000777{n}")


def _direct(daemon: FakeSignalDaemon, person: Person, label: str) -> Place:
    async def say(text: str) -> None:
        await daemon.emit_event(variant("dm_text", person, text=text))

    return Place(f"Signal, {person.name}", f"direct {label}", label, "default", f"signal:{person.number}", say)


def _group(daemon: FakeSignalDaemon, n: int, members: list[Person], label: str) -> Iterator[Place]:
    group_id = f"{n}AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
    everybody = (BOT_ITSELF, *members)
    daemon.groups.append(group(group_id, name=label.title(), members=tuple(each.address for each in everybody)))

    def saying(person: Person, kind: str, prefix: str, *mentions: Person) -> Callable[[str], Awaitable[object]]:
        async def say(text: str) -> None:
            await daemon.emit_event(
                variant(kind, person, text=f"{prefix}{text}", group_id=group_id, group_name=label.title(),
                        mentions=mentions or None)
            )  # fmt: skip

        return say

    for person in members[:2]:
        yield Place(
            f"Signal, {label}, {person.name}",
            f"group {label}",
            label,
            "default",
            f"signal:group:{group_id}",
            saying(person, "group_mention_bot", f"{BOT} ", BOT_ITSELF),
            saying(person, "group_text", ""),
        )


def _mattermost(server: FakeMattermostServer, profile: str, labels: list[str]) -> Iterator[Place]:
    """Yield half of the labels as channels, each with a thread, and half as direct messages."""
    half = len(labels) // 2
    for label in labels[:half]:
        person = server.add_user(f"{label}.person")
        channel = server.add_channel(f"{label}-channel", "O", {HERMES, person})
        # No post of the bot's: a thread where it has not spoken needs a mention.
        root = server.store(person, channel, "a question")["id"]
        for name, more in (("channel", {}), ("thread", {"root_id": root})):
            yield Place(
                f"Mattermost, {label}, {name}",
                f"channel {label}",
                label,
                profile,
                f"mattermost:{channel}",
                _posting(server, person, channel, "@hermes ", more),
                # In a thread that the bot takes part in, everything is for it.
                None if more else _posting(server, person, channel, "", more),
            )
    for label in labels[half:]:
        person = server.add_user(f"{label}.person")
        channel = server.add_channel(f"{label}__hermes", "D", {HERMES, person})
        say = _posting(server, person, channel, "", {})
        yield Place(f"Mattermost, {label}", f"direct {label}", label, profile, f"mattermost:{channel}", say)


def _posting(
    server: FakeMattermostServer, person: str, channel: str, prefix: str, fields: dict[str, str]
) -> Callable[[str], Awaitable[object]]:
    return lambda text: server.post(person, channel, f"{prefix}{text}", **fields)
