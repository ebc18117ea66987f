"""The runtime allowlist: which groups and channels the bot was invited into by somebody who may invite it."""

from __future__ import annotations

from collections.abc import Callable

from .store import Store


class ChatBook:
    """The groups or channels of a network heard of so far, and those approved, on disk. `now` is Unix time."""

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._known: set[str] = set()
        self._approved: set[str] = set()
        self.is_new = True
        """No run before this one has taken stock of the account's chats."""

    async def load(self) -> None:
        rows = await self._store.rows("SELECT id, status FROM chat_group WHERE network = ?", (self._network,))
        self._known = {chat_id for chat_id, _ in rows}
        self._approved = {chat_id for chat_id, status in rows if status == "approved"}
        self.is_new = not await self._store.rows("SELECT 1 FROM meta WHERE key = ?", (f"{self._network} groups",))

    @property
    def approved(self) -> frozenset[str]:
        """The runtime allowlist."""
        return frozenset(self._approved)

    def knows(self, chat_id: str) -> bool:
        return chat_id in self._known

    def take_stock(self, chat_ids: list[str]) -> None:
        """Chats that were there before us: known, approved by nobody."""
        for chat_id in chat_ids:
            self.note(chat_id)
        self._store.write("INSERT OR REPLACE INTO meta VALUES (?, 'stocked')", (f"{self._network} groups",))
        self.is_new = False

    def note(self, chat_id: str) -> None:
        """The chat has been heard of; nothing that happens in it from now on is an invitation."""
        if chat_id not in self._known:
            self._put(chat_id, "known", None)

    def approve(self, chat_id: str, by: str) -> None:
        """Put the chat on the runtime allowlist; `by` is remembered."""
        self._approved.add(chat_id)
        self._put(chat_id, "approved", by)

    def forget(self, chat_id: str) -> None:
        """We were removed: a new invitation starts from nothing."""
        self._known.discard(chat_id)
        self._approved.discard(chat_id)
        self._store.write("DELETE FROM chat_group WHERE network = ? AND id = ?", (self._network, chat_id))

    def _put(self, chat_id: str, status: str, by: str | None) -> None:
        self._known.add(chat_id)
        self._store.write(
            "INSERT OR REPLACE INTO chat_group VALUES (?, ?, ?, ?, ?)",
            (self._network, chat_id, status, by, self._now()),
        )
