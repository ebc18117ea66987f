"""Strict memory in Hermes' own agent: the plugin keeps all of it; without the plugin nothing is remembered or shown."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.contract.names import HostName
from hermes_hardened_adapters.common.host.tenancy import readiness, session, strict_tool
from hermes_hardened_adapters.common.tenancy import memory
from hermes_hardened_adapters.common.tenancy.requests import offers_tool

from tests.chat_agent import CLI, DIRECT, GROUP, Agents, through_search
from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.host_without import take_away
from tests.scene_signal import ALICE_A, environment, stage, variant
from tests.scripted_tools import asks, says

SECRET, PUBLIC = "the wedding is on the ninth", "the office opens at eight"
OFF = {"memory_enabled": False, "user_profile_enabled": False}
Make = Callable[..., Agents]


@pytest.fixture
async def make(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Make agents with strict memory and more settings of it."""
    monkeypatch.setattr(session, "_serving", type(session._serving)())
    async with EchoModel(asks) as model:

        def do(**block: Any) -> Agents:
            entries = {"hardened-adapters": {"memory": {"strict": True, **block}}}
            return Agents(hermes_home, model, memory=OFF, plugins={"entries": entries})

        yield do


async def tool(agents: Agents) -> str:
    """Return the name of the one memory tool that the model is offered."""
    await agents.ask(GROUP, "hello")
    (name,) = agents.tools() & {"memory", strict_tool.NAME}
    return name


def succeeded(answer: str) -> bool:
    return '"success": true' in answer


async def test_a_memory_tool_is_offered_on_every_hermes(make: Make) -> None:
    agents = make()
    name = await tool(agents)
    (schema,) = [each["function"] for each in agents.model.requests[-1]["tools"] if each["function"]["name"] == name]
    assert {"action", "target", "content", "scope"} <= schema["parameters"]["properties"].keys()
    assert set(schema["parameters"]["properties"]["target"]["enum"]) == {"memory", "user"}
    # Hermes explains its own tool itself.
    assert (strict_tool.GUIDANCE in agents.system()) is (name == strict_tool.NAME)


