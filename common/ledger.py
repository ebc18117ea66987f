"""What was accepted already: every message once, however often and over however many streams it comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .store import Store

KEEP_SECONDS = 7 * 24 * 3600.0
KEEP_KEYS = 50_000


class Ledger:
    """The keys of accepted messages, in memory and on disk; bounded by age and count. `now` is Unix time."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store = store
        self._now = now
        self._keys: OrderedDict[str, None] = OrderedDict()

    async def load(self) -> None:
        """Read the keys of earlier runs and drop what is too old."""
        self._store.write("DELETE FROM ledger WHERE at < ?", (self._now() - KEEP_SECONDS,))
        await self._store.flush()
        for (key,) in await self._store.rows("SELECT key FROM ledger ORDER BY at DESC LIMIT ?", (KEEP_KEYS,)):
            self._keys[key] = None
            self._keys.move_to_end(key, last=False)

    def claim(self, key: str) -> bool:
        """Whether the key is new; from now on it is not."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > KEEP_KEYS:
            oldest, _ = self._keys.popitem(last=False)
            self._store.write("DELETE FROM ledger WHERE key = ?", (oldest,))
        return True

    async def commit(self, *keys: str) -> None:
        """Put claimed keys on disk; after this not even a crash lets the message in again."""
        await self.note(*keys)
        await self._store.flush()

    async def note(self, *keys: str) -> None:
        """Put claimed keys on disk soon: of what is only observed a crash takes the text as well."""
        for key in keys:
            self._store.write("INSERT OR IGNORE INTO ledger VALUES (?, ?)", (key, self._now()))

    def __len__(self) -> int:
        return len(self._keys)
