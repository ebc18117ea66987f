"""Both networks in the real host, new versions of what was said: pins, old edits and wrong clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.core.events import Reason

from tests.fakes.mattermost_server import ALICE, BOB, DM, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import FakeSignalDaemon, recorded_event
from tests.hosted import Hosted, hosted, hosted_mattermost

pytestmark = pytest.mark.usefixtures("alice_and_bob_on_mattermost")

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
async def daemon(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSignalDaemon]:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", "*")
    async with FakeSignalDaemon() as daemon:
        yield daemon


def restrained(host: Hosted, reason: Reason) -> int:
    return sum(
        count for what, count in host.adapter.connection.source.pipeline.trace.counts.items() if what.endswith(reason)
    )


@pytest.mark.parametrize("text", ["@hermes /restart", "@hermes delete it"])
@pytest.mark.parametrize("age", [HOUR, 8 * DAY])
async def test_a_pin_obeys_nothing_old(server: FakeMattermostServer, text: str, age: int) -> None:
    async with hosted_mattermost(server) as host:
        now = server.now()
        fresh = server.store(ALICE, OPS, "hm", create_at=now - 1000)
        await server.edit(fresh["id"], "@hermes hello")
        old = server.store(ALICE, OPS, text, create_at=now - age, edit_at=now - age + 1000)
        await server.pin(old["id"])
        await host.settled()
        assert host.texts == ["(edited) hello"]
        assert host.observed == []
        assert host.adapter.connection.source.pipeline.unhandled["pinned"] == 1


async def test_a_pin_repeats_nothing_new(server: FakeMattermostServer) -> None:
    """Fetched after a gap a post is one, whatever its version; the pin then shows the same text as a version."""
    async with hosted_mattermost(server) as host:
        await server.post(ALICE, DM, "before")
        await host.settled()
    post = server.store(ALICE, DM, "delete it", edit_at=server.now())
    async with hosted_mattermost(server) as host:
        await host.until(lambda: host.texts == ["delete it"])
        await server.pin(post["id"])
        await host.settled()
        assert host.texts == ["delete it"]
        assert restrained(host, Reason.EDITED) == 1
    async with hosted_mattermost(server) as host:
        post = await server.post(BOB, OPS, "look at this")
        await server.edit(post["id"], "look at that")
        await host.settled()
        await server.edit(post["id"], "look at that")
        await host.settled()
        assert host.dispatched == []


async def test_a_command_does_not_run_again_when_it_is_edited(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        asked = await server.post(ALICE, OPS, "status?")
        await host.settled()
        await server.edit(asked["id"], "@hermes /status")
        await host.settled()
        assert host.texts == ["/status"]
        await server.edit(asked["id"], "@hermes /status now")
        unseen = server.store(ALICE, OPS, "@hermes /restart")
        await server.edit(unseen["id"], "@hermes /restart now")
        await host.settled()
        assert host.texts == ["/status"]


async def test_a_typo_mended_a_week_later_is_not_answered_anew(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        post = await server.post(ALICE, OPS, "@bob what is teh time?")
        await host.settled()
        server.ahead = 7 * DAY
        await host.adapter.connection.client.me()
        await server.edit(post["id"], "@hermes what is the time?")
        await host.settled()
        assert host.texts == []
        assert restrained(host, Reason.STALE) == 1


@pytest.mark.parametrize("ahead", [-8 * DAY, -HOUR, 0, HOUR, 8 * DAY])
async def test_what_is_old_is_judged_by_the_servers_clock(server: FakeMattermostServer, ahead: int) -> None:
    server.ahead = ahead
    async with hosted_mattermost(server) as host:
        await server.post(ALICE, OPS, "before", create_at=server.now() - 2 * HOUR)
        await host.settled()
        assert len(host.observed) == 1
    for minutes, text in ((70, "an hour ago"), (1, "just now")):
        server.store(ALICE, OPS, f"@hermes {text}", create_at=server.now() - minutes * 60_000)
    for channel in server.channels.values():
        channel["last_post_at"] = server.now()
    async with hosted_mattermost(server) as host:
        await host.until(lambda: bool(host.reached))
        await host.settled()
        post = await server.post(ALICE, OPS, "@bob now")
        await server.edit(post["id"], "@hermes now")
        await host.settled()
        assert host.texts == ["just now", "(edited) now"]


def said(at: int, text: str) -> dict[str, Any]:
    event = recorded_event("dm_text")
    event["envelope"] |= {"timestamp": at, "serverReceivedTimestamp": at, "serverDeliveredTimestamp": at}
    event["envelope"]["dataMessage"] |= {"timestamp": at, "message": text}
    return event


def edited(at: int, target: int, text: str, *, server_at: int | None = None, delivered: int = 0) -> dict[str, Any]:
    event = recorded_event("edit")
    server_at = server_at or at
    event["envelope"] |= {
        "timestamp": at,
        "serverReceivedTimestamp": server_at,
        "serverDeliveredTimestamp": delivered or server_at,
    }
    event["envelope"]["editMessage"]["targetSentTimestamp"] = target
    event["envelope"]["editMessage"]["dataMessage"] |= {"timestamp": at, "message": text}
    return event


AT = 1_795_000_000_000


@pytest.mark.parametrize(
    ("edit", "answered"),
    [
        (edited(AT + 1000, AT, "new"), True),
        (edited(AT + 1000, AT, "old"), False),
        (edited(AT + 1000, AT, "/restart"), False),
        (edited(AT + 16 * 60_000, AT, "new"), False),
        (edited(AT + 7 * DAY, AT, "new"), False),
        # An edit that lay at the server, and one of a message that is not known.
        (edited(AT + 1000, AT, "new", delivered=AT + HOUR), False),
        (edited(AT + 1000, AT - HOUR, "new"), False),
        (edited(AT + 1000, AT - 1, "new"), True),
        (edited(AT + 1000, AT - 1, "/restart"), False),
        # Of a phone whose clock is wrong only its own differences count.
        (edited(AT + 9 * DAY, AT + 9 * DAY - 1000, "new", server_at=AT + 1000), True),
    ],
)
async def test_on_signal_a_fresh_change_is_told_and_nothing_else(
    daemon: FakeSignalDaemon, edit: dict[str, Any], answered: bool
) -> None:
    async with hosted(daemon) as host:
        await host.emit(said(AT, "old"))
        await host.emit(edit)
        assert host.texts == ["old", *(["(edited) new"] if answered else [])]


async def test_a_changed_request_is_background_where_the_operator_wants_that(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon, edited_requests="background") as host:
        await host.emit(said(AT, "old"))
        await host.emit(edited(AT + 1000, AT, "new"))
        assert host.texts == ["old"]
        assert restrained(host, Reason.EDITED) == 1


async def test_a_changed_request_is_answered_again_on_mattermost_but_not_a_pinned_one(
    server: FakeMattermostServer,
) -> None:
    async with hosted_mattermost(server) as host:
        asked = await server.post(ALICE, OPS, "@hermes what is 2+2?")
        await host.settled()
        await server.edit(asked["id"], "@hermes what is 3+3?")
        await host.settled()
        await server.edit(asked["id"], "@hermes what is 3+3?")
        await server.pin(asked["id"])
        await host.settled()
        assert host.texts == ["what is 2+2?", "(edited) what is 3+3?"]
        assert restrained(host, Reason.EDITED) == 1
        server.ahead = 20 * 60_000
        await host.adapter.connection.client.me()
        await server.edit(asked["id"], "@hermes what is 4+4?")
        await host.settled()
        assert host.texts[2:] == []
        assert restrained(host, Reason.STALE) == 1
    # After a restart nobody knows whether the text has changed.
    async with hosted_mattermost(server) as host:
        server.ahead = 0
        again = await server.post(ALICE, OPS, "@hermes once")
        await host.settled()
        assert host.texts == ["once"]
    async with hosted_mattermost(server) as host:
        await server.edit(again["id"], "@hermes twice")
        await host.settled()
        assert host.texts == []


async def test_on_signal_edits_of_edits_do_not_keep_a_message_young(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        await host.emit(said(AT, "one"))
        await host.emit(edited(AT + 10 * 60_000, AT, "two"))
        await host.emit(edited(AT + 20 * 60_000, AT + 10 * 60_000, "three"))
        assert host.texts == ["one", "(edited) two"]


async def test_what_is_older_than_the_ledger_is_not_dispatched(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        week_old, older = said(AT, "6 days"), said(AT - 1, "8 days")
        week_old["envelope"]["serverDeliveredTimestamp"] = AT + 6 * DAY
        older["envelope"]["serverDeliveredTimestamp"] = AT + 8 * DAY
        await host.emit(week_old)
        await host.emit(older)
        assert host.texts == ["6 days"]
