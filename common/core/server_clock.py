"""The server's time. A gateway's own clock may be wrong; the times in messages are the server's."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

_HOUR = 3_600_000
_DAY = 24 * _HOUR


class ServerClock:
    """Goes on from what the server said last; this machine's time until it says anything.

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
        """The time at which something arrives that the server has dated; no earlier than that.

        `live` tells that it arrives at once: then a `Date` is wrong with which nothing else agrees.
        """
        now, machine = self.now(), int(self._machine() * 1000)
        if live and now - dated > _DAY and abs(machine - dated) < _HOUR:
            return machine
        return max(now, dated)

    def tell(self, at: int) -> None:
        """It is that time at the server."""
        self._ahead = at - self._clock() * 1000

    def tell_at_least(self, at: int) -> None:
        """It was that time at the server a while ago: sets the clock forward, never back."""
        if self._ahead is None or at > self.now():
            self.tell(at)

    def tell_date(self, header: str | None) -> None:
        """The `Date` header of an answer, which counts whole seconds; one that is none changes nothing."""
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        self.tell(int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000) + 999)
