"""The table of open prompts: the messages in which a question waits, so that a restart can say that it expired."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store


class OpenPrompts:
    """The messages of one network in which a question waits, by the host's chat id and the network's message id."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._network = network

    async def take(self) -> list[tuple[str, str]]:
        """Return those of an earlier run, the oldest first, and forget them; none if they cannot be read."""
        sql = "SELECT chat, message FROM prompt WHERE network = ? ORDER BY at"
        rows = await self._store.cached_rows(sql, (self._network,))
        self._store.write("DELETE FROM prompt WHERE network = ?", (self._network,))
        return [(str(chat), str(message)) for chat, message in rows]

    async def add(self, chat: str, message: str, at: float) -> None:
        """Record a question asked at a Unix time, on disk unless that fails."""
        self._store.write("INSERT OR REPLACE INTO prompt VALUES (?, ?, ?, ?)", (self._network, chat, message, at))
        await self._store.commit()

    def remove(self, chat: str, message: str) -> None:
        """Forget a question that is settled."""
        self._store.write(
            "DELETE FROM prompt WHERE network = ? AND chat = ? AND message = ?", (self._network, chat, message)
        )
