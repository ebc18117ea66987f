"""What was accepted already: every message once, however often and over however many streams it comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .store import Store

KEEP_SECONDS = 7 * 24 * 3600.0
KEEP_KEYS = 50_000
_PRUNE_EVERY = 5_000


class Ledger:
    """The keys of a network's accepted messages, in memory and on disk; bounded by age and count. `now` is Unix time.

    On disk a key is only ever added at the end: to look for its place among tens of thousands would cost ten times as
    much, for every message.
    """

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._keys: OrderedDict[str, None] = OrderedDict()
        self._noted = 0

    async def load(self) -> None:
        """Read the keys of earlier runs and drop what is too old."""
        self._store.write("DELETE FROM ledger WHERE at < ?", (self._now() - KEEP_SECONDS,))
        self._prune()
        await self._store.flush()
        kept = await self._store.rows("SELECT key FROM ledger WHERE network = ? ORDER BY rowid", (self._network,))
        self._keys = OrderedDict((key, None) for (key,) in kept)

    def claim(self, key: str) -> bool:
        """Whether the key is new; from now on it is not."""
        if key in self._keys:
            return False
        self._keys[key] = None
        if len(self._keys) > KEEP_KEYS:
            self._keys.popitem(last=False)
        return True

    def knows(self, key: str) -> bool:
        """Whether the key was claimed before."""
        return key in self._keys

    async def commit(self, *keys: str) -> None:
        """Put claimed keys on disk; after this not even a crash lets the message in again."""
        await self.note(*keys)
        await self._store.commit()

    async def note(self, *keys: str) -> None:
        """Put claimed keys on disk soon: of what is only observed a crash takes the text as well."""
        for key in keys:
            self._store.write("INSERT INTO ledger VALUES (?, ?, ?)", (self._network, key, self._now()))
            self._noted += 1
            if self._noted % _PRUNE_EVERY == 0:
                self._prune()

    def _prune(self) -> None:
        first = "SELECT rowid FROM ledger WHERE network = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?"
        self._store.write(
            f"DELETE FROM ledger WHERE network = ? AND rowid <= ({first})", (self._network, self._network, KEEP_KEYS)
        )

    def __len__(self) -> int:
        return len(self._keys)
