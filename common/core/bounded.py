"""Mappings of bounded size."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Bounded(OrderedDict[_Key, _Value], Generic[_Key, _Value]):
    """A mapping that keeps the `limit` entries put last, ordered from oldest to latest; without a limit, all of them.

    Only `put` enforces the limit: a plain assignment adds an entry beyond it.
    """

    def __init__(self, limit: int | None, entries: Iterable[tuple[_Key, _Value]] = ()) -> None:
        super().__init__()
        self.limit = limit
        for key, value in entries:
            self.put(key, value)

    def put(self, key: _Key, value: _Value) -> tuple[_Key, _Value] | None:
        """Set an entry and make it the latest; return the oldest entry if it was dropped to keep the limit."""
        self[key] = value
        self.move_to_end(key)
        return self.popitem(last=False) if self.limit is not None and len(self) > self.limit else None


class Expiring(Generic[_Key, _Value]):
    """Keeps the `limit` values put last, each until its time by the clock `now`, on which all of them depend."""

    def __init__(self, limit: int, now: Callable[[], float]) -> None:
        self._now = now
        self._entries: Bounded[_Key, tuple[_Value, float]] = Bounded(limit)

    def __iter__(self) -> Iterator[_Key]:
        """Return the keys, the oldest first."""
        self.expire()
        return iter(self._entries)

    def put(self, key: _Key, value: _Value, lasts: float | None = None) -> None:
        """Set a value, and drop those whose time has come; `lasts` is in seconds, None for a value that stays."""
        self.expire()
        self._entries.put(key, (value, math.inf if lasts is None else self._now() + lasts))

    def get(self, key: _Key) -> _Value | None:
        """Return a value, None for one that is unknown or whose time has come."""
        self.expire()
        found = self._entries.get(key)
        return None if found is None else found[0]

    def lasts(self, key: _Key) -> float | None:
        """Return the seconds until a value's time comes, None for one that stays or is unknown."""
        self.expire()
        _, until = self._entries.get(key, (None, math.inf))
        return None if until == math.inf else until - self._now()

    def values(self) -> list[_Value]:
        """Return the values whose time has not come, the oldest first."""
        self.expire()
        return [value for value, _ in self._entries.values()]

    def expire(self) -> float | None:
        """Drop the values whose time has come; return when that of the next one comes, None if all others stay."""
        now = self._now()
        for key in [key for key, (_, until) in self._entries.items() if until <= now]:
            del self._entries[key]
        return min((until for _, until in self._entries.values() if until < math.inf), default=None)
