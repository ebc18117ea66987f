"""The server's time, because the times in messages are the server's and the gateway's own clock may be wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

_HOUR = 3_600_000
_DAY = 24 * _HOUR


class ServerClock:
    """A clock that runs from the latest time the server sent; before the first one it shows this machine's time.

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

        A `live` event arrives as soon as it is dated. If this machine's time agrees with it and the server's `Date`
        header did not, the header was wrong.
        """
        now, machine = self.now(), int(self._machine() * 1000)
        if live and now - dated > _DAY and abs(machine - dated) < _HOUR:
            return machine
        return max(now, dated)

    def set(self, at: int) -> None:
        """Set the clock to the server's present time."""
        self._ahead = at - self._clock() * 1000

    def advance(self, at: int) -> None:
        """Set the clock forward, never back, to a time that the server has already passed."""
        if self._ahead is None or at > self.now():
            self.set(at)

    def set_from_header(self, header: str | None) -> None:
        """Set the clock by the `Date` header of an answer, which counts whole seconds; ignore an invalid one."""
        try:
            date = parsedate_to_datetime(header or "")
        except ValueError:
            return
        self.set(int((date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() * 1000) + 999)
