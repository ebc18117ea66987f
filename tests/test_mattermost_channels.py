"""The channels of posts: named by the frame, remembered, or asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.lookups.channels import Channel, Channels
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient

from tests.fakes.mattermost_server import DM, OPS, SECRET, TEAM, TOKEN, FakeMattermostServer


@pytest.fixture
async def channels(server: FakeMattermostServer) -> AsyncIterator[Channels]:
    async with MattermostClient(server.url, TOKEN) as client:
        yield Channels(client)


def item(channel_id: str, channel_type: str = "", channel_name: str = "", team_id: str = "") -> Any:
    post = SimpleNamespace(channel_id=channel_id)
    return SimpleNamespace(post=post, channel_type=channel_type, channel_name=channel_name, team_id=team_id)


async def test_what_a_frame_says_of_its_channel_is_remembered(channels: Channels, server: FakeMattermostServer) -> None:
    assert channels.known(item(OPS)) == Channel("O", "")
    assert await channels.of(item(OPS, "P", "Ops", TEAM)) == Channel("P", "Ops", TEAM)
    assert await channels.of(item(OPS)) == channels.known(item(OPS)) == Channel("P", "Ops", TEAM)
    assert server.calls == []


async def test_an_unknown_channel_is_asked_for_once(channels: Channels, server: FakeMattermostServer) -> None:
    for _ in range(2):
        assert (await channels.of(item(DM))).chat_type == "dm"
        assert (await channels.of(item(SECRET))).chat_type == "group"
    assert (await channels.of(item(SECRET))).team_id == TEAM
    assert len(server.calls) == 2


async def test_a_channel_that_cannot_be_asked_for_is_no_direct_message(
    channels: Channels, server: FakeMattermostServer
) -> None:
    assert await channels.of(item("a" * 26)) == Channel("O", "")
    assert await channels.of(item("no id")) == Channel("O", "")
    assert channels.known(item("a" * 26)) == Channel("O", "")


@pytest.mark.parametrize(
    ("channel_type", "chat_type"),
    [("D", "dm"), ("G", "group"), ("P", "group"), ("O", "channel"), ("X", "channel")],
)
def test_the_hosts_word_for_a_type(channel_type: str, chat_type: str) -> None:
    assert Channel(channel_type, "").chat_type == chat_type
