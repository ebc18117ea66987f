"""Other chats' things in the real gateway process: commands while agents work, and writes that wait over a restart."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import ALICE
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, environment, in_group, stage, variant
from tests.scripted_tools import asks, says
from tests.test_tenancy_gateway import SECRET, TOOLS, Chats, system

QUEUED = TOOLS | {"display": {"busy_input_mode": "queue"}}


async def test_a_write_waits_for_its_own_chat_over_a_restart(tmp_path: Path) -> None:
    config = QUEUED | {"memory": {"write_approval": True}}
    async with stage() as daemon, EchoModel(asks) as model:
        async with GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=config) as running:
            chats = Chats(daemon, running)
            await daemon.streams_open(1)
            answer = await chats.direct(says("memory", action="add", target="memory", content=SECRET))
            assert '"staged": true' in answer
            identity = re.findall(r'"pending_id": "(\w+)"', answer)[0]
            for order in ("pending", "approve all", f"approve {identity}", f"reject {identity}", ""):
                assert "No pending" in await chats.group(f"/memory {order}")
        async with GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=config) as running:
            chats = Chats(daemon, running)
            await daemon.streams_open(1)
            assert SECRET in await chats.direct("/memory pending")
            assert "Approved 1" in await chats.direct(f"/memory approve {identity}")
            await chats.direct("/new")
            await chats.direct("again")
            await chats.group("/new")
            await chats.group("hello")
        assert not (tmp_path / "pending").exists()
        assert SECRET in system(model.asked("again")[0])
        assert SECRET not in json.dumps(model.asked("hello"), ensure_ascii=False)


async def test_while_agents_work_a_group_sees_none_of_another_chat(tmp_path: Path) -> None:
    held = asyncio.Event()
    async with stage() as daemon, EchoModel(held=held) as model:
        async with GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=QUEUED) as running:
            chats = Chats(daemon, running)
            await daemon.streams_open(1)
            await daemon.emit_event(variant("dm_text", ALICE_A, text="just between us"))
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} hello", BOT_ITSELF))
            await running.until(lambda: len(model.requests) == 2, "both agents at work")
            agents = await chats.group("/agents")
            assert "is working in this chat" in agents
            assert ALICE not in agents
            assert "agent:main" not in agents
            assert (await chats.group("/kanban list")).startswith("⛔")
            await chats.group("/queue /agents")
            held.set()
            ends = {"echo: hello", "echo: just between us"}
            await running.until(lambda: ends <= set(chats.answers()), "the end of both turns")
            # Some hosts drop a command from the queue, others carry it out.
            await daemon.emit_event(in_group(ALICE_A, f"{BOT} /agents", BOT_ITSELF))
            await running.until(lambda: any("No agent" in answer for answer in chats.answers()), "an answer")
        assert not [answer for answer in chats.answers() if "agent:main" in answer]
