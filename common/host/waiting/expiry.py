"""Lets texts go at the times at which their messages disappear from their chats, also while nobody reads them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_LONGEST = 24 * 3600.0

Expire = Callable[[], float | None]
"""Drops what has expired, and returns the Unix time at which the next one does."""


class Expiry:
    """Has what has expired dropped in time, from `open` to `close`; before and after that, only when asked."""

    def __init__(self, *expire: Expire) -> None:
        self._expire = list(expire)
        self._timer: asyncio.TimerHandle | None = None
        self._is_open = False

    def open(self) -> None:
        """Begin to drop what expires."""
        self._is_open = True
        self.plan()

    def add(self, *expire: Expire) -> None:
        """Drop these as well."""
        self._expire.extend(expire)

    def plan(self) -> None:
        """Drop what has expired, now and whenever the next one does."""
        self._cancel()
        times = [at for expire in self._expire if (at := expire()) is not None]
        # A timer would keep an adapter that the host has replaced.
        if times and self._is_open:
            delay = min(max(min(times) - time.time(), 0), _LONGEST)
            self._timer = asyncio.get_running_loop().call_later(delay, self.plan)

    def close(self) -> None:
        """Drop nothing more in time."""
        self._is_open = False
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
