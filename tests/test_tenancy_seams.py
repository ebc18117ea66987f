"""Each seam of memory gone or failing, in Hermes' own agent: nothing of one chat reaches another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy import middleware, session, tenant

from tests.chat_agent import CLI, DIRECT, GROUP, Agents, through_search
from tests.fakes.echo_model import EchoModel
from tests.scripted_tools import asks, says

SECRET = "the wedding is on the ninth"
SAVE = says("memory", action="add", target="memory", content=SECRET)
SEARCH = says("session_search", query="wedding")
Break = Callable[..., None]


@pytest.fixture
async def agents(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Agents]:
    monkeypatch.setattr(session, "_serving", type(session._serving)())
    async with EchoModel(asks) as model:
        yield Agents(hermes_home, model)


@pytest.fixture
def remove(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Take our middleware of a kind from the plugin manager."""

    def do(*kinds: str) -> None:
        for kind in kinds:
            monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, kind, [])

    return do


@pytest.fixture
def fail(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Let our middleware of a kind raise."""

    def raises(**_: object) -> None:
        raise RuntimeError("on purpose")

    def do(*kinds: str) -> None:
        for kind in kinds:
            monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, kind, [raises])

    return do


async def nothing_leaks(agents: Agents) -> None:
    """Save something in a direct chat, then look for it everywhere in a group."""
    await agents.ask(DIRECT, SAVE)
    before = len(agents.model.requests)
    await agents.ask(GROUP, "hello")
    assert SECRET not in await agents.ask(GROUP, SEARCH)
    assert SECRET not in await agents.ask(GROUP, says("session_search"))
    assert not [request for request in agents.model.requests[before:] if SECRET in str(request)]
    assert "MEMORY.md" not in agents.stored(SECRET)


async def test_with_all_seams_a_chat_keeps_its_own(agents: Agents) -> None:
    await nothing_leaks(agents)
    assert len(agents.stored(SECRET)) == 1
    assert SECRET in await agents.ask(DIRECT, SEARCH)
    await agents.ask(DIRECT, "hello")
    assert SECRET in agents.system()


@pytest.mark.parametrize("broken", ["remove", "fail"])
async def test_without_execution_nothing_is_written_or_found(
    agents: Agents, request: pytest.FixtureRequest, broken: str
) -> None:
    await agents.ask(DIRECT, f"the note: {SECRET}")
    request.getfixturevalue(broken)("tool_execution")
    await nothing_leaks(agents)
    assert agents.stored(SECRET) == []
    # Not even in the chat itself: a sealed call is nobody's.
    answer = await agents.ask(DIRECT, SEARCH)
    assert '"success": false' in answer
    assert SECRET not in answer


@pytest.mark.parametrize("broken", ["remove", "fail"])
async def test_without_seals_calls_are_carried_out_for_the_chat_all_the_same(
    agents: Agents, request: pytest.FixtureRequest, broken: str
) -> None:
    request.getfixturevalue(broken)("tool_request")
    await nothing_leaks(agents)
    assert len(agents.stored(SECRET)) == 1
    assert SECRET in await agents.ask(DIRECT, SEARCH)


@pytest.mark.parametrize("broken", ["remove", "fail"])
async def test_without_the_prompt_a_chats_memory_is_absent_and_nobody_elses_is_there(
    agents: Agents, request: pytest.FixtureRequest, broken: str
) -> None:
    request.getfixturevalue(broken)("llm_request")
    await nothing_leaks(agents)
    assert len(agents.stored(SECRET)) == 1
    await agents.ask(DIRECT, "hello")
    assert SECRET not in agents.system()


async def test_without_both_halves_hermes_is_stock(agents: Agents, remove: Break) -> None:
    remove("tool_request", "tool_execution")
    await agents.ask(DIRECT, SAVE)
    assert agents.stored(SECRET) == ["MEMORY.md"]


@pytest.mark.parametrize("part", ["tenant", "session.current"])
async def test_what_fails_within_is_no_leak(agents: Agents, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    await agents.ask(DIRECT, f"the note: {SECRET}")

    def raises(*_: object) -> Any:
        raise RuntimeError("on purpose")

    owner, _, name = part.rpartition(".")
    monkeypatch.setattr(getattr(middleware, owner) if owner else middleware, name, raises)
    await nothing_leaks(agents)
    assert agents.stored(SECRET) == []


async def test_wrong_settings_say_so_and_leak_nothing(agents: Agents) -> None:
    config = agents.home / "config.yaml"
    block = '"plugins": {"entries": {"hardened-adapters": {"memory": {"policy": "chatt"}}}, '
    config.write_text(config.read_text().replace('"plugins": {', block))
    tenant._tenants.clear()
    assert "hermes adapters doctor" in await agents.ask(DIRECT, SAVE)
    await nothing_leaks(agents)
    assert agents.stored(SECRET) == []


async def test_a_search_for_tools_is_no_way_around(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_serving", type(session._serving)())
    async with EchoModel(asks) as model:
        agents = Agents(hermes_home, model, tools={"tool_search": {"enabled": "on", "defer": ["session_search"]}})
        await agents.ask(DIRECT, f"the note: {SECRET}")
        answers = [
            await agents.ask(chat, through_search("session_search", query="wedding")) for chat in (DIRECT, GROUP)
        ]
        # On older versions of Hermes there is no such search.
        assert [SECRET in answer for answer in answers] == ["tool_call" in agents.tools(), False]


async def test_calls_behind_a_search_for_tools_are_the_chats_alone_and_in_batches(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_serving", type(session._serving)())
    save = {"name": "memory", "arguments": {"action": "add", "target": "memory", "content": SECRET}}
    everywhere = {**save, "arguments": {**save["arguments"], "content": "everywhere", "scope": "global"}}
    search = {"name": "session_search", "arguments": {"query": "wedding"}}
    async with EchoModel(asks) as model:
        tools = {"tool_search": {"enabled": "on", "defer": ["memory", "session_search"]}}
        agents = Agents(hermes_home, model, tools=tools)
        alone = await agents.ask(DIRECT, through_search("memory", **save["arguments"]))
        behind = "tool_call" in agents.tools()
        assert ('"success": true' in alone) is (bool(agents.stored(SECRET))) is behind
        # Older versions refuse batches, newer ones make calls of them.
        for calls in ([save, search], [everywhere, search]):
            await agents.ask(DIRECT, says("tool_call", calls=calls))
        before = len(model.requests)
        await agents.ask(GROUP, says("tool_call", calls=[{**search, "arguments": {"query": "ninth"}}, everywhere]))
        assert not [request for request in model.requests[before:] if SECRET in str(request)]
        assert all(file.startswith("contexts/") for file in agents.stored(SECRET))
        assert agents.stored("everywhere") == []


async def test_the_operators_terminal_is_as_without_the_plugin(agents: Agents) -> None:
    assert '"success": true' in await agents.ask(CLI, SAVE)
    assert agents.stored(SECRET) == ["MEMORY.md"]
    await agents.ask(CLI, "hello")
    assert SECRET in agents.system()
