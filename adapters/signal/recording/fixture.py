"""Loads a Signal fixture, or a folder of fixtures, with the contacts and groups that a daemon needs to serve it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ....common.core.errors import ConfigError
from ....common.recording.documents import Object
from ....common.recording.playback import cases, sidecar, timeline
from .rewriting import events_of

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
    """A loaded recording. `events` are the bytes sent, `times` are seconds; the rest are the daemon's lists."""

    account: str
    events: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    contacts: list[Object] = field(default_factory=list)
    groups: list[Object] = field(default_factory=list)


def load(path: Path) -> Fixture:
    """Load the recording at a path, or all in a folder. Raises ConfigError unless all events are of one account.

    If a recording has no files of contacts and groups, both are derived from its events.
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
        fixture.contacts += _contacts_in(events) if contacts is None else contacts
        fixture.groups += _groups_in(events) if groups is None else groups
    if not fixture.events or len(accounts) != 1:
        raise ConfigError([f"{path} holds events of {len(accounts)} accounts; one is needed"])
    fixture.account = accounts.pop()
    fixture.contacts = _distinct(fixture.contacts, ("number", "uuid"))
    fixture.groups = _distinct(fixture.groups, ("id",))
    if not any(fixture.account in (contact.get("number"), contact.get("uuid")) for contact in fixture.contacts):
        fixture.contacts.append({"number": fixture.account, "uuid": None, "name": ""})
    return fixture


def _delivered(event: Object) -> float | None:
    """Return the time at which the daemon delivered an event, in seconds."""
    envelope = event.get("envelope")
    at = envelope.get("serverDeliveredTimestamp") if isinstance(envelope, dict) else None
    return at / 1000 if isinstance(at, int) else None


def _objects(value: object) -> Iterator[Object]:
    """Yield every object in a JSON document."""
    if isinstance(value, dict):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _objects(inner)


def _contacts_in(events: list[Object]) -> list[Object]:
    """Return a contact for every person whose ACI is in an event."""
    people = []
    for found in _objects(events):
        for number, uuid in _PAIRS:
            if isinstance(found.get(uuid), str):
                people.append({"number": found.get(number), "uuid": found[uuid], "name": found.get("sourceName") or ""})
    return people


def _groups_in(events: list[Object]) -> list[Object]:
    """Return the groups of the events, with the senders as members."""
    groups: dict[str, Object] = {}
    for event in events:
        envelope = event.get("envelope")
        sender = envelope if isinstance(envelope, dict) else {}
        for info in _objects(event):
            if isinstance(group_id := info.get("groupId"), str):
                group = groups.setdefault(
                    group_id, {"id": group_id, "name": None, "isMember": True, "isBlocked": False, "members": [],
                               "pendingMembers": [], "requestingMembers": [], "admins": []}
                )  # fmt: skip
                group["name"] = info.get("groupName") or group["name"]
                member = {"number": sender.get("sourceNumber"), "uuid": sender.get("sourceUuid")}
                if member not in group["members"]:
                    group["members"].append(member)
    return list(groups.values())


def _distinct(found: Iterable[object], keys: tuple[str, ...]) -> list[Object]:
    """Return the objects without those that share any key's value with another; objects with the most keys win."""
    known: dict[str, Object] = {}
    objects = [one for one in found if isinstance(one, dict)]
    for one in sorted(objects, key=lambda one: -sum(bool(one.get(key)) for key in keys)):
        names = [str(one[key]) for key in keys if one.get(key)]
        if names and not any(name in known for name in names):
            known |= dict.fromkeys(names, one)
    return list({id(one): one for one in known.values()}.values())
