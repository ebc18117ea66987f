"""Whose act makes the bot serve a channel, in the real host: additions seen and missed, group messages, restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.state.allowlist import order
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.store import change

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE, BOB, DM, GROUP_MESSAGE, HERMES, OPS, FakeMattermostServer
from tests.hosted import Hosted, hosted_mattermost, is_heard

pytestmark = pytest.mark.usefixtures("alice_and_bob_on_mattermost")


async def listened(server: FakeMattermostServer, **extra: object) -> None:
    """A run that has seen what there is."""
    async with hosted_mattermost(server, **extra) as host:
        assert await is_heard(host, server, OPS, "first")
        await caught_up(host)


async def caught_up(host: Hosted) -> None:
    """Wait until the channels were listed and what was missed is dealt with."""
    await host.until(lambda: host.adapter.connection.source.gaps.running.done())
    await host.settled()


def added(server: FakeMattermostServer, channel: str, adder: str) -> None:
    """The bot is added while it does not listen."""
    server.members[channel].add(HERMES)
    props = {"addedUserId": HERMES, "addedUsername": "hermes", "userId": adder, "username": "x"}
    server.store(adder, channel, "added", type="system_add_to_channel", props=props)


@pytest.mark.parametrize("old_file", [False, True])
async def test_what_was_there_before_us_is_served(
    server: FakeMattermostServer, hermes_home: Path, old_file: bool
) -> None:
    before = server.add_channel("before", members={HERMES, ALICE})
    if old_file:
        await listened(server)
        (state,) = (hermes_home / "hardened_adapters").glob("*.db")
        change(state, [("DELETE FROM meta", ()), ("DELETE FROM chat_group", ())])
    async with hosted_mattermost(server) as host:
        for channel in (before, OPS, GROUP_MESSAGE):
            assert await is_heard(host, server, channel)
    async with hosted_mattermost(server) as host:
        for channel in (before, OPS, GROUP_MESSAGE):
            assert await is_heard(host, server, channel)


@pytest.mark.parametrize(("by", "served"), [("alice", True), ("mallory", False), (None, False)])
async def test_added_while_we_were_away(
    server: FakeMattermostServer, mallory: str, by: str | None, served: bool
) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    await listened(server)
    if by is None:
        server.members[channel].add(HERMES)
    else:
        added(server, channel, ALICE if by == "alice" else mallory)
    for again in (False, True):
        async with hosted_mattermost(server) as host:
            await caught_up(host)
            if by == "mallory":
                assert HERMES not in server.members[channel]
            else:
                assert HERMES in server.members[channel]
                assert await is_heard(host, server, channel, f"{again}") is served


async def test_an_addition_with_more_posts_after_it_than_are_fetched(
    server: FakeMattermostServer, mallory: str, hermes_home: Path
) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    await listened(server)
    added(server, channel, mallory)
    for number in range(5):
        server.store(ALICE, channel, f"@hermes {number}")
    async with hosted_mattermost(server, catch_up_posts=3) as host:
        await caught_up(host)
        assert not await is_heard(host, server, channel)
        assert host.passed == []
    (state,) = (hermes_home / "hardened_adapters").glob("*.db")
    assert entries(state, "mattermost")[channel].status is Status.BLOCKED
    async with hosted_mattermost(server) as host:
        assert not await is_heard(host, server, channel, "still here")
        order(state, "mattermost", channel, Status.GRANTED, "operator", "", 1.0)
        await host.until(lambda: channel in host.adapter.connection.source.allowlist.approved)
        assert await is_heard(host, server, channel, "approved")


async def test_somebody_allowed_adds_us_again(server: FakeMattermostServer, mallory: str) -> None:
    channel = server.add_channel("new", members={ALICE, mallory, HERMES})
    await listened(server, allowed_channels=[OPS])
    server.members[channel].discard(HERMES)
    async with hosted_mattermost(server) as host:
        server.faults.append(Fault(500, 9, path=f"/channels/{channel}/members"))
        await server.add_member(channel, HERMES, mallory)
        await host.settled()
        assert not await is_heard(host, server, channel)
        await server.remove_member(channel, HERMES, BOB)
        await server.add_member(channel, HERMES, ALICE)
        await host.settled()
        assert await is_heard(host, server, channel)


async def test_what_could_not_be_left_is_left_at_the_next_connect(server: FakeMattermostServer, mallory: str) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    async with hosted_mattermost(server) as host:
        server.faults.append(Fault(500, 9, path=f"/channels/{channel}/members"))
        await server.add_member(channel, HERMES, mallory)
        await host.settled()
        assert HERMES in server.members[channel]
        assert not await is_heard(host, server, channel)
    async with hosted_mattermost(server) as host:
        await caught_up(host)
        assert HERMES in server.members[channel]
        assert not await is_heard(host, server, channel, "after a restart")
    server.faults.clear()
    async with hosted_mattermost(server) as host:
        await caught_up(host)
        await host.until(lambda: HERMES not in server.members[channel])
        assert await is_heard(host, server, OPS)


async def test_an_end_we_missed_ends_an_invitation(server: FakeMattermostServer, mallory: str) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    await listened(server)
    added(server, channel, ALICE)
    added(server, channel, mallory)
    async with hosted_mattermost(server) as host:
        await caught_up(host)
        assert HERMES not in server.members[channel]


@pytest.mark.parametrize("granted", [False, True])
async def test_what_the_operator_wants_no_stranger_ends(
    server: FakeMattermostServer, mallory: str, granted: bool
) -> None:
    channel = server.add_channel("listed", members={ALICE, mallory})
    listed = [OPS] if granted else [OPS, channel]
    async with hosted_mattermost(server, allowed_channels=listed) as host:
        if granted:
            await host.adapter.connection.source.allowlist.order(channel, Status.GRANTED, "admin", "")
        await server.add_member(channel, HERMES, mallory)
        await host.settled()
        assert HERMES in server.members[channel]
        assert await is_heard(host, server, channel)
    async with hosted_mattermost(server, allowed_channels=listed) as host:
        assert await is_heard(host, server, channel, "again")


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.parametrize("allowed", [False, True])
async def test_whoever_writes_first_has_opened_a_group_message(
    server: FakeMattermostServer, mallory: str, away: bool, allowed: bool, hermes_home: Path
) -> None:
    await listened(server)
    opener, other = (ALICE, mallory) if allowed else (mallory, ALICE)
    if away:
        channel = server.add_channel("gm", "G", members={HERMES, ALICE, mallory})
        server.channels[channel]["create_at"] = server.now()
        server.store(opener, channel, "hello")
        server.store(other, channel, "hello too")
    async with hosted_mattermost(server) as host:
        await caught_up(host)
        if not away:
            channel = server.add_channel("gm", "G", members={HERMES, ALICE, mallory})
            await server.post(opener, channel, "hello")
            await server.post(other, channel, "hello too")
            await host.settled()
        assert await is_heard(host, server, channel) is allowed
        assert not await is_heard(host, server, channel, "me too", mallory)
    async with hosted_mattermost(server) as host:
        assert await is_heard(host, server, channel, "after a restart") is allowed
        (state,) = (hermes_home / "hardened_adapters").glob("*.db")
        order(state, "mattermost", channel, Status.GRANTED, "operator", "", 1.0)
        await host.until(lambda: channel in host.adapter.connection.source.allowlist.approved)
        assert await is_heard(host, server, channel, "approved")


async def test_a_group_message_whose_beginning_we_missed_waits_for_an_admin(server: FakeMattermostServer) -> None:
    await listened(server)
    channel = server.add_channel("gm", "G", members={HERMES, ALICE, BOB})
    server.channels[channel]["create_at"] = server.now()
    for number in range(4):
        server.store(ALICE, channel, f"hello {number}")
    async with hosted_mattermost(server, catch_up_posts=3) as host:
        await caught_up(host)
        assert not await is_heard(host, server, channel)


@pytest.mark.parametrize("policy", ["ignore", "allow-all"])
async def test_other_policies_keep_their_meaning(server: FakeMattermostServer, mallory: str, policy: str) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    await listened(server, join_policy=policy)
    added(server, channel, mallory)
    group_message = server.add_channel("gm", "G", members={HERMES, ALICE, mallory})
    unseen = server.add_channel("unseen", members={HERMES, ALICE})
    async with hosted_mattermost(server, join_policy=policy) as host:
        for place in (channel, group_message, unseen):
            assert await is_heard(host, server, place)
    async with hosted_mattermost(server, join_policy=policy, allowed_channels=[OPS]) as host:
        assert await is_heard(host, server, channel, "listed or invited") is (policy == "allow-all")
        assert not await is_heard(host, server, unseen, "neither")


async def test_channels_that_cannot_be_listed_fail_closed_unless_they_are_known(
    server: FakeMattermostServer, mallory: str
) -> None:
    await listened(server)
    unknown = server.add_channel("unknown", members={HERMES, ALICE})
    server.faults.append(Fault(500, 99, path="/users/me/channels"))
    async with hosted_mattermost(server) as host:
        async with asyncio.timeout(20):
            while not await is_heard(host, server, OPS):
                await asyncio.sleep(0.1)
        assert await is_heard(host, server, DM)
        assert not await is_heard(host, server, unknown)


async def test_direct_messages_are_no_channels(server: FakeMattermostServer, hermes_home: Path) -> None:
    await listened(server)
    direct = server.add_channel("dm", "D", members={HERMES, BOB})
    async with hosted_mattermost(server) as host:
        assert await is_heard(host, server, direct, who=BOB)
    (state,) = (hermes_home / "hardened_adapters").glob("*.db")
    assert not {direct, DM} & entries(state, "mattermost").keys()
