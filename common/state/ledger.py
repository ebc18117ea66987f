"""What was accepted already: every message once, however often and over however many streams it comes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from .store import Store

KEEP_KEYS = 50_000
KEEP_IGNORED = 5_000
_PRUNE_EVERY = 5_000


class Ledger:
    """The keys of a network's accepted messages, in memory and on disk; bounded by count. `now` is the server's time.

    A claimed key is put on disk (`note`, `commit`) or ignored; what nobody reads pushes out nothing that was read.
    On disk a key is only ever added at the end: to look for its place among tens of thousands would cost ten times as
    much, for every message. No clock of ours makes anything forgotten.
    """

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._kept: OrderedDict[str, int] = OrderedDict()
        self._claimed: OrderedDict[str, None] = OrderedDict()
        self._ignored: OrderedDict[str, None] = OrderedDict()
        self._horizon = 0
        """The latest time (milliseconds) at which a forgotten message was sent."""
        self._noted = 0

    async def load(self) -> None:
        """Read the keys of earlier runs; raises StateError."""
        await self._store.flush()
        horizon = await self._store.rows("SELECT value FROM meta WHERE key = ?", (self._horizon_key,))
        self._horizon = int(horizon[0][0]) if horizon else 0
        query = "SELECT key, sent_at FROM ledger WHERE network = ? ORDER BY rowid"
        for key, sent_at in await self._store.rows(query, (self._network,)):
            self._keep(key, sent_at)
        self._prune()

    def claim(self, key: str) -> bool:
        """Whether the key is new; from now on it is not."""
        if self.knows(key):
            return False
        self._claimed[key] = None
        if len(self._claimed) > KEEP_KEYS:
            self._claimed.popitem(last=False)
        return True

    def knows(self, key: str) -> bool:
        """The key was claimed before."""
        return key in self._kept or key in self._claimed or key in self._ignored

    def ignore(self, key: str) -> None:
        """Nobody gets to read the message of a claimed key: remember it for a while, among its like."""
        if key not in self._claimed:
            return
        del self._claimed[key]
        self._ignored[key] = None
        if len(self._ignored) > KEEP_IGNORED:
            self._ignored.popitem(last=False)

    @property
    def horizon(self) -> int:
        """The time (milliseconds) before which a message may have been accepted and forgotten again."""
        return self._horizon

    async def commit(self, *keys: str, sent_at: int | None = None) -> None:
        """Put claimed keys on disk; after this not even a crash lets the message in again."""
        await self.note(*keys, sent_at=sent_at)
        await self._store.commit()

    async def note(self, *keys: str, sent_at: int | None = None) -> None:
        """Put claimed keys on disk soon: of what is only observed a crash takes the text as well.

        `sent_at` is in milliseconds, the server's where it says; a sender's clock counts for no later than ours.
        """
        now = int(self._now() * 1000)
        at = now if sent_at is None else max(0, min(sent_at, now))
        for key in keys:
            self._claimed.pop(key, None)
            self._keep(key, at)
            self._store.write("INSERT INTO ledger VALUES (?, ?, ?)", (self._network, key, at))
            self._noted += 1
            if self._noted % _PRUNE_EVERY == 0:
                self._prune()

    def _keep(self, key: str, sent_at: int) -> None:
        self._kept[key] = sent_at
        if len(self._kept) > KEEP_KEYS:
            _, forgotten = self._kept.popitem(last=False)
            self._horizon = max(self._horizon, forgotten)

    def _prune(self) -> None:
        first = "SELECT rowid FROM ledger WHERE network = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?"
        self._store.write(
            f"DELETE FROM ledger WHERE network = ? AND rowid <= ({first})", (self._network, self._network, KEEP_KEYS)
        )
        self._store.write("INSERT OR REPLACE INTO meta VALUES (?, ?)", (self._horizon_key, str(self._horizon)))

    @property
    def _horizon_key(self) -> str:
        return f"{self._network} ledger horizon"

    def __len__(self) -> int:
        return len(self._kept) + len(self._claimed)
