"""A recorded case, or a folder of them, with what a daemon needs to serve it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....common.core.errors import ConfigError
from ....common.recording.playback import cases, sidecar, timeline
from .rewriting import events_of

Object = dict[str, Any]

_PAIRS = (
    ("number", "uuid"),
    ("sourceNumber", "sourceUuid"),
    ("authorNumber", "authorUuid"),
    ("targetAuthorNumber", "targetAuthorUuid"),
    ("destinationNumber", "destinationUuid"),
    ("senderNumber", "senderUuid"),
)
_BETWEEN_CASES = 1.0


@dataclass
class Fixture:
    """`events` are as they go over the wire, `times` in seconds; contacts and groups are what the daemon lists."""

    account: str
    events: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    contacts: list[Object] = field(default_factory=list)
    groups: list[Object] = field(default_factory=list)


def load(path: Path) -> Fixture:
    """Raises ConfigError for files that hold no events of one account.

    What no file beside a case tells is taken from its events: who has which number and ACI, and which groups there are.
    """
    fixture = Fixture("")
    accounts: set[str] = set()
    for case in cases(path, ".sse"):
        body = case.read_bytes()
        blocks = [block + b"\n\n" for block in body.split(b"\n\n") if events_of(block)]
        events = [events_of(block)[0] for block in blocks]
        accounts.update(event["account"] for event in events if isinstance(event.get("account"), str))
        times = sidecar(case, ".times.json", list)
        if times is None or len(times) != len(blocks):
            times = [_delivered(event) for event in events]
        start = fixture.times[-1] + _BETWEEN_CASES if fixture.times else 0.0
        fixture.times += timeline(times, start)
        fixture.events += blocks
        contacts, groups = sidecar(case, ".contacts.json", list), sidecar(case, ".groups.json", list)
        fixture.contacts += _met(events) if contacts is None else contacts
        fixture.groups += _spoken_in(events) if groups is None else groups
    if not fixture.events or len(accounts) != 1:
        raise ConfigError([f"{path} holds events of {len(accounts)} accounts; one is needed"])
    fixture.account = accounts.pop()
    fixture.contacts = _distinct(fixture.contacts, ("number", "uuid"))
    fixture.groups = _distinct(fixture.groups, ("id",))
    if not any(fixture.account in (contact.get("number"), contact.get("uuid")) for contact in fixture.contacts):
        fixture.contacts.append({"number": fixture.account, "uuid": None, "name": ""})
    return fixture


def _delivered(event: Object) -> float | None:
    """When the daemon delivered it, in seconds."""
    envelope = event.get("envelope")
    at = envelope.get("serverDeliveredTimestamp") if isinstance(envelope, dict) else None
    return at / 1000 if isinstance(at, int) else None


def _objects(value: object) -> Iterator[Object]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _met(events: list[Object]) -> list[Object]:
    """Everybody of whom an event tells the ACI."""
    people = []
    for found in _objects(events):
        for number, uuid in _PAIRS:
            if isinstance(found.get(uuid), str):
                people.append({"number": found.get(number), "uuid": found[uuid], "name": found.get("sourceName") or ""})
    return people


def _spoken_in(events: list[Object]) -> list[Object]:
    """The groups the events are from, with those as members who spoke in them."""
    groups: dict[str, Object] = {}
    for event in events:
        envelope = event.get("envelope")
        speaker = envelope if isinstance(envelope, dict) else {}
        for info in _objects(event):
            if isinstance(group_id := info.get("groupId"), str):
                group = groups.setdefault(
                    group_id, {"id": group_id, "name": None, "isMember": True, "isBlocked": False, "members": [],
                               "pendingMembers": [], "requestingMembers": [], "admins": []}
                )  # fmt: skip
                group["name"] = info.get("groupName") or group["name"]
                member = {"number": speaker.get("sourceNumber"), "uuid": speaker.get("sourceUuid")}
                if member not in group["members"]:
                    group["members"].append(member)
    return list(groups.values())


def _distinct(found: Iterable[object], keys: tuple[str, ...]) -> list[Object]:
    """The objects without those that say the same as one before them, the ones that know most first."""
    known: dict[str, Object] = {}
    objects = [one for one in found if isinstance(one, dict)]
    for one in sorted(objects, key=lambda one: -sum(bool(one.get(key)) for key in keys)):
        names = [str(one[key]) for key in keys if one.get(key)]
        if names and not any(name in known for name in names):
            known |= dict.fromkeys(names, one)
    return list({id(one): one for one in known.values()}.values())
