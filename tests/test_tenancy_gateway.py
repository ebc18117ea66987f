"""Memory and recall per chat in the real gateway process, with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fakes.echo_model import EchoModel, text_of
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, environment, in_group, stage, variant
from tests.scripted_tools import asks, says

SECRET = "the wedding is on the ninth"
TOOLS = {
    "approvals": {"destructive_slash_confirm": False},
    # An agent may still be at work when its answer has arrived.
    "display": {"busy_input_mode": "queue", "busy_ack_enabled": False},
    "platform_toolsets": {"signal": ["memory", "session_search"]},
}


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
        # A request without tools asks for a title of the direct chat.
        in_groups = [r for r in model.requests[2:in_the_group] if r.get("tools")]
        assert not [r for r in in_groups if SECRET in json.dumps(r, ensure_ascii=False)]
        again = model.asked("again")[0]
        assert SECRET in system(again)
        assert not (tmp_path / "memories" / "MEMORY.md").exists()
