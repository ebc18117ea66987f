"""Posts that no person typed, and posts that only pretend so: marks lower what their author may, and never raise it."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.common.host.sessions import session_key

from tests.fakes.mattermost_server import ALICE, BOB, DM, HERMES, OPS, FakeMattermostServer
from tests.hosted import Hosted, hosted_mattermost

MARKS: list[dict[str, Any]] = [
    {"props": {"from_webhook": "true"}},
    {"props": {"from_oauth_app": "true"}},
    {"props": {"from_plugin": "true"}},
    {"props": {"from_bot": "true"}},
    {"props": {"override_username": "alice"}},
    {"type": "custom_alert"},
]


@pytest.fixture(autouse=True)
def programs_may_speak(alice_and_bob_on_mattermost: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATTERMOST_ALLOW_BOTS", "all")


async def reached(host: Hosted, server: FakeMattermostServer, *post: str, **fields: Any) -> list[Any]:
    """The events that the host took for a turn of that post's."""
    before = len(host.reached)
    await server.post(*post, **fields)
    await host.settled()
    return host.reached[before:]


@pytest.mark.parametrize("marks", MARKS)
async def test_a_mark_raises_nobody(server: FakeMattermostServer, marks: dict[str, Any]) -> None:
    mallory = server.add_user("mallory")
    async with hosted_mattermost(server) as host:
        assert len(await reached(host, server, ALICE, OPS, "@hermes hi", **marks)) == 1
        assert await reached(host, server, mallory, OPS, "@hermes hi", **marks) == []
        (event,) = await reached(host, server, ALICE, OPS, "@hermes and?")
        assert "[unverified] program" in event.channel_context


@pytest.mark.parametrize("marks", MARKS)
async def test_a_mark_lowers_whoever_bears_it(server: FakeMattermostServer, marks: dict[str, Any]) -> None:
    async with hosted_mattermost(server) as host:
        assert [e.text for e in await reached(host, server, ALICE, OPS, "@hermes /restart")] == ["/restart"]
        assert await reached(host, server, ALICE, OPS, "@hermes /restart", **marks) == []
        (event,) = await reached(host, server, ALICE, OPS, "@hermes see @file:notes.txt", **marks)
        assert event.text == "see ＠file:notes.txt"


@pytest.mark.parametrize("marks", MARKS)
async def test_no_program_speaks_in_a_direct_message(server: FakeMattermostServer, marks: dict[str, Any]) -> None:
    async with hosted_mattermost(server) as host:
        assert [e.text for e in await reached(host, server, ALICE, DM, "Restart gateway")] == ["/restart"]
        assert await reached(host, server, ALICE, DM, "Restart gateway", **marks) == []
        assert await reached(host, server, ALICE, DM, "hi", **marks) == []


async def test_the_server_says_which_account_is_a_bots(server: FakeMattermostServer) -> None:
    botany, mallory = server.add_user("botany", is_bot=True), server.add_user("mallory")
    mark = {"from_bot": "true"}
    async with hosted_mattermost(server) as host:
        (event,) = await reached(host, server, botany, OPS, "@hermes hi", props=mark)
        assert event.source.user_id == f"program:{botany}"
        assert await reached(host, server, mallory, OPS, "@hermes hi", props=mark) == []


@pytest.mark.parametrize("shared", [{}, {"group_sessions_per_user": False}])
async def test_a_program_has_a_session_of_its_own(server: FakeMattermostServer, shared: dict[str, Any]) -> None:
    root = (await server.post(HERMES, OPS, "a thread of ours"))["id"]
    async with hosted_mattermost(server, **shared) as host:
        (person,) = await reached(host, server, ALICE, OPS, "@hermes hi", root_id=root)
        (hook,) = await reached(host, server, ALICE, OPS, "@hermes hi", root_id=root, props={"from_webhook": "true"})
        (bob,) = await reached(host, server, BOB, OPS, "@hermes hi", root_id=root)
        of_person, of_hook, of_bob = (session_key(event.source, shared, None) for event in (person, hook, bob))
        assert of_person == of_bob
        assert of_hook != of_person
