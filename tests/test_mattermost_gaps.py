"""Closing gaps: what was missed is queued before what arrives meanwhile."""

from __future__ import annotations

from pathlib import Path

from tests.connections import on_mattermost
from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE, DM, FakeMattermostServer


async def test_missed_posts_come_before_those_that_arrive_meanwhile(
    server: FakeMattermostServer, tmp_path: Path
) -> None:
    state = tmp_path / "state.db"
    async with on_mattermost(server, state) as seen:
        await server.post(ALICE, DM, "before")
        await seen.settled()
    await server.post(ALICE, DM, "missed")
    server.faults.append(Fault(delay=0.3, path=f"/channels/{DM}/posts"))
    async with on_mattermost(server, state) as seen:
        gaps = seen.connection.source.gaps
        await server.post(ALICE, DM, "live")
        assert seen.texts == []
        await gaps.running
        await seen.settled()
        assert gaps.caught_up == 1
    assert seen.texts == ["missed", "live"]


async def test_closing_ends_a_catch_up(server: FakeMattermostServer, tmp_path: Path) -> None:
    server.faults.append(Fault(delay=2.0, path="/users/me/channels"))
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        running = seen.connection.source.gaps.running
        assert not running.done()
    assert running.cancelled()
