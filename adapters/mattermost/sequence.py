"""The order of the server's events: what a frame is, and whether it is the one that comes next."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the server sent it: an event has a `seq`, a reply to an action `seq_reply`.

    What an event's `data` and `broadcast` hold is for `decode` to check.
    """

    event: str = ""
    seq: int | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    broadcast: dict[str, Any] = field(default_factory=dict, repr=False)
    seq_reply: int | None = None
    status: str = ""
    text: str = field(default="", repr=False, compare=False)
    """All of it, as it came."""

    @property
    def connection_id(self) -> str:
        connection_id = self.data.get("connection_id")
        return connection_id if isinstance(connection_id, str) else ""


def frame_of(text: str) -> Frame | None:
    """None for what is no frame of Mattermost's."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match content:
        case {"event": str(event)}:
            data, broadcast = _object(content.get("data")), _object(content.get("broadcast"))
            return Frame(event, _number(content.get("seq")), data, broadcast, text=text)
        case {"seq_reply": int(seq_reply)}:
            return Frame(seq_reply=seq_reply, status=str(content.get("status")), text=text)
    return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Place(Enum):
    """Where an event stands in the sequence."""

    FIRST = "first"
    """A new connection id: what was to come before is gone."""
    NEXT = "next"
    OLD = "old"
    AHEAD = "ahead"


class Sequence:
    """The connection id, and the `seq` that is expected next, kept over reconnections."""

    def __init__(self) -> None:
        self.expected = 0
        self._connection_id = ""
        self.hole: int | None = None
        """The number of an event that did not come in its turn."""

    def resume_query(self) -> dict[str, str]:
        """What asks the server to go on where we are; empty when there is nothing to go on with."""
        if not self._connection_id:
            return {}
        return {"connection_id": self._connection_id, "sequence_number": str(self.expected)}

    def place(self, frame: Frame) -> Place:
        """Take note of an event. After `AHEAD` it must come again, over a new connection."""
        goes_on = self._connection_id and (frame.connection_id, frame.seq) == (self._connection_id, self.expected)
        if frame.event == "hello" and not goes_on:
            self._connection_id, self.expected, self.hole = frame.connection_id, (frame.seq or 0) + 1, None
            return Place.FIRST
        if frame.seq is None:
            return Place.NEXT
        if frame.seq < self.expected:
            return Place.OLD
        if frame.seq > self.expected:
            self._fall_into(self.expected)
            return Place.AHEAD
        self.expected += 1
        self.hole = None
        return Place.NEXT

    def forget(self) -> None:
        """Do not ask to resume again."""
        self._connection_id = ""

    def _fall_into(self, hole: int) -> None:
        """The server keeps the last events for a resume. When that does not fill the hole, nothing will."""
        if self.hole == hole:
            self.forget()
        self.hole = hole
