"""The queue of statements that wait to be written to disk."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import islice

from ..core.bounded import Bounded
from .database import Statement

KEEP_QUEUED = 50_000
"""The most entries kept while the disk cannot be written to; the oldest are dropped."""
KEEP_CACHED = 5_000
_BATCH = 1_000

Entry = tuple[int, Sequence[Statement]]
"""An entry's number, and the statements to execute in one transaction."""


class Backlog:
    """Entries in order, each under a given key or a key of its own. Beyond `limit` the oldest are dropped."""

    def __init__(self, limit: int | None = None) -> None:
        self._waiting: Bounded[Hashable, Entry] = Bounded(limit)

    def put(self, number: int, statements: Sequence[Statement], key: Hashable = None) -> None:
        """Append an entry; it replaces an earlier one with the same key."""
        self._waiting.put(number if key is None else key, (number, statements))

    def batch(self) -> list[tuple[Hashable, Entry]]:
        """Return the oldest entries, as many as fit one transaction."""
        return list(islice(self._waiting.items(), _BATCH))

    def remove(self, batch: Iterable[tuple[Hashable, Entry]]) -> None:
        """Remove entries that are on disk, except those that have been replaced since `batch`."""
        for key, entry in batch:
            if self._waiting.get(key) is entry:
                del self._waiting[key]

    def has_up_to(self, number: int) -> bool:
        """Return True if an entry up to that number still waits."""
        # A replaced entry moves to the end, so the first one always has the lowest number.
        return bool(self._waiting) and next(iter(self._waiting.values()))[0] <= number

    def __len__(self) -> int:
        return len(self._waiting)
