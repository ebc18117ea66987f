"""The journal of orders, what is rebuilt from it, and that nothing overwrites an order given a moment ago."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.signal.people.directory import Directory, Learnt
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.core.pseudonymizer import Pseudonymizer
from hermes_hardened_adapters.common.state import allowlist as module
from hermes_hardened_adapters.common.state import identities
from hermes_hardened_adapters.common.state import orders as orders_module
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist, order
from hermes_hardened_adapters.common.state.audit import PRUNE
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import journal_of, read
from hermes_hardened_adapters.common.state.identities import Pair, Source
from hermes_hardened_adapters.common.state.orders import ChatOrder, Journal, NumberOrder, Order
from hermes_hardened_adapters.common.state.store import Store, change, pseudonymizer

NUMBER = "+15550002222"
OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
GIVEN = ChatOrder("signal", "a", Status.REVOKED, "operator", "line\nbreak", 1.0)
MOVED = NumberOrder(NUMBER, OLD, NEW, 2.0)


async def loaded(store: Store) -> RuntimeAllowlist:
    book = RuntimeAllowlist(store, "signal", lambda: 1000.0)
    await book.load()
    return book


def status_of(store: Store, chat_id: str = "a") -> Status | None:
    entry = entries(store.path, "signal").get(chat_id)
    return entry.status if entry else None


async def started_anew(store: Store, *, without: str) -> RuntimeAllowlist:
    """The book after a restart before which a file was lost."""
    await store.close()
    for path in store.path.parent.glob(f"{without}*"):
        path.unlink()
    await store.open()
    return await loaded(store)


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


async def test_a_number_that_moved_stays_so_without_the_state_file(store: Store) -> None:
    directory = Directory(remember=lambda pair: identities.record(store, pair, 1.0))
    directory.learn(NUMBER, OLD, Source.CONTACTS)
    assert directory.learn(NUMBER, NEW, Source.ENVELOPE) is Learnt.MOVED
    await started_anew(store, without="state.db")
    (pair,) = await identities.load(store)
    assert (pair.number, pair.aci, pair.moved_to) == (NUMBER, OLD, NEW)
    assert Directory([pair]).learn(NUMBER, NEW, Source.ENVELOPE) is not Learnt.NEW
    # The operator confirms it from outside; what the gateway still believes does not undo that.
    confirmed = ("UPDATE identity SET uid = ?, moved_to = NULL", (NEW,), NumberOrder(NUMBER, NEW, None, 2.0))
    change(store.path, [confirmed])
    identities.record(store, Pair(NUMBER, OLD, Source.ENVELOPE, NEW), 3.0)
    await store.flush()
    for without in ("nothing", "orders", "nothing"):
        await started_anew(store, without=without)
        assert [(p.aci, p.moved_to) for p in await identities.load(store)] == [(NEW, None)]


async def test_a_confirmed_number_stays_so_without_the_state_file(store: Store) -> None:
    change(
        store.path, [("INSERT INTO identity VALUES (?, ?, 2, NULL)", (NUMBER, NEW), NumberOrder(NUMBER, NEW, None, 2))]
    )
    await started_anew(store, without="state.db")
    assert await identities.load(store) == [Pair(NUMBER, NEW, Source.ENVELOPE)]


# -- a moment ago


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


# -- bounds


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


async def test_the_audit_is_bounded_but_for_the_latest_about_every_chat(store: Store) -> None:
    order(store.path, "signal", "old", Status.REVOKED, "operator", "superseded", 1.0)
    order(store.path, "signal", "old", Status.REVOKED, "operator", "the latest", 2.0)
    audited = "INSERT INTO audit (at, network, chat, status, by, why) VALUES (3, 'signal', ?, 'approved', '', '')"
    change(store.path, [(audited, (str(number),)) for number in range(3000)])
    change(store.path, [(PRUNE, ())])
    assert read(store.path, "SELECT count(*) FROM audit") == [(2001,)]
    assert entries(store.path, "signal")["old"].why == "the latest"


# -- secrets and modes


async def test_pseudonyms_are_keyed_with_the_files_own_secret(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "another profile" / "state.db")
    before = other.pseudonym(NUMBER)
    await other.open()
    named = {store.pseudonym(NUMBER), other.pseudonym(NUMBER), before, Pseudonymizer()(NUMBER)}
    assert len(named) == 4
    assert all(len(name) == 8 for name in named)
    assert pseudonymizer(store.path)(NUMBER) == store.pseudonym(NUMBER)
    assert store.pseudonym("") == ""
    name = store.pseudonym(NUMBER)
    await started_anew(store, without="orders")
    assert store.pseudonym(NUMBER) == name
    await other.close()


async def test_files_and_folder_open_to_others_are_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "hardened_adapters"
    store = Store(folder / "state.db")
    await store.open()
    book = await loaded(store)
    await book.order("a", Status.REVOKED, "admin", "")
    paths = [folder, *folder.iterdir()]
    assert {path.name for path in paths[1:]} == {"state.db", "state.db-wal", "state.db-shm", "orders"}
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    change(store.path, [])
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o700, *[0o600] * 4]
    await store.close()
