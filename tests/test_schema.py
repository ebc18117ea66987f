"""A state file that an earlier version wrote opens with everything in it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.chats import Entry, Status
from hermes_hardened_adapters.common.core.events import Reason, Rule
from hermes_hardened_adapters.common.inbound.observation import Observations
from hermes_hardened_adapters.common.state import chats, direct_chats, identities, trace
from hermes_hardened_adapters.common.state.allowlist import RuntimeAllowlist
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.cursors import Cursors
from hermes_hardened_adapters.common.state.database import inspect
from hermes_hardened_adapters.common.state.identities import Pair, Source
from hermes_hardened_adapters.common.state.ledger import Ledger
from hermes_hardened_adapters.common.state.schema import SCHEMA_VERSION, STEPS
from hermes_hardened_adapters.common.state.snapshot import read_snapshot
from hermes_hardened_adapters.common.state.store import Store, pseudonymizer

from tests.state import loaded, set_aside

WRITTEN = Path(__file__).parent / "fixtures" / "state"
NUMBER, OLD, NEW = "+15550002222", "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


@pytest.fixture(params=[4])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """The file of that schema version, opened."""
    path, written = tmp_path / "state.db", WRITTEN / f"schema-{request.param}"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(written.with_suffix(".sql").read_text())
    shutil.copy(written.with_suffix(".orders"), tmp_path / "orders")
    assert inspect(path) == (request.param, "ok")
    store = Store(path)
    await store.open()
    assert inspect(path) == (SCHEMA_VERSION, "ok")
    yield store
    await store.close()


async def test_chats_keep_their_status(store: Store) -> None:
    assert chats.entries(store.path, "signal") == {
        "known": Entry(Status.KNOWN, "", 1000.0, ""),
        "invited": Entry(Status.APPROVED, "alice", 1000.0, "invitation"),
        "opened": Entry(Status.BLOCKED, "mallory", 1000.0, "opened without approval"),
        "revoked": Entry(Status.REVOKED, "admin", 1000.0, "too loud"),
        "granted": Entry(Status.GRANTED, "operator", 2000.0, "because"),
    }
    allowlist = RuntimeAllowlist(store, "signal", lambda: 3000.0)
    await allowlist.load()
    assert (allowlist.approved, allowlist.revoked) == ({"invited", "granted"}, {"revoked"})
    assert list(allowlist.blocked) == ["opened"]
    assert allowlist.knows("known")
    assert not allowlist.is_new


async def test_people_keep_their_numbers_and_chats(store: Store) -> None:
    moved = Pair(NUMBER, OLD, Source.ENVELOPE, NEW)
    assert await identities.load(store) == [Pair("+15550001111", OLD, Source.CONTACTS), moved]
    assert await direct_chats.load(store) == [(NUMBER, NUMBER), (OLD, NUMBER)]


async def test_messages_stay_handled_and_observed(store: Store) -> None:
    ledger = Ledger(store, "signal", lambda: 3000.0)
    await ledger.load()
    assert [ledger.claim(key) for key in ("a", "b")] == [False, True]
    cursors = Cursors(store, "mattermost")
    await cursors.load()
    assert (cursors.since("channel"), cursors.since("another")) == (7, 7)
    observed = Observations("signal", lambda: 1000.0)
    await observed.persist(store)
    assert [str(line) for line in observed.lines("g")] == ["Ann: lunch?", "[unverified] Bob: yes"]

    class Event:
        channel_context: str | None = None

    event = Event()
    observed.attach("g", "session", event)
    assert event.channel_context is not None
    assert "Bob: yes" in event.channel_context
    assert "lunch" not in event.channel_context


async def test_the_operator_still_reads_the_trace_and_the_status(store: Store) -> None:
    (entry,) = trace.entries(store.path)
    assert (entry.verdict, entry.rule, entry.reason) == ("ignore", Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)
    snapshot = read_snapshot(store.path, "signal")
    assert snapshot is not None
    assert snapshot.decisions == {"ignore chat not allowed": 1}
    assert pseudonymizer(store.path)(NUMBER) == store.pseudonym(NUMBER) != ""


@pytest.mark.parametrize("version", [2, 3])
async def test_a_ledger_of_an_older_schema_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    path = tmp_path / "state.db"
    post, aci = "a" * 26, "11111111-1111-4111-8111-111111111111"
    rows = [(post, 4.0), (f"{post} dispatched", 5.0), (f"{aci} 17", 1.0), ("+15550001111 18", 2.0)]
    with sqlite3.connect(path) as connection:
        for step in STEPS[:2]:
            connection.executescript(step)
        connection.executemany("INSERT INTO ledger VALUES (?, ?)", rows)
        for step in STEPS[2:version]:
            connection.executescript(step)
        connection.execute(f"PRAGMA user_version={version}")
    connection.close()
    store = Store(path)
    await store.open()
    for network, keys in (("mattermost", [post, f"{post} dispatched"]), ("signal", [f"{aci} 17", "+15550001111 18"])):
        ledger = Ledger(store, network, lambda: 10.0)
        await ledger.load()
        assert [ledger.claim(key) for key in (*keys, "another")] == [False, False, True]
    assert await store.rows("SELECT sent_at FROM ledger ORDER BY sent_at") == [(1000,), (2000,), (4000,), (5000,)]
    await store.close()


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
