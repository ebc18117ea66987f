"""The runtime allowlist: invitations, and the operator's orders from inside and outside the gateway."""

from __future__ import annotations

import asyncio

import pytest
from hermes_hardened_adapters.common.core.chats import Entry, Status
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist, order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.store import Store


@pytest.fixture
async def book(store: Store) -> RuntimeAllowlist:
    return await loaded(store)


async def loaded(store: Store) -> RuntimeAllowlist:
    await store.flush()
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    return book


def ordered(store: Store, chat: str, status: Status, network: str = "signal") -> None:
    order(store.path, network, chat, status, "operator", "because", 2000.0)


async def test_an_order_from_outside_is_taken_over_once(store: Store, book: RuntimeAllowlist) -> None:
    ordered(store, "a", Status.GRANTED)
    ordered(store, "b", Status.REVOKED)
    ordered(store, "c", Status.GRANTED, "mattermost")
    assert await book.refresh() == ["a"]
    assert (book.approved, book.revoked) == ({"a"}, {"b"})
    assert await book.refresh() == []


async def test_the_last_order_counts_whoever_gave_it(store: Store, book: RuntimeAllowlist) -> None:
    await book.order("a", Status.GRANTED, "admin", "")
    await store.flush()
    ordered(store, "a", Status.REVOKED)
    await book.refresh()
    assert book.revoked == {"a"}
    await book.order("a", Status.GRANTED, "admin", "")
    await book.refresh()
    assert book.approved == {"a"}
    assert (await loaded(store)).approved == {"a"}


async def test_an_order_given_while_orders_are_read_is_not_undone(
    store: Store, book: RuntimeAllowlist, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(store, "a", Status.REVOKED)
    rows, ordering = store.rows, []

    async def rows_and_an_order(query: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        found = await rows(query, parameters)
        monkeypatch.undo()
        ordering.append(asyncio.create_task(book.order("a", Status.GRANTED, "admin", "")))
        return found

    monkeypatch.setattr(store, "rows", rows_and_an_order)
    await book.refresh()
    await asyncio.gather(*ordering)
    assert book.approved == {"a"}


async def test_what_the_operator_revoked_no_invitation_brings_back(store: Store, book: RuntimeAllowlist) -> None:
    ordered(store, "a", Status.REVOKED)
    await book.refresh()
    book.remove("a")
    assert book.knows("a")
    book.approve("a", by="alice")
    assert book.approved == frozenset()
    assert (await loaded(store)).revoked == {"a"}


async def test_a_removal_ends_an_invitation_but_no_order(store: Store, book: RuntimeAllowlist) -> None:
    book.approve("invited", by="alice")
    await book.order("granted", Status.GRANTED, "admin", "")
    for chat in ("invited", "granted"):
        book.remove(chat)
    assert book.approved == {"granted"}
    assert not book.knows("invited")


async def test_an_invitation_after_an_order_is_not_taken_for_news(store: Store, book: RuntimeAllowlist) -> None:
    """What the book itself wrote about invitations does not bring a forgotten chat back."""
    book.approve("a", by="alice")
    book.remove("a")
    ordered(store, "b", Status.GRANTED)
    await book.refresh()
    assert book.approved == {"b"}


async def test_everything_is_audited(store: Store, book: RuntimeAllowlist) -> None:
    book.approve("a", by="alice")
    await book.order("a", Status.REVOKED, "admin", "too loud")
    await store.flush()
    ordered(store, "a", Status.GRANTED)
    rows = read(store.path, "SELECT at, network, chat, status, by, why FROM audit ORDER BY id")
    assert rows == [
        (1000.0, "signal", "a", "approved", "alice", "invitation"),
        (1000.0, "signal", "a", "revoked", "admin", "too loud"),
        (2000.0, "signal", "a", "granted", "operator", "because"),
    ]
    assert entries(store.path, "signal") == {"a": Entry(Status.GRANTED, "operator", 2000.0, "because")}


async def test_a_write_from_outside_is_noticed(store: Store, book: RuntimeAllowlist) -> None:
    async def changed() -> None:
        await book.refresh()

    watching = asyncio.create_task(store.watch(changed))
    await asyncio.sleep(0)
    ordered(store, "a", Status.GRANTED)
    async with asyncio.timeout(5):
        while not book.approved:
            await asyncio.sleep(0.01)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
