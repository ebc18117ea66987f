"""Questions to people in the real gateway: who answers, once, and where the outcome shows."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text, text_of
from tests.fakes.mattermost_server import ALICE, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import GROUP, FakeSignalDaemon, contact
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, MALLORY, Person, in_group, variant

ADMIN = Person("Ada", "44444444-4444-4444-8444-444444444444", "+15550004444")
CONFIG: Mapping[str, Any] = {
    "platform_toolsets": {"signal": ["terminal", "clarify"], "mattermost": ["terminal", "clarify"]},
    "approvals": {"mode": "manual", "timeout": 60},
}


def script(request: dict[str, Any]) -> Answer | None:
    """Erase what is to be erased, ask what is to be asked, and answer with the tool's result."""
    last, said = request["messages"][-1], last_user_text(request)
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    if "erase " in said:
        return [ToolCall("terminal", {"command": f"rm -rf {said.partition('erase ')[2].split()[0]}"})]
    if "choose" in said:
        return [ToolCall("clarify", {"question": "Which one?", "choices": ["red", "green"]})]
    return None


class Chat(ABC):
    """A group in which Alice asks and Ada is the admin."""

    running: GatewayProcess
    model: EchoModel

    @abstractmethod
    def texts(self) -> list[tuple[str, str]]:
        """Return the id and the text of what the bot sent, edits included."""

    @abstractmethod
    async def say(self, who: str, text: str) -> None:
        """Say something to the bot in the group."""

    @abstractmethod
    async def react(self, who: str, message_id: str, sign: str) -> None:
        """React to a message of the bot's: "yes", "no", "session" or a number."""

    async def prompt(self, words: str, after: int = 0) -> str:
        """Wait for a question with those words and return its id."""
        await self.running.until(lambda: any(words in text for _, text in self.texts()[after:]), f"a question: {words}")
        return next(number for number, text in self.texts()[after:] if words in text)

    async def shown(self, words: str) -> None:
        await self.running.until(lambda: any(words in text for _, text in self.texts()), f"shown: {words}")

    def count(self, words: str) -> int:
        return sum(words in text for _, text in self.texts())


class OnSignal(Chat):
    EMOJI: ClassVar = {"yes": "👍🏽", "no": "👎", "session": "🔁", "2": "2\ufe0f\u20e3", "laugh": "😂"}
    PEOPLE: ClassVar = {"alice": ALICE_A, "ada": ADMIN, "mallory": MALLORY}

    def __init__(self, daemon: FakeSignalDaemon) -> None:
        self.daemon = daemon
        self.sent: list[tuple[str, str]] = []
        daemon.handlers["send"] = self.keep

    async def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what the bot sends, under its timestamp."""
        stamp = 1_795_000_000_000 + len(self.sent)
        self.sent.append((str(stamp), str(params.get("message") or "")))
        return {"timestamp": stamp, "results": []}

    def texts(self) -> list[tuple[str, str]]:
        return self.sent

    async def say(self, who: str, text: str) -> None:
        await self.daemon.emit_event(in_group(self.PEOPLE[who], f"{BOT} {text}", BOT_ITSELF))

    async def react(self, who: str, message_id: str, sign: str) -> None:
        event = variant("reaction", self.PEOPLE[who], group_id=GROUP, group_name="Family")
        event["envelope"]["dataMessage"]["reaction"] |= {
            "emoji": self.EMOJI[sign],
            "targetAuthor": BOT_ITSELF.number,
            "targetAuthorNumber": BOT_ITSELF.number,
            "targetAuthorUuid": BOT_ITSELF.aci,
            "targetSentTimestamp": int(message_id),
        }
        await self.daemon.emit_event(event)


class OnMattermost(Chat):
    EMOJI: ClassVar = {"yes": "thumbsup_medium_skin_tone", "no": "x", "session": "repeat", "2": "two", "laugh": "joy"}
    PEOPLE: ClassVar = {"alice": ALICE, "ada": scene_mattermost.ADMIN, "mallory": scene_mattermost.MALLORY}

    def __init__(self, server: FakeMattermostServer) -> None:
        self.server = server

    def texts(self) -> list[tuple[str, str]]:
        own = [post for post in self.server.posts.values() if post["user_id"] == self.server.me_id]
        return [(post["id"], post["message"]) for post in own]

    async def say(self, who: str, text: str) -> None:
        await self.server.post(self.PEOPLE[who], OPS, f"@hermes {text}")

    async def react(self, who: str, message_id: str, sign: str) -> None:
        await self.server.react(self.PEOPLE[who], message_id, self.EMOJI[sign])


@asynccontextmanager
async def on_signal(home: Path | None = None, **config: Any) -> AsyncIterator[Chat]:
    lists = {"signal": {"group_allow_admin_from": [ADMIN.number], "allow_admin_from": [ADMIN.number]}}
    async with scene_signal.stage() as daemon, EchoModel(script) as model:
        daemon.contacts.append(contact(ADMIN.number, ADMIN.aci, ADMIN.name))
        env = scene_signal.environment(daemon) | {"SIGNAL_ALLOWED_USERS": f"{ALICE_A.number},{ADMIN.number}"}
        async with GatewayProcess(model.base_url, env=env, home=home, config={**CONFIG, **lists, **config}) as running:
            await daemon.streams_open(1)
            chat = OnSignal(daemon)
            chat.running, chat.model = running, model
            yield chat


@asynccontextmanager
async def on_mattermost(home: Path | None = None, **config: Any) -> AsyncIterator[Chat]:
    async with (
        scene_mattermost.stage() as server,
        EchoModel(script) as model,
        GatewayProcess(
            model.base_url,
            env=scene_mattermost.environment(server),
            home=home,
            config={**CONFIG, **scene_mattermost.CONFIG, **config},
            platforms=("mattermost",),
        ) as running,
    ):
        await server.connected()
        chat = OnMattermost(server)
        chat.running, chat.model = running, model
        yield chat


NETWORKS = pytest.mark.parametrize("network", [on_signal, on_mattermost], ids=["signal", "mattermost"])


def files(folder: Path, *names: str) -> list[Path]:
    found = [folder / name for name in names]
    for path in found:
        path.mkdir()
    return found


@NETWORKS
async def test_an_admins_reaction_allows_what_somebody_else_asked_for(network: Any, tmp_path: Path) -> None:
    (target,) = files(tmp_path, "target")
    async with network() as chat:
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
    async with network() as chat:
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
    async with network() as chat:
        await chat.say("alice", "choose")
        prompt = await chat.prompt("Which one?")
        await chat.react("mallory", prompt, "2")
        await chat.react("alice", prompt, "2")
        await chat.shown("result: ")
        answer = next(text for _, text in chat.texts() if text.startswith("result: "))
        assert "green" in json.dumps(answer)
