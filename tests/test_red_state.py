"""Both networks in the real host: an adversary's tries on acts, edits and state, each behind the control that works."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest
from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.core.server_clock import ServerClock
from hermes_hardened_adapters.common.state import ledger
from hermes_hardened_adapters.common.state.store import change

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import DM, HERMES, OPS, FakeMattermostServer
from tests.fakes.mattermost_websocket import event_of, post_event
from tests.fakes.signal_daemon import GROUP, FakeSignalDaemon, group
from tests.hosted import Hosted, SignalHosted, created, hosted, hosted_mattermost, is_heard
from tests.scene_signal import ALICE_A, ALLOTMENT, BOT, BOT_ITSELF, CAROL_C, MALLORY, Person, in_group, variant

pytestmark = pytest.mark.usefixtures("alice_on_mattermost", "mentions_required_on_signal")
HOUR = 3_600_000
DAY = 24 * HOUR


def wrong(monkeypatch: pytest.MonkeyPatch, server: FakeMattermostServer, seconds: int) -> None:
    """This machine's clock is wrong by that much, the server's is not."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + seconds)
    server.ahead = -seconds * 1000
    server_clock = "hermes_hardened_adapters.adapters.mattermost.rest.transport.ServerClock"
    monkeypatch.setattr(server_clock, lambda clock: ServerClock(clock, time.time))


def posted_again(post: dict[str, Any]) -> dict[str, Any]:
    data = {"post": json.dumps(post), "channel_type": "D", "sender_name": "@alice"}
    return event_of("posted", data, channel_id=post["channel_id"])


# -- what the ledger forgot


@pytest.mark.parametrize("behind", [0, HOUR, -HOUR])
async def test_nothing_that_the_ledger_forgot_comes_again_on_signal(
    daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch, behind: int
) -> None:
    """The phone's clock is behind the server's or ahead of it."""
    monkeypatch.setattr(ledger, "KEEP_KEYS", 5)
    events = [variant("dm_text", ALICE_A, text=f"{number}") for number in range(8)]
    for event in events:
        event["envelope"]["timestamp"] -= behind
        event["envelope"]["dataMessage"]["timestamp"] -= behind
    async with hosted(daemon) as host:
        for event in events:
            await host.emit(event)
        for event in events:
            await host.emit(event)
        assert host.texts == [f"{number}" for number in range(8)]
    async with hosted(daemon) as host:
        for event in events:
            await host.emit(event)
        await host.emit(variant("dm_text", ALICE_A, text="new"))
        assert host.texts == ["new"]


@pytest.mark.parametrize("machine", [0, -7 * 24 * 3600, 7 * 24 * 3600])
async def test_nothing_that_the_ledger_forgot_comes_again_on_mattermost(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch, machine: int
) -> None:
    monkeypatch.setattr(ledger, "KEEP_KEYS", 6)
    wrong(monkeypatch, server, machine)
    async with hosted_mattermost(server) as host:
        posts = []
        for number in range(8):
            posts.append(await server.post(ALICE_THERE, DM, f"{number}"))
            await host.settled()
        for post in posts:
            await server.emit(posted_again(server.posts[post["id"]]))
            await host.settled()
        assert host.texts == [f"{number}" for number in range(8)]
        await server.post(ALICE_THERE, DM, "new")
        await host.settled()
        assert host.texts[8:] == ["new"]


# -- edits


async def test_an_edit_that_changes_only_whom_it_mentions_is_one(daemon: FakeSignalDaemon) -> None:
    said = in_group(ALICE_A, f"{BOT} bring the keys", CAROL_C)
    async with hosted(daemon) as host:
        await host.emit(said)
        envelope = in_group(ALICE_A, f"{BOT} bring the keys", BOT_ITSELF)
        target = said["envelope"]["timestamp"]
        body = envelope["envelope"].pop("dataMessage")
        envelope["envelope"]["editMessage"] = {"targetSentTimestamp": target, "dataMessage": body}
        await host.emit(envelope)
        assert host.texts == ["(edited) bring the keys"]


