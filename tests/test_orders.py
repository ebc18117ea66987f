"""The journal of orders, and the tables that are rebuilt from it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.state import orders as orders_module
from hermes_hardened_adapters.common.state.allowlist import order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import journal_of, read
from hermes_hardened_adapters.common.state.orders import ChatOrder, Journal, NumberOrder, Order
from hermes_hardened_adapters.common.state.store import Store, change

from tests.state import loaded, started_anew

NUMBER = "+15550002222"
OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
GIVEN = ChatOrder("signal", "a", Status.REVOKED, "operator", "line\nbreak", 1.0)
MOVED = NumberOrder(NUMBER, OLD, NEW, 2.0)


# -- the journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "orders")


def append(journal: Journal, *orders: Order) -> None:
    with journal.appended(orders):
        pass


def test_the_last_order_counts(journal: Journal) -> None:
    assert journal.read() == {}
    append(journal, GIVEN, MOVED)
    granted = ChatOrder("signal", "a", Status.GRANTED, "admin", "", 3.0)
    append(journal, granted)
    assert journal.read() == {("signal", "a"): granted, ("number", NUMBER): MOVED}
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("torn", [b"{", b'{"network":"signal","chat":"a","sta', b"\0" * 100])
def test_a_torn_last_line_is_no_order_and_in_nobodys_way(journal: Journal, torn: bytes) -> None:
    append(journal, GIVEN)
    with journal.path.open("ab") as file:
        file.write(torn)
    assert journal.read() == {GIVEN.subject: GIVEN}
    append(journal, MOVED)
    assert journal.read() == {GIVEN.subject: GIVEN, MOVED.subject: MOVED}
    assert journal.path.read_bytes().count(b"\n") == 2


def test_a_last_line_that_lacks_only_its_end_is_an_order(journal: Journal) -> None:
    append(journal, GIVEN)
    os.truncate(journal.path, journal.path.stat().st_size - 1)
    assert journal.read() == {GIVEN.subject: GIVEN}
    append(journal, MOVED)
    assert journal.read() == {GIVEN.subject: GIVEN, MOVED.subject: MOVED}


def test_it_does_not_grow_for_ever(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders_module, "_COMPACT_BYTES", 1000)
    journal = Journal(journal.path)
    forgotten = ChatOrder("signal", "b", None, "", "removed", 2.0)
    append(journal, GIVEN, MOVED, forgotten)
    for number in range(100):
        append(journal, ChatOrder("signal", "c", Status.APPROVED, "alice", "", float(number)))
    assert journal.path.stat().st_size < 3000
    kept = {"a": Status.REVOKED, "c": Status.APPROVED}
    assert {o.chat: o.status for o in journal.read().values() if isinstance(o, ChatOrder)} == kept
    assert journal.read()[MOVED.subject] == MOVED
    assert [path.name for path in journal.path.parent.iterdir()] == ["orders"]


# -- kept twice


async def test_whichever_file_is_lost_no_order_is(store: Store) -> None:
    book = await loaded(store)
    for chat in ("revoked", "granted"):
        order(store.path, "signal", chat, Status(chat), "operator", "because", 1.0)
    await book.order("revoked by an admin", Status.REVOKED, "admin", "")
    for chat in ("approved", "removed", "removed and back"):
        book.approve(chat, by="alice")
    book.block("barred", by="mallory")
    book.mark_known("known")
    book.remove("removed")
    book.remove("removed and back")
    book.mark_known("removed and back")
    for without in ("state.db", "orders", "state.db"):
        book = await started_anew(store, without=without)
        assert book.revoked == {"revoked", "revoked by an admin"}
        assert book.approved == {"granted", "approved"}
        assert book.blocked.keys() == {"barred"}
        assert not book.knows("removed")
    assert entries(store.path, "signal")["revoked"].origin().endswith(": because")


async def test_merely_opening_the_file_changes_nothing(store: Store) -> None:
    book = await loaded(store)
    book.approve("b", by="alice")
    book.remove("b")
    book.mark_known("b")
    await book.order("a", Status.REVOKED, "admin", "")
    await store.flush()
    tables = ("chat_group", "audit", "identity", "meta")
    before = [read(store.path, f"SELECT * FROM {table}") for table in tables]
    written = journal_of(store.path).path.read_bytes()
    change(store.path, [])
    assert [read(store.path, f"SELECT * FROM {table}") for table in tables] == before
    assert journal_of(store.path).path.read_bytes() == written


@pytest.mark.parametrize("winner", ["file", "journal"])
async def test_who_is_revoked_in_either_is_revoked(store: Store, winner: str) -> None:
    other = ChatOrder("signal", "a", Status.GRANTED, "operator", "", 2.0)
    await store.close()
    order(store.path, "signal", "a", Status.REVOKED if winner == "file" else Status.GRANTED, "operator", "", 1.0)
    append(journal_of(store.path), other if winner == "file" else GIVEN)
    await store.open()
    assert (await loaded(store)).revoked == {"a"}
    assert journal_of(store.path).read()["signal", "a"] == ChatOrder(
        "signal", "a", Status.REVOKED, "operator", "" if winner == "file" else GIVEN.why, 1.0
    )


# -- a moment ago
# -- bounds
# -- secrets and modes
