"""The server's time. A gateway's own clock may be wrong, while the times in messages are the server's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

_HOUR = 3_600_000
_DAY = 24 * _HOUR


class ServerClock:
    """Runs from the latest time that the server sent; before that, it shows this machine's time.

    `clock` is monotonic seconds, `machine` Unix time. All other times are milliseconds since the epoch.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, machine: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._machine = machine
        self._ahead: float | None = None

    def now(self) -> int:
        if self._ahead is None:
            return int(self._machine() * 1000)
        return int(self._ahead + self._clock() * 1000)

    def now_with(self, dated: int, *, live: bool) -> int:
        """Return the arrival time of an event that the server dated `dated`; never before that.

        A `live` event arrives at once: where this machine's time agrees with it and the server's `Date` does not, the
        `Date` was wrong.
        """
        now, machine = self.now(), int(self._machine() * 1000)
        if live and now - dated > _DAY and abs(machine - dated) < _HOUR:
            return machine
        return max(now, dated)

    def set(self, at: int) -> None:
        """Set the clock: it is that time at the server."""
        self._ahead = at - self._clock() * 1000

    def advance(self, at: int) -> None:
        """Set the clock forward, never back: it was that time at the server a while ago."""
        if self._ahead is None or at > self.now():
            self.set(at)

    def set_from_header(self, header: str | None) -> None:
        """Set the clock by the `Date` header of an answer, which counts whole seconds; ignore an invalid one."""
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        self.set(int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000) + 999)