@pytest.mark.parametrize("machine", [0, -7 * 24 * 3600])
async def test_a_pin_of_an_old_edit_obeys_nobody_where_no_clock_is_right(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch, machine: int
) -> None:
    wrong(monkeypatch, server, machine)
    monkeypatch.setattr(ServerClock, "set_from_header", lambda *_: None)
    async with hosted_mattermost(server) as host:
        fresh = await server.post(ALICE_THERE, OPS, "@bob hello")
        await server.edit(fresh["id"], "@hermes hello")
        old = server.store(ALICE_THERE, OPS, "@hermes delete it", create_at=server.now() - 6 * DAY)
        old["edit_at"] = server.posts[old["id"]]["edit_at"] = server.now() - 6 * DAY + 1000
        await server.pin(old["id"])
        await host.settled()
        assert host.texts == ["(edited) hello"]


@pytest.mark.parametrize("date", ["", "nonsense", "Sun, 06 Nov 1994 08:49:37 GMT", "Tue, 24 Nov 2093 08:00:00 GMT"])
async def test_a_date_with_which_nothing_agrees_makes_nobody_deaf_and_nothing_young(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch, date: str
) -> None:
    set_from_header = ServerClock.set_from_header
    monkeypatch.setattr(ServerClock, "set_from_header", lambda clock, _: set_from_header(clock, date or None))
    async with hosted_mattermost(server) as host:
        assert await is_heard(host, server, OPS)
        post = await server.post(ALICE_THERE, OPS, "@bob hello")
        await server.edit(post["id"], "@hermes hello")
        old = server.store(ALICE_THERE, OPS, "@bob delete it", create_at=server.now() - 6 * DAY)
        await server.edit(old["id"], "@hermes delete it")
        await host.settled()
        assert host.texts == ["hi", "(edited) hello"]
    another = server.store(ALICE_THERE, OPS, "@bob no", create_at=server.now() - DAY)
    server.posts[another["id"]] |= {"message": "@hermes delete it", "edit_at": server.now(), "update_at": server.now()}
    server.store(ALICE_THERE, DM, "missed")
    async with hosted_mattermost(server) as host:
        await host.until(lambda: host.adapter.connection.source.gaps.running.done())
        await host.settled()
        assert host.texts == ([] if "2093" in date else ["missed"])


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize("text", ["@hermes delete it", "@hermes /restart"])
@pytest.mark.parametrize("seen", ["both", "first", "none"])
async def test_a_strangers_pin_within_minutes_makes_nobody_obey(
    server: FakeMattermostServer, restarted: bool, text: str, seen: str
) -> None:
    """Whatever the bot saw of the post and of its new version, and whether it still knows."""

    async def pinned(host: Hosted, post_id: str) -> list[str]:
        before = len(host.reached)
        for _ in range(2):
            server.ahead += 60_000
            await server.pin(post_id)
            await host.settled()
        return host.texts[before:]

    async with hosted_mattermost(server) as host:
        first = text if seen == "both" else "@hermes delet it"
        post = server.store(ALICE_THERE, OPS, first) if seen == "none" else await server.post(ALICE_THERE, OPS, first)
        await host.settled()
        changed = {"message": text, "edit_at": server.now(), "update_at": server.now()}
        if seen == "both":
            await server.edit(post["id"], f"{text}!")
        else:
            server.posts[post["id"]] |= changed
        await host.settled()
        # Their author's own change is answered, but no command runs again.
        assert len(host.reached) == {"none": 0, "first": 1, "both": 1 if "/restart" in text else 2}[seen]
        if not restarted:
            assert await pinned(host, post["id"]) == []
            await server.edit(server.store(ALICE_THERE, OPS, "@bob and")["id"], "@hermes and")
            await host.settled()
            assert host.texts[-1:] == ["(edited) and"]
    if restarted:
        async with hosted_mattermost(server) as host:
            await host.until(lambda: host.adapter.connection.source.gaps.running.done())
            await host.settled()
            assert await pinned(host, post["id"]) == []


