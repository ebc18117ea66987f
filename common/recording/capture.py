"""A capture of a network's events, limited in bytes, each with the time it arrived at."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..core.errors import HardenedError


@dataclass(frozen=True, slots=True)
class Recorded:
    """A finished recording: the contents of the fixture's files by suffix, and the number of unreadable events."""

    files: Mapping[str, bytes]
    dropped: int


class Capture:
    """Passes each event to `sink`, with the seconds since the start, until somebody sets `stop`."""

    def __init__(self, max_bytes: int, stop: asyncio.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self.sink: Callable[[str, float], None] = lambda data, at: None
        self.stop = stop
        self.bytes = 0
        self.full = False
        """The limit of `max_bytes` was reached."""
        self.failure: HardenedError | None = None
        """The error that ended the stream, if one did."""
        self._max_bytes = max_bytes
        self._clock = clock
        self._start = clock()

    def record(self, data: str) -> None:
        """Record one event. The event that exceeds the limit ends the capture and is left out."""
        size = len(data.encode("utf-8", "replace"))
        if self.bytes + size > self._max_bytes:
            self.full = True
            self.stop.set()
        if not self.full:
            self.bytes += size
            self.sink(data, self._clock() - self._start)

    def stream_ended(self, failure: HardenedError) -> None:
        """End the capture because the stream ended for good."""
        self.failure = failure
        self.stop.set()
