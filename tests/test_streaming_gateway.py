"""Answers that grow while the model writes, in the real gateway: edits, messages, the end, who is notified."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import Answer, EchoModel, Slowly, last_user_text
from tests.fakes.mattermost_server import ALICE, HERMES, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, in_group

CONFIG: Mapping[str, Any] = {
    "streaming": {"enabled": True},
    "display": {"platforms": {"signal": {"streaming": True}}, "busy_input_mode": "queue"},
}
LINES = "\n".join(f"{number:05} and so the story goes on and on" for number in range(1000))
LONG, SHORT, BOB = LINES[:39_990] + "\nThe end.", LINES[:2_000] + "\nThe end.", "bob"
ASKS = f"I looked at it for a while, and there is more than one way to go on from here.\n\nBut ask @{BOB} first."


def script(request: dict[str, Any]) -> Answer | None:
    """Stream what is asked for."""
    said = last_user_text(request)
    if "long" in said:
        return Slowly(LONG, 400, 0.03)
    if "short" in said:
        return Slowly(SHORT, 20, 0.06)
    if "at once" in said:
        return LONG
    return Slowly(ASKS, 10, 0.05) if "mention" in said else None


@dataclass
class Message:
    """A message of the bot's: the text that it was sent with and those of its edits, and when."""

    texts: list[str]
    times: list[float]
    names: list[int] = field(default_factory=list)
    """Signal: the timestamps that it had."""


class Chat(ABC):
    running: GatewayProcess
    turns = 0

    @abstractmethod
    def messages(self) -> list[Message]: ...

    @abstractmethod
    async def say(self, text: str) -> None: ...

    async def answered(self, last: str, after: int = 0) -> list[Message]:
        """Wait until an answer ends so, and for the answer to a further question: nothing of the first one is left."""
        self.turns += 1
        await self.running.until(lambda: self.running.log.count("response ready: ") == self.turns, "the turn's end")
        await self.running.until(
            lambda: any(m.texts[-1].endswith(last) for m in self.messages()[after:]), f"the answer ends: {last}"
        )
        self.turns += 1
        await self.say("ready?")
        await self.running.until(
            lambda: any(m.texts[-1] == "echo: ready?" for m in self.messages()[after:]), "the next answer"
        )
        # The host may still be busy, and says so.
        notices = ("echo: ", "⏳", "⚡")
        return [message for message in self.messages()[after:] if not message.texts[-1].startswith(notices)]


