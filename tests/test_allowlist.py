"""The runtime allowlist: invitations, and the operator's orders from inside and outside the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest
from hermes_hardened_adapters.common.core.chats import Entry, Status
from hermes_hardened_adapters.common.state import allowlist as module
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist, order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.store import Store

from tests.state import loaded, started_anew


@pytest.fixture
async def book(store: Store) -> RuntimeAllowlist:
    return await loaded(store)


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


def status_of(store: Store, chat_id: str = "a") -> Status | None:
    entry = entries(store.path, "signal").get(chat_id)
    return entry.status if entry else None


def acts(chat_id: str = "a") -> dict[str, Callable[[RuntimeAllowlist], None]]:
    return {
        "note": lambda book: book.mark_known(chat_id),
        "approve": lambda book: book.approve(chat_id, by="alice"),
        "bar": lambda book: book.block(chat_id, by="mallory"),
        "forget": lambda book: book.remove(chat_id),
    }


BEFORE: dict[str, Callable[[RuntimeAllowlist], None]] = {
    "unheard of": lambda _: None,
    **{f"after {name}": act for name, act in acts().items()},
}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
@pytest.mark.parametrize("act", acts().values(), ids=acts())
@pytest.mark.parametrize("given", [Status.REVOKED, Status.GRANTED])
async def test_no_act_overwrites_an_order_that_memory_does_not_know_yet(
    store: Store, given: Status, act: Callable[[RuntimeAllowlist], None], before: Callable[[RuntimeAllowlist], None]
) -> None:
    book = await loaded(store)
    before(book)
    await store.flush()
    order(store.path, "signal", "a", given, "operator", "", 1.0)
    act(book)
    await store.flush()
    assert status_of(store) is given
    assert await book.refresh() == (["a"] if given is Status.GRANTED else [])
    act(book)
    for _ in range(2):
        assert (book.revoked, book.approved) == ((set(), {"a"}) if given is Status.GRANTED else ({"a"}, set()))
        book = await started_anew(store, without="state.db")


@pytest.mark.parametrize(
    ("acts_in_turn", "status"),
    [
        (["note"], Status.KNOWN),
        (["approve"], Status.APPROVED),
        (["note", "approve"], Status.APPROVED),
        (["bar"], Status.BLOCKED),
        (["note", "bar"], Status.BLOCKED),
        (["bar", "note"], Status.BLOCKED),
        (["bar", "approve"], Status.APPROVED),
        (["approve", "bar"], Status.APPROVED),
        (["approve", "note"], Status.APPROVED),
        (["approve", "forget"], None),
        (["bar", "forget"], None),
        (["note", "forget"], None),
        (["bar", "forget", "approve"], Status.APPROVED),
    ],
)
async def test_what_acts_come_to_where_nobody_ordered_anything(
    store: Store, acts_in_turn: list[str], status: Status | None
) -> None:
    """In memory and on disk."""
    book = await loaded(store)
    for act in acts_in_turn:
        acts()[act](book)
    await store.flush()
    assert status_of(store) is status
    for _ in range(2):
        assert book.approved == ({"a"} if status is Status.APPROVED else set())
        assert book.blocked.keys() == ({"a"} if status is Status.BLOCKED else set())
        assert book.knows("a") is (status is not None)
        book = await loaded(store)


async def test_the_chats_merely_known_are_bounded_and_cost_nothing_to_add(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "KEEP_KNOWN", 10)
    book = await loaded(store)
    ordered = {"approved": Status.APPROVED, "barred": Status.BLOCKED, "revoked": Status.REVOKED}
    book.approve("approved", by="alice")
    book.block("barred", by="mallory")
    await book.order("revoked", Status.REVOKED, "admin", "")
    monkeypatch.setattr(RuntimeAllowlist, "_update_sets", None)  # nothing is sorted anew
    for number in range(30):
        book.mark_known(str(number))
    await store.flush()
    known = {str(number) for number in range(20, 30)}
    assert {chat_id for chat_id in map(str, range(30)) if book.knows(chat_id)} == known
    stored = {chat_id: entry.status for chat_id, entry in entries(store.path, "signal").items()}
    assert stored == {**ordered, **dict.fromkeys(known, Status.KNOWN)}


async def test_chats_that_strangers_open_are_bounded(store: Store) -> None:
    book = RuntimeAllowlist(store, "mattermost", time.time)
    await book.load()
    for number in range(2 * module.KEEP_KNOWN):
        book.block(f"c{number}", by="mallory")
    assert len(book.blocked) == module.KEEP_KNOWN
    await store.flush()
    for path in (store.path, None):
        if path is None:
            store.path.with_name("orders").rename(store.path.with_name("kept"))
        assert len(entries(store.path, "mattermost")) == module.KEEP_KNOWN
