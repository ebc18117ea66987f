"""Memory and recall per chat in the real gateway process, with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text, text_of
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, environment, in_group, stage, variant

SECRET = "the wedding is on the ninth"
TOOLS = {
    "approvals": {"destructive_slash_confirm": False},
    "platform_toolsets": {"signal": ["memory", "session_search"]},
}


def asks(request: dict[str, Any]) -> Answer | None:
    """Call the tool whose call stands in the message as JSON, once; then answer with its result."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    _, found, call = last_user_text(request).partition("call ")
    if not found:
        return None
    wanted, _ = json.JSONDecoder().raw_decode(call)
    return [ToolCall(name, args) for name, args in wanted.items()]


def says(tool: str, **args: Any) -> str:
    return f"call {json.dumps({tool: args})}"


def system(request: Mapping[str, Any]) -> str:
    return text_of(request["messages"][0]["content"])


class Chats:
    def __init__(self, daemon: FakeSignalDaemon, running: GatewayProcess) -> None:
        self.daemon, self.running = daemon, running

    def answers(self) -> list[str]:
        return [str(params["message"]) for params in self.daemon.called("send")]

    async def ask(self, event: dict[str, Any]) -> str:
        before = len(self.answers())
        await self.daemon.emit_event(event)
        await self.running.until(lambda: len(self.answers()) > before, "an answer")
        return self.answers()[before]

    async def direct(self, text: str) -> str:
        return await self.ask(variant("dm_text", ALICE_A, text=text))

    async def group(self, text: str) -> str:
        return await self.ask(in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF))


async def test_a_direct_chats_memory_stays_there(tmp_path: Path) -> None:
    async with stage() as daemon, EchoModel(asks) as model:
        async with GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=TOOLS) as running:
            chats = Chats(daemon, running)
            await daemon.streams_open(1)
            assert '"success": true' in await chats.direct(
                says("memory", action="add", target="memory", content=SECRET)
            )
            assert SECRET not in await chats.group(says("session_search", query="wedding"))
            assert "echo: hello" in await chats.group("hello")
            in_the_group = len(model.requests)
            await chats.direct("/new")
            assert "echo: again" in await chats.direct("again")
            assert SECRET in await chats.direct(says("session_search", query="wedding"))
        assert not [r for r in model.requests[2:in_the_group] if SECRET in json.dumps(r, ensure_ascii=False)]
        again = model.asked("again")[0]
        assert SECRET in system(again)
        assert not (tmp_path / "memories" / "MEMORY.md").exists()