class OnSignal(Chat):
    def __init__(self, daemon: FakeSignalDaemon) -> None:
        self.daemon = daemon
        self.sent: list[Message] = []
        daemon.handlers["send"] = self.keep

    async def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what the bot sends. An edit that does not name the latest timestamp changes nothing, as in the apps."""
        now = asyncio.get_running_loop().time()
        stamp = 1_795_000_000_000 + sum(len(message.texts) for message in self.sent)
        if (edited := params.get("editTimestamp")) is None:
            self.sent.append(Message([params["message"]], [now], [stamp]))
        else:
            message = next(message for message in self.sent if message.names[-1] == edited)
            message.texts.append(params["message"])
            message.times.append(now)
            message.names.append(stamp)
        return {"timestamp": stamp, "results": []}

    def messages(self) -> list[Message]:
        return self.sent

    async def say(self, text: str) -> None:
        await self.daemon.emit_event(in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF))


class OnMattermost(Chat):
    def __init__(self, server: FakeMattermostServer) -> None:
        self.server = server
        self.sent: dict[str, Message] = {}
        edit = server.edit

        async def keep(post_id: str, text: str) -> Any:
            self.messages()
            if post_id in self.sent:
                self.sent[post_id].texts.append(text)
                self.sent[post_id].times.append(asyncio.get_running_loop().time())
            return await edit(post_id, text)

        server.edit = keep  # type: ignore[method-assign]

    def messages(self) -> list[Message]:
        for number, post in self.server.posts.items():
            if post["user_id"] == HERMES and number not in self.sent:
                self.sent[number] = Message([post["message"]], [asyncio.get_running_loop().time()])
        return [message for number, message in self.sent.items() if not self.server.posts[number]["delete_at"]]

    async def say(self, text: str) -> None:
        await self.server.post(ALICE, OPS, f"@hermes {text}")


@asynccontextmanager
async def on_signal(**more: str) -> AsyncIterator[Chat]:
    async with scene_signal.stage() as daemon, EchoModel(script) as model:
        env = scene_signal.environment(daemon) | {"SIGNAL_STREAMING": "true"} | more
        async with GatewayProcess(model.base_url, env=env, config=CONFIG) as running:
            await daemon.streams_open(1)
            chat = OnSignal(daemon)
            chat.running = running
            yield chat


@asynccontextmanager
async def on_mattermost(home: Path | None = None) -> AsyncIterator[Chat]:
    async with (
        scene_mattermost.stage() as server,
        EchoModel(script) as model,
        GatewayProcess(
            model.base_url,
            env=scene_mattermost.environment(server),
            home=home,
            config={**CONFIG, **scene_mattermost.CONFIG},
            platforms=("mattermost",),
        ) as running,
    ):
        await server.connected()
        chat = OnMattermost(server)
        chat.running = running
        yield chat


def shown(messages: list[Message]) -> str:
    return "\n".join(message.texts[-1] for message in messages)


async def test_on_mattermost_a_post_changes_once_a_second_and_never_loses_the_end() -> None:
    async with on_mattermost() as chat:
        await chat.say("short")
        (post,) = await chat.answered("The end.")
        assert post.texts[-1] == SHORT
        assert 3 <= len(post.texts) <= 9
        gaps = [later - earlier for earlier, later in pairwise(post.times)]
        assert min(gaps[1:-1]) > 0.9


async def test_on_mattermost_a_growing_answer_is_split_where_a_finished_one_is() -> None:
    async with on_mattermost() as chat:
        await chat.say("long")
        posts = await chat.answered("The end.")
        assert [len(post.texts[-1]) <= 16383 for post in posts] == [True] * 3
        assert shown(posts) == LONG
        # A model that writes at once is no reason to write it twice.
        before = len(chat.messages())
        await chat.say("at once")
        assert shown(await chat.answered("The end.", before)) == LONG


async def test_on_mattermost_a_person_mentioned_at_the_end_is_notified() -> None:
    async with on_mattermost() as chat:
        await chat.say("mention")
        first, second = await chat.answered("first.")
        before, after = ASKS.split("\n\n")
        assert f"@{BOB}" not in first.texts[0]
        assert first.texts[-1] == before
        assert second.texts == [after]


async def test_on_signal_a_message_is_edited_eight_times_at_most_under_its_latest_timestamp() -> None:
    async with on_signal() as chat:
        await chat.say("short")
        (message,) = await chat.answered("The end.")
        assert message.texts[-1] == SHORT
        assert 2 <= len(message.texts) <= 9
        assert message.times[1] - message.times[0] > 1.9
        before = len(chat.messages())
        await chat.say("long")
        assert shown(await chat.answered("The end.", before)) == LONG
        assert all(len(each.texts) <= 9 for each in chat.messages())


async def test_on_signal_nothing_grows_without_the_setting() -> None:
    async with on_signal(SIGNAL_STREAMING="false") as chat:
        await chat.say("short")
        (message,) = await chat.answered("The end.")
        assert message.texts == [SHORT]


async def test_an_answer_whose_end_arrived_as_the_gateway_crashed_is_not_sent_again(tmp_path: Path) -> None:
    async with on_mattermost(tmp_path) as chat:
        assert isinstance(chat, OnMattermost)
        ended, keep = asyncio.Event(), chat.server.edit

        async def edit(post_id: str, text: str) -> Any:
            edited = await keep(post_id, text)
            if text == SHORT:
                ended.set()
                # The host never learns that it arrived.
                await chat.running.until(lambda: chat.running.ended, "the crash")
            return edited

        chat.server.edit = edit  # type: ignore[method-assign]
        await chat.say("short")
        await ended.wait()
        await chat.running.until(lambda: "Turn ended: reason=" in chat.running.log, "the model's answer is kept")
        await chat.running.kill()
        chat.server.edit = keep  # type: ignore[method-assign]
        await chat.running.start()
        await chat.server.connected()
        # The host may say something of its own of the turn that was cut off.
        await chat.say("ready?")
        await chat.running.until(lambda: any("ready?" in m.texts[-1] for m in chat.messages()), "the next answer")
        assert sum("The end." in message.texts[-1] for message in chat.messages()) == 1
