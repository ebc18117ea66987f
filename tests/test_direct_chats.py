"""The table of direct chats."""

from __future__ import annotations

from hermes_hardened_adapters.common.state import direct_chats
from hermes_hardened_adapters.common.state.store import Store


async def test_the_oldest_alias_comes_first_and_a_later_id_replaces_an_earlier_one(store: Store) -> None:
    for alias, chat in (("a", "1"), ("b", "2"), ("c", "3"), ("a", "4")):
        direct_chats.record(store, alias, chat)
    direct_chats.delete(store, "b")
    await store.flush()
    assert await direct_chats.load(store) == [("c", "3"), ("a", "4")]
