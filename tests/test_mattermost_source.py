"""Mattermost as the pipeline's source: which frames are taken in, and what they become, without a host."""

from __future__ import annotations

from pathlib import Path

from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Dispatch, Observe, Reason

from tests.connections import on_mattermost
from tests.fakes.mattermost_server import ALICE, BOB, DM, OPS, SECRET, FakeMattermostServer


async def test_a_direct_message_of_an_accepted_person(server: FakeMattermostServer, tmp_path: Path) -> None:
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        await server.post(ALICE, DM, "hello")
        await seen.settled()
    (delivery,) = seen.delivered
    assert isinstance(delivery.decision, Dispatch)
    assert (delivery.chat_id, delivery.chat_type, delivery.author) == (DM, "dm", "alice")
    assert (delivery.authorization.user_id, delivery.authorization.authority) == (ALICE, Authority.ADMIN)


async def test_a_mention_counts_and_a_stranger_is_background(server: FakeMattermostServer, tmp_path: Path) -> None:
    async with on_mattermost(server, tmp_path / "state.db", allowed_channels=[OPS], require_mention=True) as seen:
        await server.post(ALICE, OPS, "@hermes hello")
        await server.post(BOB, OPS, "@hermes hello")
        await server.post(ALICE, OPS, "lunch?")
        await seen.settled()
    decisions = [delivery.decision for delivery in seen.delivered]
    assert [type(decision) for decision in decisions] == [Dispatch, Observe, Observe]
    assert [decision.reason for decision in decisions] == [*(Reason.MENTIONED, Reason.UNVERIFIED, Reason.UNADDRESSED)]
    assert {delivery.chat_type for delivery in seen.delivered} == {"channel"}


async def test_of_a_channel_that_is_not_served_nothing_is_delivered(
    server: FakeMattermostServer, tmp_path: Path
) -> None:
    async with on_mattermost(server, tmp_path / "state.db", allowed_channels=[OPS]) as seen:
        for _ in range(3):
            await server.post(ALICE, SECRET, "@hermes hello")
        await seen.settled()
        assert seen.connection.source.pipeline.trace.counts == {f"ignore {Reason.CHAT_NOT_ALLOWED}": 3}
    assert seen.delivered == []


async def test_what_was_posted_meanwhile_is_fetched_once(server: FakeMattermostServer, tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    async with on_mattermost(server, state) as seen:
        await server.post(ALICE, DM, "before")
        await seen.settled()
    missed = [await server.post(ALICE, DM, text) for text in ("first", "second")]
    assert len(missed) == 2
    for expected in (["first", "second"], []):
        async with on_mattermost(server, state) as seen:
            await seen.connection.source.gaps.running
            await seen.settled()
        assert seen.texts == expected


async def test_what_is_no_message_is_counted_by_its_kind(server: FakeMattermostServer, tmp_path: Path) -> None:
    async with on_mattermost(server, tmp_path / "state.db") as seen:
        await server.emit({"event": "typing", "data": {}, "broadcast": {}})
        await seen.settled()
        assert seen.unhandled["typing"] == 1
    assert seen.delivered == []
