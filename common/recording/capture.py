"""What takes down a network's events while a recording runs: bounded in bytes, with the time of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ..core.errors import HardenedError


class Capture:
    """Hands what it hears to `take`, with the seconds since its start, until `stop` is set by whoever has a reason."""

    def __init__(self, most: int, stop: asyncio.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self.take: Callable[[str, float], None] = lambda data, at: None
        self.stop = stop
        self.bytes = 0
        self.full = False
        """Whether it stopped because there were `most` bytes."""
        self.failure: HardenedError | None = None
        """Why the stream ended before its time."""
        self._most = most
        self._clock = clock
        self._start = clock()

    def record(self, data: str) -> None:
        """One event; what goes beyond the bound is left out."""
        size = len(data.encode("utf-8", "replace"))
        if self.bytes + size > self._most:
            self.full = True
            self.stop.set()
        if not self.full:
            self.bytes += size
            self.take(data, self._clock() - self._start)

    def died(self, failure: HardenedError) -> None:
        """The stream ended for good."""
        self.failure = failure
        self.stop.set()
