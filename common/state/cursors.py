"""The table of catch-up cursors: the time up to which each chat's messages have been handled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.bounded import Bounded

if TYPE_CHECKING:
    from .store import Store

KEEP_CURSORS = 20_000
_EVERYWHERE = ""


class Cursors:
    """The server time (milliseconds since the epoch) up to which each chat of a network has been handled, on disk.

    From `hold` on, a chat's cursor does not move until the chat is settled, whatever is handled meanwhile: a missed
    message must never be older than its chat's cursor. A chat whose cursor was dropped continues from the latest one.
    """

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._network = network
        self._at: Bounded[str, int] = Bounded(KEEP_CURSORS)
        self._held: dict[str, int] | None = None
        self._settled: set[str] = set()

    async def load(self) -> None:
        """Read the cursors of earlier runs; raise StateError."""
        rows = await self._store.rows("SELECT chat, at FROM cursor WHERE network = ? ORDER BY at", (self._network,))
        self._at = Bounded(KEEP_CURSORS, ((chat, at) for chat, at in rows))

    def hold(self) -> None:
        """Stop every cursor, because messages may be missing in every chat."""
        self._held = self._held or {}
        self._settled.clear()

    def settle(self, chat: str) -> None:
        """Let a chat's cursor move again, because its missed messages have been received."""
        self._settled.add(chat)
        if self._held and chat in self._held:
            self.advance(chat, self._held.pop(chat))

    def release(self) -> None:
        """Let every cursor move again, because no message is missing any more."""
        held, self._held = self._held or {}, None
        for chat, at in held.items():
            self._put(chat, max(at, self._at.get(chat, 0)))

    def begin(self, chat: str, at: int) -> None:
        """Start a chat's cursor just before its first message, which has that time and is not handled yet."""
        if self._held is None and chat not in self._at:
            self._put(chat, at - 1)

    def begin_everywhere(self, at: int) -> None:
        """First run only: record the time since which the bot has listened, even if nothing is posted."""
        if _EVERYWHERE not in self._at:
            self._put(_EVERYWHERE, at)

    def advance(self, chat: str, at: int) -> None:
        """Record that a message of that time has been handled."""
        for moved in (chat, _EVERYWHERE):
            if self._held is not None and moved not in self._settled:
                self._held[moved] = max(at, self._held.get(moved, 0))
            elif at > self._at.get(moved, 0):
                self._put(moved, at)

    def since(self, chat: str) -> int | None:
        """Return the time from which to fetch a chat's messages; None in the first run, which has missed none."""
        return self._at.get(chat, self._at.get(_EVERYWHERE))

    def _put(self, chat: str, at: int) -> None:
        if dropped := self._at.put(chat, at):
            key = (self._network, dropped[0])
            self._store.write_later("DELETE FROM cursor WHERE network = ? AND chat = ?", key, key=key)
        # A cursor that lags behind costs a few messages fetched twice, which the ledger drops.
        self._store.write_later(
            "INSERT OR REPLACE INTO cursor VALUES (?, ?, ?)", (self._network, chat, at), key=(self._network, chat)
        )
