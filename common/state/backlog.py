"""Statements that wait for the disk."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Sequence
from itertools import islice

from .database import Statement

KEEP_QUEUED = 50_000
"""Entries kept for a disk that cannot be written to, the latest of them."""
KEEP_CACHED = 5_000
_BATCH = 1_000

Entry = tuple[int, Sequence[Statement]]
"""Its number, and what is to be carried out as one."""


class Backlog:
    """Entries in order, under keys of their own or given ones; the oldest go when there are more than `limit`."""

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit
        self._waiting: OrderedDict[Hashable, Entry] = OrderedDict()

    def put(self, number: int, statements: Sequence[Statement], key: Hashable = None) -> None:
        """Append an entry. Of those with one key only the last counts."""
        key = number if key is None else key
        self._waiting[key] = (number, statements)
        self._waiting.move_to_end(key)
        if self._limit is not None and len(self._waiting) > self._limit:
            self._waiting.popitem(last=False)

    def first(self) -> list[tuple[Hashable, Entry]]:
        """The oldest entries, as many as make a transaction."""
        return list(islice(self._waiting.items(), _BATCH))

    def carried_out(self, batch: Iterable[tuple[Hashable, Entry]]) -> None:
        """Take out what is on disk, unless it has been replaced meanwhile."""
        for key, entry in batch:
            if self._waiting.get(key) is entry:
                del self._waiting[key]

    def reaches_back_to(self, number: int) -> bool:
        """Whether an entry up to that number still waits."""
        return bool(self._waiting) and next(iter(self._waiting.values()))[0] <= number

    def __len__(self) -> int:
        return len(self._waiting)
