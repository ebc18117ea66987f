"""A mapping of bounded size."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
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
