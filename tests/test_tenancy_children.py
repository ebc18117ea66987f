"""Agents that a chat's agent starts are guarded as that chat's: sub-agents and jobs, in the real gateway process."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fakes.echo_model import EchoModel, text_of
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, environment, in_group, stage, variant
from tests.scripted_tools import asks, says
from tests.test_tenancy_gateway import TOOLS

MARK = "oystercatcher"
_TOOLSETS = ["memory", "file", "delegation", "cronjob"]
CONFIG = {**TOOLS, "platform_toolsets": {"signal": _TOOLSETS, "cron": _TOOLSETS}}


def own_calls(requests: Sequence[dict[str, Any]]) -> list[str]:
    """Return the results of tools in conversations in which nobody asked for another agent: those of such agents."""
    return [
        text_of(request["messages"][-1]["content"])
        for request in requests
        if request["messages"][-1]["role"] == "tool"
        and not [m for m in request["messages"] if m["role"] == "user" and _starts_agents(text_of(m["content"]))]
    ]


def _starts_agents(text: str) -> bool:
    return "delegate_task" in text or "cronjob" in text


async def test_sub_agents_and_jobs_are_guarded_as_their_chat(tmp_path: Path) -> None:
    (tmp_path / "memories").mkdir()
    (tmp_path / "memories" / "SECRET.md").write_text(MARK)
    reads = says("read_file", path=str(tmp_path / "memories" / "SECRET.md"))

    async with (
        stage() as daemon,
        EchoModel(asks) as model,
        GatewayProcess(model.base_url, env=environment(daemon), home=tmp_path, config=CONFIG) as running,
    ):

        async def ask(event: dict[str, Any], answer: str) -> None:
            sent = len(daemon.called("send"))
            await daemon.emit_event(event)
            await running.until(lambda: any(answer in text for text in _texts(daemon)[sent:]), answer)

        def in_the_group(text: str) -> dict[str, Any]:
            return in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF)

        await daemon.streams_open(1)
        # Some hosts take a single task in a form that others do not know.
        tasks = [{"goal": reads}, {"goal": "greet whoever reads this"}]
        await ask(in_the_group(says("delegate_task", tasks=tasks)), "result: ")
        await running.until(lambda: bool(own_calls(model.requests)), "the call of the sub-agent")
        assert "belongs to the agent" in own_calls(model.requests)[0]
        offered = {tool["function"]["name"] for tool in model.requests[0]["tools"]}

        def jobs(**args: Any) -> str:
            # Newer hosts offer a bridge in place of rare tools.
            bridged = says("tool_call", calls=[{"name": "cronjob_manage", "arguments": args}])
            return says("cronjob", **args) if "cronjob" in offered else bridged

        job = {"action": "create", "name": "waders", "schedule": "every 2h", "prompt": reads}
        await ask(in_the_group(jobs(**job)), "waders' created")
        run = jobs(action="run", job_id="waders")
        await ask(variant("dm_text", ALICE_A, text=run), "No such job")
        before = len(model.requests)
        await ask(in_the_group(run), "result: ")
        await running.until(lambda: bool(own_calls(model.requests[before:])), "the call of the job")
        assert "belongs to the agent" in own_calls(model.requests[before:])[0]
    assert not [request for request in model.requests if MARK in json.dumps(request)]


def _texts(daemon: FakeSignalDaemon) -> list[str]:
    return [str(params["message"]) for params in daemon.called("send")]
