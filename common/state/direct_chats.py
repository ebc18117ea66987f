"""The table of direct chats: under which id each alias of a person first appeared."""

from __future__ import annotations

from .store import Store


async def recorded_chats(store: Store) -> list[tuple[str, str]]:
    """Every alias on disk with the id of its direct chat; raises StateError."""
    return [(alias, chat) for alias, chat in await store.rows("SELECT alias, chat FROM direct_chat ORDER BY rowid")]


def record_chat(store: Store, alias: str, chat: str) -> None:
    """Put the id of a direct chat on disk, by alias."""
    store.write("INSERT OR REPLACE INTO direct_chat VALUES (?, ?)", (alias, chat))


def forget_chat(store: Store, alias: str) -> None:
    """Take an alias from disk."""
    store.write("DELETE FROM direct_chat WHERE alias = ?", (alias,))
