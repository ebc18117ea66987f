"""A group on either network, in the real gateway, in which Alice asks for things and Ada is the admin."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hermes_hardened_adapters.common.asking.signs import DIGITS

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text, text_of
from tests.fakes.mattermost_server import ALICE, BOB, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import BOB as BOB_NUMBER
from tests.fakes.signal_daemon import BOB_ACI, GROUP, FakeSignalDaemon, contact
from tests.gateway_process import GatewayProcess
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, MALLORY, Person, in_group, variant

ADMIN = Person("Ada", "44444444-4444-4444-8444-444444444444", "+15550004444")
BOB_B = Person("Bob", BOB_ACI, BOB_NUMBER)
CONFIG: Mapping[str, Any] = {
    "platform_toolsets": {"signal": ["terminal", "clarify"], "mattermost": ["terminal", "clarify"]},
    "approvals": {"mode": "manual", "timeout": 60},
    # In its default mode the host may lose what comes in just as an answer goes out.
    "display": {"busy_input_mode": "queue", "busy_ack_enabled": False},
}


def script(request: dict[str, Any]) -> Answer | None:
    """Erase what is to be erased, ask what is to be asked, and answer with the tool's result."""
    last, said = request["messages"][-1], last_user_text(request)
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    if "erase " in said:
        return [ToolCall("terminal", {"command": f"rm -rf {said.partition('erase ')[2].split()[0]}"})]
    if "choose" in said:
        question = {"question": "Which one?", "choices": ["red", "green"]}
        # Newer hosts take several at once.
        return [ToolCall("clarify", {**question, "questions": [question]})]
    return None


class Chat(ABC):
    """A group in which Alice asks and Ada is the admin."""

    name = ""
    group_id = ""
    """The host's id of the group."""
    model: EchoModel
    env: Mapping[str, str]
    config: Mapping[str, Any]
    running: GatewayProcess

    @abstractmethod
    async def connected(self) -> None:
        """Wait until the gateway listens."""

    @abstractmethod
    def texts(self) -> list[tuple[str, str]]:
        """Return the id and the text of what the bot sent, edits included."""

    @abstractmethod
    def in_group(self) -> list[str]:
        """Return the texts that the bot sent to the group."""

    @abstractmethod
    async def say(self, who: str, text: str) -> None:
        """Say something to the bot in the group."""

    @abstractmethod
    async def reply(self, who: str, message_id: str, text: str) -> None:
        """Say something to the bot, as a reply to a message of its own."""

    @abstractmethod
    async def mutter(self, who: str, text: str) -> None:
        """Say something in the group, not to the bot."""

    @abstractmethod
    async def react_privately(self, who: str, message_id: str, sign: str) -> None:
        """React to a message of the bot's in the person's direct chat."""

    @abstractmethod
    async def react(self, who: str, message_id: str, sign: str) -> None:
        """React to a message of the bot's: "yes", "no", "session" or a number."""

    async def prompt(self, words: str, after: int = 0) -> str:
        """Wait for a question with those words and return its id."""
        await self.running.until(lambda: any(words in text for _, text in self.texts()[after:]), f"a question: {words}")
        return next(number for number, text in self.texts()[after:] if words in text)

    async def shown(self, words: str) -> None:
        await self.running.until(lambda: any(words in text for _, text in self.texts()), f"shown: {words}")

    def number(self, message_id: str, words: str) -> str:
        """Return the number of a choice in a question."""
        asked = next(text for number, text in self.texts() if number == message_id)
        (line,) = [line for line in asked.splitlines() if line[:1].isdigit() and words in line]
        return line[0]

    def count(self, words: str) -> int:
        return sum(words in text for _, text in self.texts())


