"""A bot's connection: logged in, listening, closed as a whole, and what it tells of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.errors import Closed, Fatal

from tests.connections import mattermost_connection, on_mattermost
from tests.fakes.mattermost_server import ALICE, DM, GROUP_MESSAGE, HERMES, OPS, SECRET, FakeMattermostServer


async def test_once_listening_it_knows_its_channels(server: FakeMattermostServer, tmp_path: Path) -> None:
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        assert {chat.id for chat in await seen.connection.chats()} == {OPS, SECRET, GROUP_MESSAGE}
        assert seen.connection.source.me.id == HERMES
        snapshot = seen.connection.snapshot()
        assert (snapshot.network, snapshot.listening, snapshot.reconnects) == ("mattermost", True, 0)


@pytest.mark.parametrize(
    ("reported", "size"),
    [("16383", 16383), ("65535", 65535), ("999", 16383), ("many", 16383), ("", 16383), ("²", 16383)],
)
async def test_the_size_of_a_post_is_the_servers_where_that_makes_sense(
    server: FakeMattermostServer, tmp_path: Path, reported: str, size: int
) -> None:
    server.config["MaxPostSize"] = reported
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        assert seen.connection.post_size == size


async def test_what_was_received_is_delivered_before_it_is_closed(server: FakeMattermostServer, tmp_path: Path) -> None:
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        await server.post(ALICE, DM, "hello")
        await asyncio.sleep(0.05)
        await seen.connection.close()
        await seen.connection.close()
        assert seen.texts == ["hello"]


async def test_closing_interrupts_logging_in(server: FakeMattermostServer, tmp_path: Path) -> None:
    seen = mattermost_connection(server, tmp_path / "state.db")
    logging_in = asyncio.create_task(seen.connection.log_in())
    await asyncio.sleep(0)
    await seen.connection.close()
    with pytest.raises(Closed):
        await logging_in
    with pytest.raises(Closed):
        await seen.connection.listen()
    assert seen.dead == []


async def test_a_revoked_token_ends_it(server: FakeMattermostServer, tmp_path: Path) -> None:
    server.revoke_token()
    with pytest.raises(Fatal, match="mattermost_bad_token"):
        async with on_mattermost(server, tmp_path / "state.db"):
            pass
