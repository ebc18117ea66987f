"""The table of direct chats: for each alias of a person, the id under which their chat first appeared. The id never
changes, so that the host keeps one session for each person."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .store import Store


async def load(store: Store) -> list[tuple[str, str]]:
    """Return every (alias, chat id), the oldest first; raise StateError."""
    return [(alias, chat) for alias, chat in await store.rows("SELECT alias, chat FROM direct_chat ORDER BY rowid")]


def record(store: Store, alias: str, chat: str) -> None:
    """Queue the id of an alias' direct chat for the disk."""
    store.write("INSERT OR REPLACE INTO direct_chat VALUES (?, ?)", (alias, chat))


def delete(store: Store, alias: str) -> None:
    """Delete an alias."""
    store.write("DELETE FROM direct_chat WHERE alias = ?", (alias,))
