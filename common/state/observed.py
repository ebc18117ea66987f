"""The tables of observed lines and of each session's reading cursor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a chat's background. `at` is the Unix time of its arrival, `seq` its number in the network."""

    chat: str
    seq: int
    key: str
    author: str
    verified: bool
    text: str
    at: float


class ObservedLines:
    """The lines of one network. Writes are queued, because mere background need not survive a crash."""

    def __init__(self, store: Store, network: str) -> None:
        self._store = store
        self._network = network

    async def load(self) -> list[Row]:
        """Return every line, the oldest first; none if they cannot be read."""
        sql = "SELECT chat, seq, key, author, verified, text, at FROM observed WHERE network = ? ORDER BY seq"
        return [Row(*row) for row in await self._store.cached_rows(sql, (self._network,))]

    async def load_cursors(self) -> dict[str, int]:
        """Return the number of the last line that each session has read; nothing if they cannot be read."""
        return dict(await self._store.cached_rows("SELECT session, seq FROM observed_cursor"))

    def add(self, row: Row) -> None:
        self._store.write(
            "INSERT INTO observed VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (self._network, row.chat, row.seq, row.key, row.author, row.verified, row.text, row.at),
        )

    def set_text(self, chat: str, seq: int, text: str) -> None:
        sql = "UPDATE observed SET text = ? WHERE network = ? AND chat = ? AND seq = ?"
        self._store.write(sql, (text, self._network, chat, seq))

    def delete(self, chat: str, seq: int) -> None:
        self._store.write("DELETE FROM observed WHERE network = ? AND chat = ? AND seq = ?", (self._network, chat, seq))

    def delete_chat(self, chat: str) -> None:
        self._store.write("DELETE FROM observed WHERE network = ? AND chat = ?", (self._network, chat))

    def set_cursor(self, session: str, seq: int) -> None:
        self._store.write("INSERT OR REPLACE INTO observed_cursor VALUES (?, ?)", (session, seq))

    def delete_cursor(self, session: str) -> None:
        self._store.write("DELETE FROM observed_cursor WHERE session = ?", (session,))