# -- acts


@pytest.mark.parametrize("kind", ["post_deleted", "post_edited"])
async def test_what_becomes_of_the_servers_word_on_an_addition_is_no_addition(
    server: FakeMattermostServer, mallory: str, kind: str
) -> None:
    channel = server.add_channel("new", members={ALICE_THERE, mallory})
    async with hosted_mattermost(server) as host:
        assert await is_heard(host, server, OPS)
        server.faults.append(Fault(500, 99, path=f"/channels/{channel}/members"))
        await server.add_member(channel, HERMES, mallory)
        await host.settled()
        assert not await is_heard(host, server, channel)
        props = {"addedUserId": HERMES, "addedUsername": "hermes", "userId": ALICE_THERE, "username": "alice"}
        old = server.store(
            ALICE_THERE, channel, "added", type="system_add_to_channel", props=props, create_at=server.now() - DAY
        )
        await server.emit(post_event(kind, old | {"edit_at": server.now()}))
        await host.settled()
        assert not await is_heard(host, server, channel)
        # The other way round: an approved channel is not left because somebody deletes a stranger's old act.
        server.faults.clear()
        await server.add_member(channel, HERMES, ALICE_THERE)
        await host.settled()
        assert await is_heard(host, server, channel)
        added = next(
            post for post in server.posts.values() if post["user_id"] == mallory and post["type"].startswith("system")
        )
        await server.emit(post_event(kind, added | {"edit_at": server.now()}))
        await host.settled()
        assert await is_heard(host, server, channel)
        assert HERMES in server.members[channel]


@pytest.mark.parametrize("first", [ALICE_A, MALLORY])
@pytest.mark.parametrize("restarted", [False, True])
async def test_an_addition_after_a_removal_starts_from_nothing(
    daemon: FakeSignalDaemon, first: Person, restarted: bool
) -> None:
    here = group(ALLOTMENT, members=(BOT_ITSELF.address, MALLORY.address, ALICE_A.address))
    away = here | {"isMember": False, "members": here["members"][1:]}

    async def is_heard(host: SignalHosted) -> bool:
        before = len(host.reached)
        await host.emit(in_group(ALICE_A, f"{BOT} hello", BOT_ITSELF, group_id=ALLOTMENT))
        return len(host.reached) > before

    async def ends(host: SignalHosted) -> None:
        daemon.groups[-1] = away
        await host.emit(variant("group_update_added", MALLORY, group_id=ALLOTMENT))
        daemon.groups[-1] = here
        await host.emit(variant("group_update_added", MALLORY if first is ALICE_A else ALICE_A, group_id=ALLOTMENT))
        assert await is_heard(host) is (first is MALLORY)

    async with hosted(daemon) as host:
        daemon.groups.append(here)
        await host.emit(variant("group_update_added", first, group_id=ALLOTMENT))
        assert await is_heard(host) is (first is ALICE_A)
        if not restarted:
            await ends(host)
    if restarted:
        async with hosted(daemon) as host:
            assert await is_heard(host) is (first is ALICE_A)
            await ends(host)


def acted(server: FakeMattermostServer, channel: str, who: str, *, added: bool) -> None:
    """Somebody adds the bot to a channel, or takes it out, while it does not listen."""
    props = {"addedUserId" if added else "removedUserId": HERMES, "userId": who, "username": "x"}
    kind = "system_add_to_channel" if added else "system_remove_from_channel"
    server.store(who, channel, "acted", type=kind, props=props)
    (server.members[channel].add if added else server.members[channel].discard)(HERMES)


