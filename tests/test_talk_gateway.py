"""Reactions as talk, and what is taken back before it is read, in the real gateway on both networks."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests import scene_mattermost, scene_signal
from tests.asking_stage import NETWORKS, Chat, OnMattermost, OnSignal, on_signal, running
from tests.fakes.echo_model import last_user_text
from tests.fakes.mattermost_server import OPS
from tests.fakes.signal_daemon import GROUP
from tests.scene_signal import BOT, BOT_ITSELF, in_group, variant

QUEUE = {"display": {"busy_input_mode": "queue", "busy_ack_enabled": False}}
EMOJI = {"yes": "👍🏽", "laugh": "😂"}


def shown_emoji(chat: Chat, sign: str) -> str:
    return EMOJI[sign] if isinstance(chat, OnSignal) else f":{OnMattermost.EMOJI[sign]}:"


async def said(chat: Chat, who: str, text: str) -> str:
    """Say something to the bot in the group; return the message's id."""
    if isinstance(chat, OnSignal):
        event = in_group(chat.PEOPLE[who], f"{BOT} {text}", BOT_ITSELF)
        await chat.daemon.emit_event(event)
        return str(event["envelope"]["timestamp"])
    assert isinstance(chat, OnMattermost)
    return str((await chat.server.post(chat.PEOPLE[who], OPS, f"@hermes {text}"))["id"])


async def take_back(chat: Chat, who: str, message_id: str) -> None:
    if isinstance(chat, OnSignal):
        event = variant("remote_delete", chat.PEOPLE[who], group_id=GROUP, group_name="Test Group")
        event["envelope"]["dataMessage"]["remoteDelete"] = {"timestamp": int(message_id)}
        await chat.daemon.emit_event(event)
        return
    assert isinstance(chat, OnMattermost)
    await chat.server.delete(message_id)


async def everything_read(chat: Chat) -> None:
    """Wait until all that was said before has been handed over: a command is answered at once, whoever is busy."""
    sent = len(chat.texts())
    await chat.say("ada", "/whoami")
    await chat.running.until(lambda: len(chat.texts()) > sent, "the command answered")


def asked(chat: Chat) -> list[str]:
    """Return what each turn read. Hermes 0.18 also asks for a title, without tools."""
    return [last_user_text(request) for request in chat.model.requests if request.get("tools")]


@NETWORKS
async def test_a_reaction_is_shown_once_with_the_next_turn_and_makes_none(network: Any) -> None:
    async with network() as chat, running(chat):
        await chat.say("alice", "hello")
        answer = await chat.prompt("echo: hello")
        for who, sign in (("ada", "laugh"), ("ada", "yes"), ("mallory", "laugh")):
            await chat.react(who, answer, sign)
        await chat.say("alice", "second")
        await chat.shown("echo: second")
        await chat.say("alice", "third")
        await chat.shown("echo: third")
        _, second, third = asked(chat)
        lines = [line for line in second.splitlines() if "reacted" in line]
        assert len(lines) == 2
        adas, mallorys = lines
        assert adas.lower().startswith(("ada reacted", "admin reacted"))
        assert adas.endswith(f'reacted {shown_emoji(chat, "yes")} to "echo: hello"')
        assert mallorys.lower().startswith("[unverified] mallory reacted")
        assert mallorys.endswith(f'reacted {shown_emoji(chat, "laugh")} to "echo: hello"')
        assert "reacted" not in third


@NETWORKS
async def test_a_reaction_of_the_operators_table_is_a_request_of_those_who_may_make_one(
    network: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for scene, name, emoji in (
        (scene_signal, "SIGNAL_REACTION_TURNS", "👍"),
        (scene_mattermost, "MATTERMOST_REACTION_TURNS", "thumbsup"),
    ):
        turns, environment = {name: json.dumps({emoji: "do that again"})}, scene.environment
        monkeypatch.setattr(scene, "environment", lambda at, more=turns, of=environment: of(at) | more)
    async with network() as chat, running(chat):
        await chat.say("alice", "hello")
        answer = await chat.prompt("echo: hello")
        await chat.react("mallory", answer, "yes")
        await chat.react("alice", answer, "yes")
        await chat.shown("echo: do that again")
        second = asked(chat)[-1]
        assert second.count("do that again") == 1
        assert 'to your message "echo: hello"' in second
        assert "[unverified]" in second
        assert len(asked(chat)) == 2


@NETWORKS
@pytest.mark.parametrize("which", [0, 1])
async def test_a_message_that_was_deleted_behind_a_busy_agent_is_not_answered(network: Any, which: int) -> None:
    async with network() as chat, running(chat, **QUEUE):
        chat.model.held = asyncio.Event()
        await chat.say("alice", "first")
        await chat.running.until(lambda: len(asked(chat)) == 1, "a busy agent")
        words = ["apricot", "banana", "cherry"]
        ids = [await said(chat, "alice", word) for word in words]
        await everything_read(chat)
        await take_back(chat, "alice", ids[which])
        await everything_read(chat)
        chat.model.held.set()
        # Hermes may merge what waits into one turn.
        left = [word for word in words if word != words[which]]
        await chat.running.until(
            lambda: all(any(text.startswith("echo: ") and word in text for _, text in chat.texts()) for word in left),
            "the others answered",
        )
        assert not any(words[which] in text for text in asked(chat))


async def test_on_signal_nobody_takes_back_what_others_said() -> None:
    async with on_signal() as chat, running(chat, **QUEUE):
        chat.model.held = asyncio.Event()
        await chat.say("alice", "first")
        await chat.running.until(lambda: len(asked(chat)) == 1, "a busy agent")
        waits = await said(chat, "alice", "second")
        await take_back(chat, "mallory", waits)
        await take_back(chat, "ada", waits)
        await everything_read(chat)
        chat.model.held.set()
        await chat.shown("echo: second")
