"""The table of accepted messages: each is accepted once, however often and over however many streams it arrives.

It also holds the answers whose sending began: the host repeats those of which it does not know that they arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..core.bounded import Bounded
from ..core.errors import StateError
from . import meta
from .database import Write

if TYPE_CHECKING:
    from .store import Store

KEEP_KEYS = 50_000
KEEP_IGNORED = 5_000
KEEP_ANSWERS = 10_000
_PRUNE_EVERY = 5_000
_PRUNE_ANSWERS_EVERY = 500


class Ledger:
    """The keys of a network's accepted messages, in memory and on disk; bounded by count. `now` is the server's time.

    A claimed key is later put on disk (`note`, `commit`) or ignored; ignored keys do not displace the others. On disk
    keys are only appended: an index over tens of thousands would make every message ten times as expensive. Keys do not
    expire by time, so a wrong clock loses none.
    """

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._kept: Bounded[str, int] = Bounded(KEEP_KEYS)
        """The time (milliseconds) at which each message was sent, by key."""
        self._claimed: Bounded[str, None] = Bounded(KEEP_KEYS)
        self._ignored: Bounded[str, None] = Bounded(KEEP_IGNORED)
        self._horizon = 0
        self._noted = 0

    async def load(self) -> None:
        """Read the keys of earlier runs; raise StateError."""
        # Keys of the previous connection of this process may still wait for the disk.
        await self._store.flush()
        self._horizon = int(await meta.load(self._store, self._horizon_key) or 0)
        sql = "SELECT key, sent_at FROM ledger WHERE network = ? ORDER BY rowid"
        for key, sent_at in await self._store.rows(sql, (self._network,)):
            self._keep(key, sent_at)
        self._prune()

    def claim(self, key: str) -> bool:
        """Return True if the key is new, and mark it as claimed."""
        if self.knows(key):
            return False
        self._claimed.put(key, None)
        return True

    def knows(self, key: str) -> bool:
        """Return True if the key was claimed before."""
        return key in self._kept or key in self._claimed or key in self._ignored

    def ignore(self, key: str) -> None:
        """Move a claimed key to the ignored ones, whose messages nobody reads."""
        if key in self._claimed:
            del self._claimed[key]
            self._ignored.put(key, None)

    @property
    def horizon(self) -> int:
        """The latest time (milliseconds) of a message whose key has been dropped.

        A message up to that time may have been accepted before.
        """
        return self._horizon

    async def commit(self, *keys: str, sent_at: int | None = None) -> None:
        """Put claimed keys on disk. Once this returns, the message is not accepted again even after a crash."""
        await self.note(*keys, sent_at=sent_at)
        await self._store.commit()

    async def note(self, *keys: str, sent_at: int | None = None) -> None:
        """Queue claimed keys for the disk. Enough for observed messages, because a crash loses their text as well.

        `sent_at` is in milliseconds. A sender's clock may be wrong: a time in the future counts as now.
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
        # Without its key, a message could be accepted again, so nothing as old as it may be answered from now on.
        if dropped := self._kept.put(key, sent_at):
            self._horizon = max(self._horizon, dropped[1])

    def _prune(self) -> None:
        self._store.write(*_newest(self._network, KEEP_KEYS))
        self._store.write(*meta.put(self._horizon_key, str(self._horizon)))

    @property
    def _horizon_key(self) -> str:
        return f"{self._network} ledger horizon"

    def __len__(self) -> int:
        return len(self._kept) + len(self._claimed)


class Answers:
    """The keys of a network's answers whose sending began, on disk only; bounded by count."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._label = f"{network} answers"
        self._begun = 0

    async def begin(self, key: str) -> None:
        """Put an answer on disk. Once this returns, `began` is true for it even after a crash."""
        if self._begun % _PRUNE_ANSWERS_EVERY == 0:
            self._store.write(*_newest(self._label, KEEP_ANSWERS))
        self._begun += 1
        self._store.write("INSERT INTO ledger VALUES (?, ?, 0)", (self._label, key))
        await self._store.commit()

    async def forget(self, key: str) -> None:
        """Remove an answer of which certainly nothing arrived."""
        self._store.write("DELETE FROM ledger WHERE network = ? AND key = ?", (self._label, key))
        await self._store.commit()

    async def began(self, key: str) -> bool:
        """Return True if an answer's sending began, in this process or in an earlier one; raise StateError."""
        if not await self._store.flush():
            raise StateError(f"the state file {self._store.path} cannot be written to")
        sql = "SELECT 1 FROM ledger WHERE network = ? AND key = ? LIMIT 1"
        return bool(await self._store.rows(sql, (self._label, key)))


def _newest(network: str, keep: int) -> Write:
    """Delete all but the newest keys of a network."""
    first = "SELECT rowid FROM ledger WHERE network = ? ORDER BY rowid DESC LIMIT 1 OFFSET ?"
    return f"DELETE FROM ledger WHERE network = ? AND rowid <= ({first})", (network, network, keep)
