"""The runtime allowlist: invitations, and the operator's orders from inside and outside the gateway."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.chats import Entry, LiveChat, Status, find, overview
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.core.policy import Policy
from hermes_hardened_adapters.common.core.pseudonymizer import Pseudonymizer
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist, order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import read
from hermes_hardened_adapters.common.state.schema import STEPS
from hermes_hardened_adapters.common.state.store import Store, change


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


def set_aside(folder: Path) -> list[Path]:
    return list(folder.glob("*.unusable*"))


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


async def test_a_file_of_the_first_schema_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as old, old:
        old.executescript(STEPS[0])
        old.execute("INSERT INTO chat_group VALUES ('signal', 'a', 'approved', 'alice', 1.0)")
        old.execute("PRAGMA user_version=1")
    store = Store(path)
    await store.open()
    assert (await loaded(store)).approved == {"a"}
    await store.close()
    assert not set_aside(tmp_path)
    assert entries(path, "signal")["a"].why == ""


async def test_a_locked_file_is_not_taken_for_a_broken_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    change(path, [])
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **kwargs: connect(*args, **{**kwargs, "timeout": 0.05}))
    with closing(connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        store = Store(path)
        with pytest.raises(StateError, match="locked"):
            await store.open()
        await store.close()
        with pytest.raises(StateError, match="locked"):
            change(path, [("DELETE FROM meta", ())])
    assert not set_aside(tmp_path)


def test_there_is_nothing_to_read_before_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="has not run"):
        read(tmp_path / "state.db", "SELECT 1")
    (tmp_path / "garbage.db").write_bytes(b"no database" * 200)
    with pytest.raises(StateError, match="cannot be read"):
        read(tmp_path / "garbage.db", "SELECT * FROM meta")


ALL = Entry(Status.APPROVED, "alice", 1000.0, "invitation")


@pytest.mark.parametrize(
    ("policy", "entry", "served", "because"),
    [
        (Policy(), None, False, "not approved"),
        (Policy(), Entry(Status.KNOWN, "", 1.0, ""), False, "not approved"),
        (Policy(), ALL, True, "invited by alice"),
        (Policy(), Entry(Status.GRANTED, "bob", 1.0, ""), True, "approved by bob"),
        (Policy(chats=frozenset({"a"})), None, True, "listed in the settings"),
        (Policy(every_chat=True), None, True, "the settings allow all"),
        (Policy(chats=frozenset({"a"})), Entry(Status.REVOKED, "bob", 1.0, "noise"), False, "revoked by bob"),
        (Policy(every_chat=True), Entry(Status.REVOKED, "bob", 1.0, "noise"), False, "revoked by bob"),
    ],
)
def test_why_a_group_is_served_or_not(policy: Policy, entry: Entry | None, served: bool, because: str) -> None:
    """The same as what the rules make of it."""
    known = {"a": entry} if entry else {}
    (row,) = overview("signal", policy, [LiveChat("a", "Family", "member")], known)
    assert (row.served, row.name, row.membership) == (served, "Family", "member")
    assert row.because.startswith(because)
    approved = frozenset(c for c, e in known.items() if e.status in {Status.APPROVED, Status.GRANTED})
    revoked = frozenset(c for c, e in known.items() if e.status is Status.REVOKED)
    assert policy.with_chats(approved, barred=revoked).serves("a") is served


def test_every_group_anybody_knows_is_listed_the_served_first() -> None:
    rows = overview(
        "signal",
        Policy(chats=frozenset({"listed"})),
        [LiveChat("live", "Zoo", "pending"), LiveChat("listed", "Ants", "member")],
        {"invited": ALL},
    )
    assert [(row.id, row.membership) for row in rows] == [("invited", ""), ("listed", "member"), ("live", "pending")]
    pseudonym = Pseudonymizer()
    assert find(pseudonym("live"), rows, pseudonym) == find("live", rows, pseudonym) == rows[-1]
    assert find("nobody", rows, pseudonym) is None


def test_a_pseudonym_two_groups_share_names_neither() -> None:
    rows = overview("signal", Policy(), [LiveChat("one", "", ""), LiveChat("other", "", "")], {})
    with pytest.raises(StateError, match="ambiguous"):
        find("same", rows, lambda _: "same")
    found = find("one", rows, lambda _: "same")
    assert found is not None
    assert found.id == "one"