class OnSignal(Chat):
    name = "signal"
    group_id = f"group:{GROUP}"
    EMOJI: ClassVar = {"yes": "👍🏽", "no": "👎", "session": "🔁", "laugh": "😂"} | {
        str(number): f"{number}\ufe0f\u20e3" for number in range(1, 10)
    }
    PEOPLE: ClassVar = {"alice": ALICE_A, "ada": ADMIN, "bob": BOB_B, "mallory": MALLORY}

    def __init__(self, daemon: FakeSignalDaemon) -> None:
        self.daemon = daemon
        self.sent: list[tuple[str, str]] = []
        self.group: list[str] = []
        daemon.handlers["send"] = self.keep

    async def connected(self) -> None:
        await self.daemon.streams_open(1)

    async def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        """Keep what the bot sends, under its timestamp."""
        stamp = 1_795_000_000_000 + len(self.sent)
        self.sent.append((str(stamp), str(params.get("message") or "")))
        if params.get("groupId"):
            self.group.append(self.sent[-1][1])
        return {"timestamp": stamp, "results": []}

    def texts(self) -> list[tuple[str, str]]:
        return self.sent

    def in_group(self) -> list[str]:
        return self.group

    async def say(self, who: str, text: str) -> None:
        await self.daemon.emit_event(in_group(self.PEOPLE[who], f"{BOT} {text}", BOT_ITSELF))

    async def reply(self, who: str, message_id: str, text: str) -> None:
        event = in_group(self.PEOPLE[who], text)
        author = {"author": BOT_ITSELF.number, "authorNumber": BOT_ITSELF.number, "authorUuid": BOT_ITSELF.aci}
        event["envelope"]["dataMessage"]["quote"] = {"id": int(message_id), "text": "May I?", **author}
        await self.daemon.emit_event(event)

    async def share(self, who: str, message_id: str, **parts: Any) -> None:
        """Send something without words, as a reply to a message of the bot's."""
        event = in_group(self.PEOPLE[who], "")
        author = {"author": BOT_ITSELF.number, "authorNumber": BOT_ITSELF.number, "authorUuid": BOT_ITSELF.aci}
        event["envelope"]["dataMessage"] |= {"quote": {"id": int(message_id), "text": "May I?", **author}, **parts}
        await self.daemon.emit_event(event)

    async def mutter(self, who: str, text: str) -> None:
        await self.daemon.emit_event(in_group(self.PEOPLE[who], text))

    async def react_privately(self, who: str, message_id: str, sign: str) -> None:
        await self.react(who, message_id, sign, group_id=None)

    async def react(self, who: str, message_id: str, sign: str, group_id: str | None = GROUP) -> None:
        event = variant("reaction", self.PEOPLE[who], group_id=group_id, group_name="Family")
        if group_id is None:
            event["envelope"]["dataMessage"].pop("groupInfo", None)
        event["envelope"]["dataMessage"]["reaction"] |= {
            "emoji": self.EMOJI[sign],
            "targetAuthor": BOT_ITSELF.number,
            "targetAuthorNumber": BOT_ITSELF.number,
            "targetAuthorUuid": BOT_ITSELF.aci,
            "targetSentTimestamp": int(message_id),
        }
        await self.daemon.emit_event(event)


class OnMattermost(Chat):
    name = "mattermost"
    group_id = OPS
    EMOJI: ClassVar = {"yes": "thumbsup_medium_skin_tone", "no": "x", "session": "repeat", "laugh": "joy"} | {
        str(number): name for number, name in enumerate(DIGITS, 1)
    }
    PEOPLE: ClassVar = {"alice": ALICE, "bob": BOB, "ada": scene_mattermost.ADMIN, "mallory": scene_mattermost.MALLORY}

    def __init__(self, server: FakeMattermostServer) -> None:
        self.server = server

    async def connected(self) -> None:
        await self.server.connected()

    def texts(self) -> list[tuple[str, str]]:
        own = [post for post in self.server.posts.values() if post["user_id"] == self.server.me_id]
        return [(post["id"], post["message"]) for post in own]

    def in_group(self) -> list[str]:
        own = [post for post in self.server.posts.values() if post["user_id"] == self.server.me_id]
        return [post["message"] for post in own if post["channel_id"] == OPS]

    async def say(self, who: str, text: str) -> None:
        await self.server.post(self.PEOPLE[who], OPS, f"@hermes {text}")

    async def reply(self, who: str, message_id: str, text: str) -> None:
        await self.server.post(self.PEOPLE[who], OPS, f"@hermes {text}", root_id=message_id)

    async def mutter(self, who: str, text: str) -> None:
        await self.server.post(self.PEOPLE[who], OPS, text)

    async def react_privately(self, who: str, message_id: str, sign: str) -> None:
        await self.react(who, message_id, sign)

    async def react(self, who: str, message_id: str, sign: str) -> None:
        await self.server.react(self.PEOPLE[who], message_id, self.EMOJI[sign])


@asynccontextmanager
async def on_signal() -> AsyncIterator[Chat]:
    async with scene_signal.stage() as daemon, EchoModel(script) as model:
        daemon.contacts.append(contact(ADMIN.number, ADMIN.aci, ADMIN.name))
        chat = OnSignal(daemon)
        chat.model = model
        chat.env = scene_signal.environment(daemon) | {
            "SIGNAL_ALLOWED_USERS": f"{ALICE_A.number},{BOB_NUMBER},{ADMIN.number}"
        }
        chat.config = {"signal": {"group_allow_admin_from": [ADMIN.number], "allow_admin_from": [ADMIN.number]}}
        yield chat


@asynccontextmanager
async def on_mattermost() -> AsyncIterator[Chat]:
    async with scene_mattermost.stage() as server, EchoModel(script) as model:
        server.add_channel("ada__hermes", "D", {server.me_id, scene_mattermost.ADMIN})
        chat = OnMattermost(server)
        chat.model = model
        chat.env = scene_mattermost.environment(server)
        chat.config = scene_mattermost.CONFIG
        yield chat


@asynccontextmanager
async def running(chat: Chat, home: Path | None = None, **config: Any) -> AsyncIterator[GatewayProcess]:
    """Run the gateway for a chat."""
    more = {**CONFIG, **chat.config, **config}
    async with GatewayProcess(
        chat.model.base_url, env=chat.env, home=home, config=more, platforms=(chat.name,)
    ) as process:
        chat.running = process
        await chat.connected()
        yield process


NETWORKS = pytest.mark.parametrize("network", [on_signal, on_mattermost], ids=["signal", "mattermost"])


def files(folder: Path, *names: str) -> list[Path]:
    found = [folder / name for name in names]
    for path in found:
        path.mkdir()
    return found
