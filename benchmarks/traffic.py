"""Recorded events, rewritten for twenty chats and encoded before a measurement starts."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass
from typing import Any

from tests.fakes.mattermost_rest import new_id
from tests.fakes.signal_daemon import frame, recorded_event
from tests.mattermost_recorded import frame as recorded_frame

CHATS = 20
PEOPLE = 10
LISTED = 200
"""Number of people and groups listed in the settings, more than a batch needs."""
_NOT_SERVED = 1_000
_JDK_CHUNK = 4096
"""Chunk size in bytes of the JDK's HTTP server, which signal-cli's daemon uses."""
_WORDS = "Could you look at “the plan” again — müssen wir 3 or 4 places book? Thanks, see you at 18:30; bring the map. "

_now = itertools.count(time.time_ns() // 1_000_000)


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes that a server writes at once. `addressed` of the `events` are for the agent, including the last one."""

    wire: bytes
    bodies: tuple[bytes, ...]
    """The JSON of each event."""
    events: int
    addressed: int


# -- Signal


def number_of(person: int) -> str:
    return f"+1555200{person:04d}"


def aci_of(person: int) -> str:
    return f"55555555-5555-4555-8555-{person:012d}"


def group_of(chat: int) -> str:
    """Return a group's id: base64 of 32 bytes."""
    return f"{chat:04d}" + "A" * 39 + "="


def signal_event(chat: int, turn: int, size: int, *, chats: int = CHATS) -> dict[str, Any]:
    """Return a recorded event of about `size` bytes, direct in the first half of the chats and in a group otherwise.

    Every other event in a group mentions us.
    """
    in_group, mentions = chat >= chats // 2, turn % 2 == 1
    event = recorded_event("dm_text" if not in_group else "group_mention_bot" if mentions else "group_text")
    person = chat if not in_group else (chat + turn) % PEOPLE
    envelope = event["envelope"]
    envelope |= {"source": number_of(person), "sourceNumber": number_of(person), "sourceUuid": aci_of(person)}
    envelope |= {"sourceName": f"Person {person}", "timestamp": next(_now)}
    message = envelope["dataMessage"]
    message["timestamp"] = envelope["timestamp"]
    if in_group:
        message["groupInfo"] |= {"groupId": group_of(chat), "groupName": f"Group {chat}"}
    message["message"] += padding(size - len(frame(event)))
    return event


def signal_batch(count: int, size: int, *, served: bool = True) -> Batch:
    """Return events for all chats in turn, or only for groups that are not served, with a direct message at the end."""
    first = 0 if served else _NOT_SERVED
    events = [signal_event(first + i % CHATS, i // CHATS, size) for i in range(count - 1)]
    events.append(signal_event(0, 0, size))
    frames = [frame(event) for event in events]
    unaddressed = sum("groupInfo" in (m := e["envelope"]["dataMessage"]) and not m.get("mentions") for e in events)
    bodies = tuple(framed[len(b"event:receive\ndata:") :].rstrip() for framed in frames)
    return Batch(b"".join(map(_chunked, frames)), bodies, count, count - unaddressed)


def _chunked(framed: bytes) -> bytes:
    pieces = (framed[at : at + _JDK_CHUNK] for at in range(0, len(framed), _JDK_CHUNK))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def chunked(event: dict[str, Any]) -> bytes:
    """Return the bytes of one event on the wire."""
    return _chunked(frame(event))


# -- Mattermost


@dataclass(frozen=True, slots=True)
class Team:
    """The ids of users and channels on a fake server; the first half of the channels are direct."""

    users: tuple[str, ...]
    channels: tuple[str, ...]


def mattermost_event(team: Team, chat: int, turn: int, size: int) -> dict[str, Any]:
    """Return a recorded `posted` of about `size` bytes, direct or in a channel. Every other one there mentions us."""
    direct, mentions = chat < len(team.channels) // 2, turn % 2 == 1
    name = "dm_to_bot" if direct else "channel_mention_bot" if mentions else "channel_no_mention"
    event = recorded_frame(name)
    data, post = event["data"], event["data"]["post"]
    person = chat % PEOPLE if direct else (chat + turn) % PEOPLE
    at = next(_now)
    post |= {"id": new_id(), "create_at": at, "update_at": at, "user_id": team.users[person]}
    post["channel_id"] = event["broadcast"]["channel_id"] = team.channels[chat]
    data["sender_name"] = f"@person{person}"
    post["message"] += padding(size - len(_packed(event)))
    return event


def mattermost_batch(team: Team, count: int, size: int, first_seq: int, *, direct: bool = True) -> Batch:
    """Return frames for all channels in turn, with ascending `seq` and a direct message at the end.

    Without `direct`, all frames except the last are for channels.
    """
    first = 0 if direct else CHATS // 2
    order = [(first + i % (CHATS - first), i // CHATS) for i in range(count - 1)] + [(0, 0)]
    events = [mattermost_event(team, chat, turn, size) for chat, turn in order]
    bodies = tuple(_packed(event | {"seq": first_seq + i}) for i, event in enumerate(events))
    unaddressed = sum(chat >= CHATS // 2 and turn % 2 == 0 for chat, turn in order)
    return Batch(b"".join(map(websocket_frame, bodies)), bodies, count, count - unaddressed)


def websocket_frame(body: bytes) -> bytes:
    """Return a text frame from the server (RFC 6455, section 5.2)."""
    size = len(body)
    if size < 126:
        return bytes((0x81, size)) + body
    if size < 2**16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + body
    return b"\x81\x7f" + size.to_bytes(8, "big") + body


def packed(event: dict[str, Any], seq: int) -> bytes:
    """Return the bytes of one event on the wire."""
    return websocket_frame(_packed(event | {"seq": seq}))


def _packed(event: dict[str, Any]) -> bytes:
    post = json.dumps(event["data"]["post"], ensure_ascii=False, separators=(",", ":"))
    whole = event | {"data": event["data"] | {"post": post}}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode()


def padding(size: int) -> str:
    """Return a text of about that many bytes, empty for none or fewer."""
    length = max(size, 0) * len(_WORDS) // len(_WORDS.encode())
    return (" " + _WORDS * (length // len(_WORDS) + 1))[:length]
