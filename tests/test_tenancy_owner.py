"""One memory of one person over Signal, Mattermost and their own terminal, by two lines of settings."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests import scene_mattermost
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text, text_of
from tests.fakes.mattermost_server import ALICE as ALICE_ON_MATTERMOST
from tests.fakes.mattermost_server import DM, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, environment, in_group, stage, variant

TWO_LINES = {
    "contexts": {f"signal:{ALICE}": "me", f"mattermost:{ALICE_ON_MATTERMOST}": "me"},
    "cli_context": "me",
}
CONFIG = {
    "approvals": {"destructive_slash_confirm": False},
    # An agent may still be at work when its answer has arrived.
    "display": {"busy_input_mode": "queue", "busy_ack_enabled": False, "tool_progress": "off"},
    "platform_toolsets": {name: ["memory", "session_search"] for name in ("signal", "mattermost", "cli")},
    "plugins": {"entries": {"hardened-adapters": {"memory": TWO_LINES}}},
}
WEDDING, RING = "the wedding is on the ninth", "the ring is in the drawer"


def asks(request: dict[str, Any]) -> Answer | None:
    """Save or search what stands behind "save: " or "find: " in the message, once; then answer with the result."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    # The host may put remarks of its own behind the message.
    word, found, text = last_user_text(request).partition("\n")[0].partition(": ")
    if not found or not request.get("tools"):
        return None
    if word.endswith("save"):
        return [ToolCall("memory", {"action": "add", "target": "memory", "content": text})]
    if "session_search" in {tool["function"]["name"] for tool in request["tools"]}:
        return [ToolCall("session_search", {"query": text})]
    # Since 0.21.5, Hermes offers it through another tool.
    return [ToolCall("tool_call", {"name": "session_search", "arguments": {"query": text}})]


def system(model: EchoModel, text: str) -> str:
    """Return the system prompt of the agent's last request whose message contains a text."""
    # A request for a title has no tools.
    (*_, request) = (each for each in model.asked(text) if each.get("tools"))
    return text_of(request["messages"][0]["content"])


def offered(request: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of the memory tool in a request."""
    (tool,) = [each["function"] for each in request["tools"] if each["function"]["name"] == "memory"]
    found = tool["parameters"]["properties"]
    assert isinstance(found, dict)
    return found


class Owner:
    """One person with three ways to the agent."""

    def __init__(self, running: GatewayProcess, daemon: FakeSignalDaemon, server: FakeMattermostServer) -> None:
        self.running, self.daemon, self.server = running, daemon, server

    async def on_signal(self, text: str) -> None:
        await self._answered(self.daemon.emit_event(variant("dm_text", ALICE_A, text=text)), self._sent)

    async def in_the_group(self, text: str) -> None:
        event = in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF)
        await self._answered(self.daemon.emit_event(event), self._sent)

    async def on_mattermost(self, text: str) -> str:
        await self._answered(self.server.post(ALICE_ON_MATTERMOST, DM, text), lambda: len(self._posts()))
        return self._posts()[-1]

    async def in_the_terminal(self, text: str) -> str:
        """Run `hermes` once, with the home of the gateway and nothing else."""
        _, output = await self.running.command("-z", text)
        return output

    def _posts(self) -> list[str]:
        return [str(call.json["message"]) for call in self.server.called("POST", "/posts") if call.json]

    def _sent(self) -> int:
        return len(self.daemon.called("send"))

    async def _answered(self, saying: Awaitable[object], answers: Callable[[], int]) -> None:
        before = answers()
        await saying
        await self.running.until(lambda: answers() > before, "an answer")


async def test_two_lines_give_their_owner_one_memory_and_no_group_a_word_of_it(tmp_path: Path) -> None:
    async with stage() as daemon, scene_mattermost.stage() as server, EchoModel(asks) as model:
        env = environment(daemon) | scene_mattermost.environment(server)
        both = ("signal", "mattermost")
        async with GatewayProcess(model.base_url, env=env, home=tmp_path, config=CONFIG, platforms=both) as running:
            owner = Owner(running, daemon, server)
            await owner.on_signal(f"save: {WEDDING}")
            assert offered(model.requests[0])["scope"]["enum"] == ["chat", "global"]
            await owner.on_mattermost("and here?")
            assert WEDDING in system(model, "and here?")
            said = await owner.in_the_terminal(f"save: {RING}")
            assert '"success": true' in said
            assert WEDDING in system(model, RING)
            await owner.on_mattermost("/new")
            await owner.on_mattermost("what now?")
            assert WEDDING in system(model, "what now?")
            assert RING in system(model, "what now?")
            assert WEDDING in await owner.on_mattermost("find: wedding")
            await owner.in_the_group("find: wedding")
            await owner.in_the_group("and in the group?")
            # This request holds what the group found before.
            assert WEDDING not in json.dumps(model.asked("and in the group?"), ensure_ascii=False)
        (label,) = (tmp_path / "memories" / "contexts").glob("*/context.json")
        assert json.loads(label.read_text()) == {"context": "me"}
        assert (label.parent / "MEMORY.md").read_text() == f"{WEDDING}\n§\n{RING}"
        assert not (tmp_path / "memories" / "MEMORY.md").exists()
