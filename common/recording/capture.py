"""A capture of a network's events with their times of arrival, limited in bytes."""

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
        """True if the limit of `max_bytes` was reached."""
        self.failure: HardenedError | None = None
        """The error that ended the stream; None without one."""
        self._max_bytes = max_bytes
        self._clock = clock
        self._start = clock()

    def record(self, data: str) -> None:
        """Record one event. An event that exceeds the limit ends the capture and is left out."""
        size = len(data.encode("utf-8", "replace"))
        if self.bytes + size > self._max_bytes:
            self.full = True
            self.stop.set()
        if not self.full:
            self.bytes += size
            self.sink(data, self._clock() - self._start)

    def stream_ended(self, failure: HardenedError) -> None:
        """End the capture, because the stream has ended for good."""
        self.failure = failure
        self.stop.set()