async def test_a_tool_behind_a_search_is_explained_and_carried_out(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_serving", type(session._serving)())
    async with EchoModel(asks) as model:
        entries = {"hardened-adapters": {"memory": {"strict": True}}}
        tools = {"tool_search": {"enabled": "auto"}}
        agents = Agents(hermes_home, model, memory=OFF, plugins={"entries": entries}, tools=tools)
        await agents.ask(DIRECT, "hello")
        hidden = not agents.tools() & {"memory", strict_tool.NAME}
        assert hidden is ("tool_call" in agents.tools())
        save = through_search if hidden else says
        name = strict_tool.NAME if hidden else "memory"
        assert succeeded(await agents.ask(DIRECT, save(name, action="add", target="memory", content=SECRET)))
        await agents.ask(DIRECT, "hello")
        assert SECRET in agents.system()
        assert (strict_tool.GUIDANCE in agents.system()) is hidden
        assert "MEMORY.md" not in agents.stored(SECRET)


@pytest.mark.parametrize("target", ["memory", "user"])
async def test_a_chat_keeps_its_own(make: Make, target: str) -> None:
    agents = make()
    name = await tool(agents)
    assert succeeded(await agents.ask(DIRECT, says(name, action="add", target=target, content=SECRET)))
    await agents.ask(DIRECT, "hello")
    assert SECRET in agents.system()
    await agents.ask(GROUP, "hello")
    assert SECRET not in agents.system()
    (file,) = agents.stored(SECRET)
    assert file.startswith("contexts/")


async def test_global_memory_is_ours_too(make: Make) -> None:
    agents = make(global_writers=["signal:+15550000002"])
    call = says(await tool(agents), action="add", target="memory", content=PUBLIC, scope="global")
    assert not succeeded(await agents.ask(GROUP, call))
    assert agents.stored(PUBLIC) == []
    assert succeeded(await agents.ask(DIRECT, call))
    assert agents.stored(PUBLIC) == ["MEMORY.md"]
    for chat in (DIRECT, GROUP, CLI):
        await agents.ask(chat, "hello")
        assert agents.system().count(PUBLIC) == 1


async def test_the_operators_terminal_has_global_memory_through_us(make: Make) -> None:
    agents = make()
    name = await tool(agents)
    assert succeeded(await agents.ask(CLI, says(name, action="add", target="memory", content=PUBLIC)))
    assert agents.stored(PUBLIC) == ["MEMORY.md"]
    await agents.ask(CLI, "hello")
    assert f"OF ALL CHATS [{len(PUBLIC)}/" in agents.system()
    await agents.ask(GROUP, "hello")
    assert PUBLIC in agents.system()


async def test_the_operators_terminal_has_its_context_beside_it(make: Make) -> None:
    agents = make(cli_context="me", contexts={"signal:+15550000002": "me"})
    name = await tool(agents)
    await agents.ask(DIRECT, says(name, action="add", target="memory", content=SECRET))
    await agents.ask(CLI, says(name, action="add", target="memory", content=PUBLIC, scope="global"))
    await agents.ask(CLI, "hello")
    assert (SECRET in agents.system(), PUBLIC in agents.system()) == (True, True)
    await agents.ask(GROUP, "hello")
    assert (SECRET in agents.system(), PUBLIC in agents.system()) == (False, True)


@pytest.mark.parametrize(
    ("readers", "direct", "group"),
    [
        ("all", True, True),
        ("dm", True, False),
        (["signal:group:one"], False, True),
        (["signal:group:two"], False, False),
    ],
)
async def test_global_memory_is_hidden_from_whom_the_operator_does_not_name(
    make: Make, readers: object, direct: bool, group: bool
) -> None:
    agents = make(global_readers=readers, global_writers=["signal:+15550000002", "signal:group:one"])
    name = await tool(agents)
    await agents.ask(CLI, says(name, action="add", target="memory", content=PUBLIC))
    # A failure names the entries there are.
    wrong = says(name, action="remove", target="memory", old_text="no such entry", scope="global")
    for chat, shown in ((DIRECT, direct), (GROUP, group)):
        await agents.ask(chat, "hello")
        assert (PUBLIC in agents.system()) is shown
        assert shown or PUBLIC not in await agents.ask(chat, wrong)
        note = says(name, action="add", target="memory", content="a note", scope="global")
        assert succeeded(await agents.ask(chat, note.replace("a note", str(chat["chat_id"])))) is shown


async def test_a_global_chat_that_may_not_read_global_memory_has_none(make: Make) -> None:
    agents = make(global_readers="dm", contexts={"signal:group:one": "global"})
    name = await tool(agents)
    await agents.ask(CLI, says(name, action="add", target="memory", content=PUBLIC))
    assert not succeeded(await agents.ask(GROUP, says(name, action="add", target="memory", content="x")))
    await agents.ask(GROUP, "hello")
    assert PUBLIC not in agents.system()


async def test_one_memory_for_all_chats_can_be_strict_too(make: Make) -> None:
    agents = make(policy="global")
    name = await tool(agents)
    assert succeeded(await agents.ask(DIRECT, says(name, action="add", target="memory", content=PUBLIC)))
    assert agents.stored(PUBLIC) == ["MEMORY.md"]
    await agents.ask(GROUP, "hello")
    assert PUBLIC in agents.system()


@pytest.mark.parametrize("kind", ["tool_execution", "tool_request", "llm_request"])
async def test_without_a_seam_nothing_is_global(make: Make, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    agents = make()
    name = await tool(agents)
    monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, kind, [])
    await agents.ask(DIRECT, says(name, action="add", target="memory", content=SECRET))
    await agents.ask(GROUP, "hello")
    assert SECRET not in json.dumps(agents.model.requests[-1])
    assert "MEMORY.md" not in agents.stored(SECRET)


async def test_without_all_seams_nothing_is_remembered_or_shown(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = make()
    name = await tool(agents)
    assert succeeded(await agents.ask(CLI, says(name, action="add", target="memory", content=PUBLIC)))
    for kind in ("tool_execution", "tool_request", "llm_request"):
        monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, kind, [])
    assert not succeeded(await agents.ask(DIRECT, says(name, action="add", target="memory", content=SECRET)))
    assert agents.stored(SECRET) == []
    await agents.ask(GROUP, "hello")
    assert PUBLIC not in agents.system()


@pytest.mark.parametrize("name", [table.MEMORY_OFFERED, table.REGISTER_TOOL], ids=lambda name: name.attribute)
async def test_without_a_name_that_the_tool_needs_the_rest_goes_on(
    make: Make, monkeypatch: pytest.MonkeyPatch, name: HostName
) -> None:
    take_away(monkeypatch, name)
    agents = make()
    assert readiness.faults() == []
    file = memory.make_folder(agents.home, "signal:group:one") / "MEMORY.md"
    file.write_text(SECRET)
    await agents.ask(GROUP, "hello")
    assert SECRET in agents.system()


# -- without the plugin, in the gateway's own process

BROKEN = "import sys\nsys.modules['hermes_hardened_adapters.adapters.plugin'] = None\n"


@pytest.mark.parametrize("plugin", [False, True], ids=["not enabled", "fails at load"])
async def test_without_the_plugin_nothing_is_remembered_or_shown(tmp_path: Path, plugin: bool) -> None:
    home = tmp_path / "home"
    (home / "memories").mkdir(parents=True)
    (home / "memories" / "MEMORY.md").write_text(PUBLIC)
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    entries = {"hardened-adapters": {"memory": {"strict": True}}}
    config = {"memory": OFF, "plugins": {"entries": entries}}

    async def ask(daemon: FakeSignalDaemon, running: GatewayProcess, text: str) -> str:
        before = len(daemon.called("send"))
        await daemon.emit_event(variant("dm_text", ALICE_A, text=text))
        await running.until(lambda: len(daemon.called("send")) > before, "an answer")
        return str(daemon.called("send")[before]["message"])

    async with stage() as daemon, EchoModel(asks) as model:
        env = {**environment(daemon), "PYTHONPATH": str(tmp_path)}
        async with GatewayProcess(model.base_url, env=env, home=home, plugin=plugin, config=config) as running:
            await daemon.streams_open(1)
            save = says("memory", action="add", target="memory", content=SECRET)
            assert not succeeded(await ask(daemon, running, save))
        assert model.requests
        assert PUBLIC not in json.dumps(model.requests)
    assert (home / "memories" / "MEMORY.md").read_text() == PUBLIC
    assert not (home / "memories" / "contexts").exists()


# -- requests


@pytest.mark.parametrize(
    ("request_", "offered"),
    [
        ({"tools": [{"type": "function", "function": {"name": "x"}}]}, True),
        ({"tools": [{"type": "function", "name": "x"}]}, True),
        ({"tools": [{"name": "y"}, {"name": "x"}]}, True),
        ({"toolConfig": {"tools": [{"toolSpec": {"name": "x"}}]}}, True),
        ({"tools": [{"function": {"name": "y"}}]}, False),
        ({"tools": ["x", None, {"function": "x"}]}, False),
        ({"tools": None, "toolConfig": "x"}, False),
        ({"tools": "x"}, False),
        ({}, False),
    ],
)
def test_whether_a_request_offers_a_tool(request_: dict[str, Any], offered: bool) -> None:
    assert offers_tool(request_, "x") is offered
