"""A Signal account's connection: opened and closed as a whole, and what it tells of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.errors import Closed, ConnectionLost, Fatal
from hermes_hardened_adapters.common.state.snapshot import read_snapshot

from tests.connections import on_signal, signal_connection
from tests.fakes.signal_daemon import GROUP, FakeSignalDaemon, recorded_event


async def test_once_open_it_knows_itself_and_its_groups(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    async with on_signal(daemon, state) as seen:
        assert seen.connection.source.unknown() == ""
        assert [(chat.id, chat.membership) for chat in await seen.connection.chats()] == [(GROUP, "member")]
        snapshot = seen.connection.snapshot()
        assert (snapshot.network, snapshot.listening, snapshot.reconnects) == ("signal", True, 0)
    last = read_snapshot(state, "signal")
    assert last is not None
    assert last.process == snapshot.process


async def test_what_was_received_is_delivered_before_it_is_closed(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    async with on_signal(daemon, tmp_path / "state.db") as seen:
        await daemon.emit_event(recorded_event("dm_text"))
        await asyncio.sleep(0.05)
        await seen.connection.close()
        await seen.connection.close()
        assert seen.texts == ["hello"]


async def test_closing_interrupts_opening(daemon: FakeSignalDaemon, tmp_path: Path) -> None:
    seen = signal_connection(daemon, tmp_path / "state.db")
    opening = asyncio.create_task(seen.connection.open())
    await asyncio.sleep(0)
    await seen.connection.close()
    with pytest.raises(Closed):
        await opening
    with pytest.raises(Closed):
        await seen.connection.open()
    assert seen.dead == []


@pytest.mark.parametrize(("status", "error"), [(403, Fatal), (503, ConnectionLost)])
async def test_a_daemon_that_refuses_ends_opening(
    daemon: FakeSignalDaemon, tmp_path: Path, status: int, error: type[Exception]
) -> None:
    daemon.refuse_events = status
    with pytest.raises(error):
        async with on_signal(daemon, tmp_path / "state.db"):
            pass
