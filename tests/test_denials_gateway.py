"""Refused commands in the real gateway: what the agent and the chat learn of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.asking_stage import NETWORKS, Chat, files, on_signal, running, script
from tests.fakes.echo_model import Answer, ToolCall, last_user_text, text_of

SAID = "BLOCKED: Command "


def refusals(chat: Chat) -> list[dict[str, Any]]:
    """What the agent has read of its refused commands, each once."""
    read = {
        message["tool_call_id"]: text_of(message["content"])
        for request in chat.model.requests
        for message in request["messages"]
        if message["role"] == "tool"
    }
    return [json.loads(text) for text in read.values()]


async def refused(chat: Chat, number: int = 1) -> list[dict[str, Any]]:
    await chat.running.until(lambda: len(refusals(chat)) >= number, "a refusal is read")
    return refusals(chat)


@NETWORKS
async def test_the_agent_reads_the_rule_the_decision_and_what_it_may_do_instead(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat, running(chat):
        await chat.say("alice", f"erase {target}")
        await chat.react("ada", await chat.prompt("May I run this?"), "no")
        (read,) = await refused(chat)
        assert read["error"].startswith(SAID)
        assert read["decision"] == "refused by an admin"
        assert "delete" in read["why"]
        assert read["matched_rule"]
        assert any(each.startswith("List the files") for each in read["acceptable_alternatives"])
        # Her own, and typed: the reason is in the host's words, once.
        await chat.shown("result: ")
        asked = len(chat.texts())
        await chat.say("ada", f"erase {target}")
        await chat.prompt("May I run this?", after=asked)
        await chat.say("ada", "/deny use the trash")
        _, read = await refused(chat, 2)
        assert json.dumps(read).count("use the trash") == 1
        assert read["decision"] == "refused by the person who asked"
        assert target.exists()


@NETWORKS
async def test_silence_is_named_as_such(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat, running(chat, approvals={"mode": "manual", "timeout": 2, "gateway_timeout": 2}):
        await chat.say("alice", f"erase {target}")
        (read,) = await refused(chat)
        assert read["decision"] == "nobody answered in time"
        assert "timed out" in read["error"]
        assert target.exists()


@NETWORKS
@pytest.mark.parametrize(
    ("deny", "target", "rule"),
    [([], "/", "recursive delete of root filesystem"), (["rm -rf *"], "/nothing", "rm -rf *")],
)
async def test_the_chat_reads_of_a_block_for_good_once_a_turn(
    network: Any, deny: list[str], target: str, rule: str
) -> None:
    def twice(request: dict[str, Any]) -> Answer | None:
        answer = script(request)
        # Hermes itself drops a call that is repeated to the letter.
        again = ToolCall("terminal", {"command": f"rm -rf {target} # again"})
        return [*answer, again] if isinstance(answer, list) else answer

    async with network() as chat, running(chat, approvals={"mode": "manual", "deny": deny}):
        chat.model.script = twice
        await chat.say("alice", f"erase {target}")
        await chat.shown("result: ")
        await chat.say("alice", f"erase {target}")
        reads = await refused(chat, 4)
        assert {(read["decision"], read["matched_rule"]) for read in reads} == {("blocked for good", rule)}
        await chat.running.until(lambda: chat.count("result: ") == 2, "both turns have ended")
        notices = [text for _, text in chat.texts() if text.startswith("⛔")]
        assert len(notices) == 2
        assert all(rule in text and f"rm -rf {target}" not in text.replace(rule, "") for text in notices)


async def test_refusals_in_two_sessions_do_not_mix(tmp_path: Path) -> None:
    async with on_signal() as chat, running(chat):

        def both(request: dict[str, Any]) -> Answer | None:
            if request["messages"][-1]["role"] == "tool":
                return "result: read"
            command = f"rm -rf {tmp_path}/a" if "first" in last_user_text(request) else "git reset --hard"
            return [ToolCall("terminal", {"command": command})]

        chat.model.script = both
        await chat.say("alice", "first")
        hers = await chat.prompt("rm -rf")
        await chat.say("ada", "second")
        his = await chat.prompt("reset --hard")
        await chat.react("ada", his, "no")
        await chat.react("ada", hers, "no")
        reads = await refused(chat, 2)
        found = {read["decision"]: read["why"] for read in reads}
        assert "git reset" in found["refused by the person who asked"]
        assert "delete" in found["refused by an admin"]


@NETWORKS
async def test_a_sub_agents_command_is_asked_about_in_its_chat_after_the_turn(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")

    commands: list[str] = []

    def delegate(request: dict[str, Any]) -> Answer | None:
        said, read = last_user_text(request), request["messages"][-1]["role"] == "tool"
        if "have it erased" in said:
            return "result: started" if read else [ToolCall("delegate_task", {"goal": "please-erase it now"})]
        # Once: the report of the sub-agent begins a turn that contains its goal.
        if "please-erase" not in said or any("rm" in each for each in commands):
            return None
        ended = chat.count("result: started")
        commands.append(f"rm -rf {target}" if ended else f"sleep 0.{len(commands) + 10}")
        return [ToolCall("terminal", {"command": commands[-1]})]

    toolsets = {"signal": ["terminal", "delegation"], "mattermost": ["terminal", "delegation"]}
    async with network() as chat, running(chat, platform_toolsets=toolsets):
        chat.model.script = delegate
        await chat.say("alice", "have it erased")
        prompt = await chat.prompt("May I run this?")
        await chat.react("alice", prompt, "yes")
        await chat.shown("Only an admin")
        assert target.exists()
        await chat.react("ada", prompt, "yes")
        await chat.running.until(lambda: not target.exists(), "erased")