@pytest.mark.parametrize("last_by_alice", [True, False])
async def test_of_several_additions_while_we_were_away_the_last_counts(
    server: FakeMattermostServer, mallory: str, last_by_alice: bool
) -> None:
    channel = server.add_channel("new", members={ALICE_THERE, mallory})
    async with hosted_mattermost(server) as host:
        assert await is_heard(host, server, OPS)
    acts = [(mallory, True), (mallory, False), (ALICE_THERE, True)]
    for who, added in acts if last_by_alice else [acts[2], acts[1], acts[0]]:
        acted(server, channel, who, added=added)
    for _ in range(2):
        async with hosted_mattermost(server) as host:
            await host.until(lambda: host.adapter.connection.source.gaps.running.done())
            await host.settled()
            assert (HERMES in server.members[channel]) is last_by_alice
            if last_by_alice:
                assert await is_heard(host, server, channel)


async def test_what_is_missed_after_a_run_in_which_nobody_spoke_is_fetched(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await host.until(lambda: host.adapter.connection.source.gaps.running.done())
    server.store(ALICE_THERE, OPS, "@hermes while you were away")
    async with hosted_mattermost(server) as host:
        await host.until(lambda: host.texts == ["while you were away"])


async def test_what_is_said_before_the_first_listing_waits_for_it(server: FakeMattermostServer) -> None:
    server.faults.append(Fault(500, 4, path="/users/me/channels"))
    async with hosted_mattermost(server) as host:
        await server.post(ALICE_THERE, OPS, "@hermes first")
        await server.post(ALICE_THERE, DM, "between us")
        async with asyncio.timeout(30):
            while len(host.reached) < 2:
                await asyncio.sleep(0.05)
        assert sorted(host.texts) == ["between us", "first"]


@pytest.mark.parametrize("kind", ["group_update_added", "group_update_new_group", "call", "timer", "reaction"])
@pytest.mark.parametrize("late", [0, 2 * DAY])
async def test_what_members_change_where_the_first_event_was_missed_opens_nothing(
    daemon: FakeSignalDaemon, kind: str, late: int
) -> None:
    daemon.groups.append(group(ALLOTMENT, members=(BOT_ITSELF.address, MALLORY.address, ALICE_A.address)))
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="control"))
        for who in (ALICE_A, MALLORY, ALICE_A):
            name = kind if kind.startswith("group") else "reaction" if kind == "reaction" else "group_text"
            event = variant(name, who, group_id=ALLOTMENT)
            body, envelope = event["envelope"]["dataMessage"], event["envelope"]
            if kind in {"call", "timer"}:
                body |= {"message": None, "groupInfo": body["groupInfo"] | {"type": "UPDATE"}}
                body |= {"groupCallUpdate": {"eraId": "x"}} if kind == "call" else {"expiresInSeconds": 60}
            envelope["serverReceivedTimestamp"] -= late
            envelope["serverDeliveredTimestamp"] -= late
            await host.emit(event, in_group(ALICE_A, f"{BOT} hello", BOT_ITSELF, group_id=ALLOTMENT))
        assert host.texts == ["control"]
        opened = GROUP[:-4] + "AAA="
        daemon.groups.append(group(opened))
        await host.emit(variant("group_update_added", ALICE_A, group_id=opened))
        assert opened in host.adapter.connection.allowlist.approved


# -- bounds


async def test_an_order_that_no_version_knows_is_refused_with_the_reason(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        await host.adapter.connection.allowlist.order(GROUP, Status.REVOKED, "admin", "")
        state = host.adapter.state
    change(state, [("UPDATE chat_group SET status = 'paused'", ())])
    _, adapter = created(daemon.url)
    assert not await adapter.connect()
    assert "'paused'" in adapter.fatal_error_message
    with closing(sqlite3.connect(state)) as connection, connection:
        connection.execute("UPDATE chat_group SET status = 'revoked'")
    assert await adapter.connect(), adapter.fatal_error_message
    assert adapter.connection.allowlist.revoked == {GROUP}
    await adapter.disconnect()
