"""Both networks' state file in the real host: a gateway that cannot keep its state says so."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.cli import main
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.state import ledger, snapshot
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import journal_of

from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import DM, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, GROUP, FakeSignalDaemon, group
from tests.hosted import created, created_mattermost, hosted, hosted_mattermost
from tests.scene_signal import ALICE_A, ALLOTMENT, BOT, BOT_ITSELF, in_group, variant

HOSTILE = "Allotment\x1b[2J\x1b]0;owned\x07\n✓ Family\u202e @file:notes"


@pytest.fixture
def daemon(daemon: FakeSignalDaemon, alice_on_signal: None, monkeypatch: pytest.MonkeyPatch) -> FakeSignalDaemon:
    """A daemon with a second group, that the environment points to."""
    daemon.groups.append(group(ALLOTMENT, name="Allotment"))
    monkeypatch.setenv("SIGNAL_HTTP_URL", daemon.url)
    monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
    return daemon


def folder_in_its_place(state: Path) -> None:
    state.mkdir(parents=True)


def orders_that_make_no_sense(state: Path) -> None:
    state.parent.mkdir(parents=True)
    journal_of(state).path.write_text("revoke everything\n")


@pytest.mark.parametrize(
    ("fault", "reason"), [(folder_in_its_place, "unable to open"), (orders_that_make_no_sense, "line 1 of the orders")]
)
@pytest.mark.parametrize("network", ["signal", "mattermost"])
async def test_connecting_is_refused_with_the_reason_and_works_once_it_is_gone(
    daemon: FakeSignalDaemon, hermes_home: Path, monkeypatch: pytest.MonkeyPatch, network: str, fault: Any, reason: str
) -> None:
    state = state_file(hermes_home)
    fault(state)
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", ALICE_THERE)
    async with FakeMattermostServer() as server:
        _, adapter = created(daemon.url) if network == "signal" else created_mattermost(server)
        assert not await adapter.connect()
        assert reason in adapter.fatal_error_message
        assert adapter.fatal_error_retryable
        state.rmdir() if fault is folder_in_its_place else journal_of(state).path.unlink()
        assert await adapter.connect(), adapter.fatal_error_message
        await adapter.disconnect()


async def test_an_order_that_cannot_be_kept_is_no_success(
    daemon: FakeSignalDaemon, hermes_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("groups", "revoke", ALLOTMENT)
    orders_that_make_no_sense(state_file(hermes_home))
    assert await asyncio.to_thread(main.main, command) == 2
    written = capsys.readouterr()
    assert "line 1 of the orders" in written.err
    assert "revoked" not in written.out
    journal_of(state_file(hermes_home)).path.unlink()
    assert await asyncio.to_thread(main.main, command) == 0
    assert f"signal {ALLOTMENT}: revoked" in capsys.readouterr().out


async def fill_up(host: Any, *, is_full: bool) -> None:
    """The file is as long as it may get, or no longer."""
    store = host.adapter.connection._store

    def work() -> None:
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count={pages if is_full else 2**30}")

    await store._in_thread(work)
    while is_full and await store.flush():
        store.write_later("INSERT INTO direct_chat VALUES (hex(randomblob(4000)), 'x')")


async def test_an_admin_is_told_what_was_not_kept_and_the_chat_goes_on(
    daemon: FakeSignalDaemon, hermes_home: Path
) -> None:
    state, long = state_file(hermes_home), "because " * 60

    async with hosted(daemon, allow_admin_from=[ALICE], group_allow_admin_from=[ALICE]) as host:

        async def asked(text: str) -> str:
            before = len(daemon.called("send"))
            await host.emit(variant("dm_text", ALICE_A, text=text))
            (answer,) = daemon.called("send")[before:]
            return str(answer["message"])

        async def heard(text: str) -> bool:
            await host.emit(in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF))
            return text in [event.text for event in host.reached]

        assert await heard("before")
        assert await asked(f"/adapters groups approve {ALLOTMENT}") == "Allotment: granted"
        assert await asked(f"/adapters groups revoke {ALLOTMENT}") == "Allotment: revoked"
        await fill_up(host, is_full=True)
        told = [await asked(f"/adapters groups approve {ALLOTMENT} {long}") for _ in range(12)]
        assert "the disk is full" in told[-1]
        kept = entries(state, "signal")[ALLOTMENT].status
        assert kept is (Status.GRANTED if "Allotment: granted" in told else Status.REVOKED)
        assert await heard("while it is full")
        told = [await asked(f"/adapters groups revoke {GROUP} {long}") for _ in range(12)]
        assert "would not be after a restart" in told[-1]
        assert not await heard("revoked, for the time being")
        await fill_up(host, is_full=False)
        assert await asked(f"/adapters groups revoke {GROUP}") == "Test Group: revoked"
    async with hosted(daemon) as host:
        assert GROUP in host.adapter.connection.allowlist.revoked


async def test_a_flood_in_a_group_that_is_not_served_pushes_no_message_out_of_the_ledger(
    daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "KEEP_KEYS", 30)
    monkeypatch.setattr(ledger, "KEEP_IGNORED", 30)
    once = variant("dm_text", ALICE_A, text="once")
    async with hosted(daemon) as host:
        await host.emit(once)
        for _ in range(4):
            await host.emit(*(in_group(ALICE_A, "noise", group_id=ALLOTMENT) for _ in range(25)))
        await host.emit(once, variant("dm_text", ALICE_A, text="twice"))
        assert [event.text for event in host.reached] == ["once", "twice"]
        assert host.adapter.connection.source.pipeline.ledger.horizon == 0


async def test_both_networks_and_their_reconnects_share_one_connection(
    daemon: FakeSignalDaemon, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", ALICE_THERE)
    async with FakeMattermostServer() as server, hosted_mattermost(server) as there:
        async with hosted(daemon) as host:
            stores = [one.adapter.connection._store for one in (host, there)]
            assert stores[0] is stores[1]
            opened = stores[0]._connection
            assert await host.adapter.disconnect() is None
            assert await host.adapter.connect()
            assert stores[0]._connection is opened
            await host.emit(variant("dm_text", ALICE_A, text="here"))
        await server.post(ALICE_THERE, DM, "there")
        await there.settled()
        assert [event.text for event in (*host.reached, *there.reached)] == ["here", "there"]
    assert opened is not None
    assert stores[0]._connection is None


async def test_a_groups_name_writes_no_more_than_its_line(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "EVERY_SECONDS", 0.05)
    monkeypatch.setenv("COLUMNS", "200")
    daemon.groups = [group(), group(ALLOTMENT, name=HOSTILE)]
    async with hosted(daemon, allow_admin_from=[ALICE]) as host:
        assert await asyncio.to_thread(main.main, ("groups", "list")) == 0
        table = capsys.readouterr().out
        await host.emit(variant("dm_text", ALICE_A, text="/adapters groups list"))
        await host.emit(variant("dm_text", ALICE_A, text=f"/adapters groups revoke {ALLOTMENT}"))
        listed, revoked = [str(call["message"]) for call in daemon.called("send")]
    for written in (table, listed, revoked):
        assert "Allotment" in written
        assert not {"\x1b", "\x07", "\u202e"} & {*written}
    assert len(table.splitlines()) == 3
    assert len(listed.splitlines()) == 2
    assert len(revoked.splitlines()) == 1
    assert "@file" not in listed + revoked
