"""Questions to people in the real gateway: who answers, once, and where the outcome shows."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.asking_stage import CONFIG, NETWORKS, OnSignal, files, on_signal, running

QUEUE = CONFIG["display"]


@NETWORKS
async def test_an_admins_reaction_allows_what_somebody_else_asked_for(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat, running(chat):
        await chat.say("alice", f"erase {target}")
        prompt = await chat.prompt("May I run this?")
        for who, sign in (("mallory", "yes"), ("alice", "laugh"), ("alice", "yes"), ("alice", "yes")):
            await chat.react(who, prompt, sign)
        await chat.shown("Only an admin")
        assert target.exists()
        await chat.react("ada", prompt, "yes")
        await chat.shown("result: ")
        assert not target.exists()
        await chat.shown("Allowed once by")
        assert chat.count("Only an admin") == 1
        # Settled once: a second answer changes nothing, and is told so once.
        await chat.react("ada", prompt, "no")
        await chat.react("ada", prompt, "no")
        await chat.shown("settled already")
        await chat.say("ada", "still there?")
        await chat.shown("echo: still there?")
        assert chat.count("settled already") == 1


@NETWORKS
async def test_each_of_two_waiting_commands_is_answered_by_its_own_question(network: Any, tmp_path: Path) -> None:
    hers, his = files(tmp_path, "hers", "his")
    async with network() as chat, running(chat):
        await chat.say("alice", f"erase {hers}")
        first = await chat.prompt(str(hers))
        await chat.say("ada", f"erase {his}")
        second = await chat.prompt(str(his))
        await chat.react("ada", first, "no")
        await chat.shown("Refused by")
        await chat.react("ada", second, "yes")
        await chat.running.until(lambda: not his.exists(), "the second one erased")
        await chat.running.until(lambda: chat.count("result: ") == 2, "both answered")
        assert hers.exists()


@NETWORKS
async def test_the_asked_person_chooses_by_a_number(network: Any) -> None:
    async with network() as chat, running(chat):
        await chat.say("alice", "choose")
        prompt = await chat.prompt("Which one?")
        await chat.react("mallory", prompt, "2")
        await chat.react("alice", prompt, "2")
        await chat.shown("result: ")
        answer = next(text for _, text in chat.texts() if text.startswith("result: "))
        assert "green" in json.dumps(answer)


@NETWORKS
async def test_an_admin_types_the_answer_to_what_somebody_else_asked_for(network: Any, tmp_path: Path) -> None:
    first, second = files(tmp_path, "first", "second")
    async with network() as chat, running(chat):
        await chat.say("alice", f"erase {first}")
        await chat.prompt(str(first))
        # Plain words of hers may be meant for somebody else.
        for who, words in (("mallory", "/approve"), ("alice", "/approve"), ("ada", "yes")):
            await chat.say(who, words)
        await chat.shown("echo: yes")
        assert first.exists()
        await chat.say("ada", "/approve")
        await chat.running.until(lambda: not first.exists(), "the first one erased")
        await chat.shown("Allowed once by")
        await chat.say("alice", f"erase {second}")
        await chat.prompt(str(second))
        await chat.say("ada", "/deny use the trash")
        await chat.shown("Refused by")
        await chat.running.until(lambda: any("use the trash" in text for _, text in chat.texts()), "the reason")
        assert second.exists()


@NETWORKS
@pytest.mark.parametrize("mode", ["interrupt", "steer"])
async def test_what_is_said_meanwhile_denies_nothing(network: Any, mode: str, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat, running(chat, display={"busy_input_mode": mode}):
        await chat.say("alice", f"erase {target}")
        prompt = await chat.prompt("May I run this?")
        await chat.say("alice", "how are you?")
        await chat.shown("I read that once")
        await chat.react("ada", prompt, "yes")
        await chat.shown("result: ")
        assert not target.exists()
        await chat.shown("echo: how are you?")


@NETWORKS
async def test_a_time_out_shows(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat, running(chat, approvals={"mode": "manual", "timeout": 2, "gateway_timeout": 2}):
        await chat.say("alice", f"erase {target}")
        await chat.prompt("May I run this?")
        await chat.shown("Nobody answered in time")
        await chat.shown("result: ")
        assert target.exists()


@NETWORKS
async def test_a_question_of_before_a_restart_has_expired(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat:
        async with running(chat, tmp_path) as first:
            await chat.say("alice", f"erase {target}")
            prompt = await chat.prompt("May I run this?")
            await first.kill()
        async with running(chat, tmp_path):
            await chat.shown("this question has expired")
            for who in ("mallory", "ada", "ada"):
                await chat.react(who, prompt, "yes")
            await chat.running.until(lambda: chat.count("this question has expired") == 2, "told")
            await chat.say("ada", "still there?")
            await chat.shown("echo: still there?")
            assert chat.count("this question has expired") == 2
            assert target.exists()


@NETWORKS
async def test_a_bare_number_of_the_asked_person_needs_no_mention(network: Any) -> None:
    async with network() as chat, running(chat):
        await chat.say("alice", "choose")
        await chat.prompt("Which one?")
        await chat.mutter("ada", "2")
        await chat.mutter("alice", "see you at five")
        await chat.mutter("alice", "2")
        await chat.shown("result: ")
        assert "green" in next(text for _, text in chat.texts() if text.startswith("result: "))


@NETWORKS
async def test_a_slash_command_is_confirmed_by_reaction(network: Any) -> None:
    async with network() as chat, running(chat, approvals={"mode": "manual", "destructive_slash_confirm": True}):
        await chat.say("ada", "hello")
        await chat.shown("echo: hello")
        await chat.say("ada", "/new")
        prompt = await chat.prompt("Or react")
        await chat.react("alice", prompt, "yes")
        await chat.react("ada", prompt, "no")
        await chat.shown("Cancelled by")
        assert chat.count("Allowed once") == 0


@NETWORKS
async def test_where_admins_are_asked_the_group_sees_no_command(network: Any, tmp_path: Path) -> None:
    first, second = files(tmp_path, "first", "second")
    async with network() as chat:
        chat.env = {**chat.env, f"{chat.name.upper()}_APPROVALS_TO": "admins"}
        # Hermes' own progress messages show commands.
        async with running(chat, display={**QUEUE, "tool_progress": "off"}):
            await chat.say("alice", f"erase {first}")
            prompt = await chat.prompt(str(first))
            assert not [text for text in chat.in_group() if str(first) in text]
            await chat.shown("I asked an admin")
            await chat.react("alice", prompt, "yes")
            await chat.react_privately("ada", prompt, "yes")
            await chat.running.until(lambda: not first.exists(), "the first one erased")
            await chat.running.until(lambda: any("Allowed once by" in text for text in chat.in_group()), "the outcome")
            await chat.say("alice", f"erase {second}")
            prompt = await chat.prompt(str(second))
            await chat.react_privately("ada", prompt, "no")
            await chat.running.until(lambda: any("Refused by" in text for text in chat.in_group()), "the outcome")
            assert second.exists()
            assert not [text for text in chat.in_group() if "rm -rf" in text and "result: " not in text]


@NETWORKS
async def test_where_no_admin_can_be_asked_the_command_is_refused(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat:
        chat.env = {**chat.env, f"{chat.name.upper()}_APPROVALS_TO": "admins"}
        chat.config = {}
        async with running(chat, display={**QUEUE, "tool_progress": "off"}):
            await chat.say("alice", f"erase {target}")
            await chat.shown("No admin could be asked")
            await chat.shown("result: ")
            assert target.exists()
            assert chat.count("May I run this?") == 0


@NETWORKS
async def test_of_two_waiting_commands_the_reply_says_which(network: Any, tmp_path: Path) -> None:
    hers, his = files(tmp_path, "hers", "his")
    async with network() as chat, running(chat):
        await chat.say("alice", f"erase {hers}")
        await chat.prompt(str(hers))
        await chat.say("bob", f"erase {his}")
        second = await chat.prompt(str(his))
        await chat.say("ada", "/approve")
        await chat.shown("Several requests wait here")
        await chat.reply("ada", second, "/approve")
        await chat.running.until(lambda: not his.exists(), "the second one erased")
        assert hers.exists()


async def test_a_reaction_may_come_before_the_network_confirms_the_question(tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with on_signal() as chat, running(chat):
        assert isinstance(chat, OnSignal)
        send = chat.daemon.handlers["send"]

        async def confirmed_late(params: dict[str, Any]) -> Any:
            sent = await send(params)
            if "May I run this?" in str(params.get("message")) and "editTimestamp" not in params:
                await chat.react("ada", str(sent["timestamp"]), "yes")
                await asyncio.sleep(0.5)
            return sent

        chat.daemon.handlers["send"] = confirmed_late
        await chat.say("alice", f"erase {target}")
        await chat.running.until(lambda: not target.exists(), "the folder erased")


async def test_a_sticker_a_poll_or_a_contact_answers_no_question(tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with on_signal() as chat, running(chat):
        assert isinstance(chat, OnSignal)
        await chat.say("alice", "choose")
        prompt = await chat.prompt("Which one?")
        await chat.share("alice", prompt, sticker={"packId": "0a", "stickerId": 1})
        await chat.share("alice", prompt, pollCreate={"question": "red", "allowMultiple": False, "options": ["red"]})
        await chat.share("alice", prompt, contacts=[{"name": {"given": "1"}}])
        # Its answer comes after the adapter has read them.
        await chat.say("alice", "/whoami")
        await chat.running.until(lambda: len(chat.sent) > 1, "the answer to /whoami")
        await chat.react("alice", prompt, "2")
        await chat.shown("result: ")
        (answer,) = [text for _, text in chat.texts() if text.startswith("result: ")]
        assert "green" in answer
        assert "sticker" not in answer
        await chat.say("alice", "and now?")
        await chat.shown("echo: ")
        read = json.dumps(chat.model.requests[-1], ensure_ascii=False)
        assert "(sticker)" in read
        assert "(poll: " in read

        await chat.say("alice", f"erase {target}")
        prompt = await chat.prompt("May I run this?")
        for words in ("yes", "/approve", "👍"):
            await chat.share("ada", prompt, pollCreate={"question": words, "allowMultiple": False, "options": [words]})
            await chat.share("ada", prompt, contacts=[{"name": {"given": words}}])
        await chat.say("ada", "/deny")
        await chat.shown("Refused by")
        assert target.exists()
