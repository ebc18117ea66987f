"""Frames of the WebSocket, and the sequence numbers of their events."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as the server sent it. An event has a `seq`, a reply to an action a `seq_reply`.

    The contents of `data` and `broadcast` are not validated here but in `decode`.
    """

    event: str = ""
    seq: int | None = None
    data: dict[str, Any] = field(default_factory=dict, repr=False)
    broadcast: dict[str, Any] = field(default_factory=dict, repr=False)
    seq_reply: int | None = None
    status: str = ""
    text: str = field(default="", repr=False, compare=False)
    """The whole frame, undecoded."""

    @property
    def connection_id(self) -> str:
        connection_id = self.data.get("connection_id")
        return connection_id if isinstance(connection_id, str) else ""


def frame_of(text: str) -> Frame | None:
    """Parse a frame; None if the text is none."""
    try:
        content = json.loads(text)
    # Deeply nested JSON raises RecursionError.
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
    """The position of an event in the sequence."""

    FIRST = "first"
    """The first of a new connection id. Events of the old one that did not arrive are lost."""
    NEXT = "next"
    OLD = "old"
    """Received before."""
    AHEAD = "ahead"
    """Events before it are missing."""


class Sequence:
    """The connection id and the next expected `seq`, kept across reconnections."""

    def __init__(self) -> None:
        self.expected = 0
        self._connection_id = ""
        self.hole: int | None = None
        """The `seq` of a missing event, None if none is missing."""

    def resume_query(self) -> dict[str, str]:
        """Return the query that asks the server to resume; empty when there is nothing to resume."""
        if not self._connection_id:
            return {}
        return {"connection_id": self._connection_id, "sequence_number": str(self.expected)}

    def place(self, frame: Frame) -> Place:
        """Record an event and return its place. After `AHEAD`, reconnect: the same event must come again."""
        # A `hello` normally begins a new sequence, but a resume can repeat the old one's.
        goes_on = self._connection_id and (frame.connection_id, frame.seq) == (self._connection_id, self.expected)
        if frame.event == "hello" and not goes_on:
            self._connection_id, self.expected, self.hole = frame.connection_id, (frame.seq or 0) + 1, None
            return Place.FIRST
        if frame.seq is None:
            return Place.NEXT
        if frame.seq < self.expected:
            return Place.OLD
        if frame.seq > self.expected:
            self._note_hole(self.expected)
            return Place.AHEAD
        self.expected += 1
        self.hole = None
        return Place.NEXT

    def forget(self) -> None:
        """Forget the connection id, so that the next socket does not ask for a resume."""
        self._connection_id = ""

    def _note_hole(self, hole: int) -> None:
        """Record a missing event. If a resume did not bring it, the server no longer has it: do not resume again."""
        if self.hole == hole:
            self.forget()
        self.hole = hole
