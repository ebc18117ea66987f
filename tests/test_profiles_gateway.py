"""Five bots in one gateway, to all of whom Alice writes: each answers what she says to it, and to it alone.

Three have accounts of one signal-cli daemon and a group in common. Two are on Mattermost servers of their own, where
all ids are the same.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.asking_stage import CONFIG, OnMattermost, OnSignal, files, script
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, addressed_part, last_user_text
from tests.fakes.mattermost_server import ALICE, DM, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import GROUP, FakeSignalDaemon, contact, group
from tests.gateway_process import GatewayProcess, gateway_config, merged, signal_env
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, Person, in_group, variant

SIGNAL = {
    "default": BOT_ITSELF,
    "second": Person("the second bot", "99999999-9999-4999-8999-999999999992", "+15550007702"),
    "third": Person("the third bot", "99999999-9999-4999-8999-999999999993", "+15550007703"),
}
MATTERMOST = {"fourth": "d" * 26, "fifth": "e" * 26}
"""The token of each."""
TOOLS = ["terminal", "clarify", "memory"]
SETTINGS = merged(
    CONFIG,
    {
        "approvals": {"timeout": 300},
        "display": {"tool_progress": "off"},
        "platform_toolsets": {"signal": TOOLS, "mattermost": TOOLS},
        "gateway": {"multiplex_profiles": True},
    },
)
EXPIRED = "has expired"


def answer(request: dict[str, Any]) -> Answer | None:
    """Do what is said to the bot, and not what it only overhears."""
    *before, last = request["messages"]
    if last["role"] != "user":
        return script(request)
    said = addressed_part(last_user_text(request))
    # Hermes hands in anew what it was killed in, with a note, and puts the note before what is said next.
    if "interrupted" in last_user_text(request):
        *_, new = last_user_text(request).split("\n\n")
        return f"echo: {new}"
    if "remember " in said:
        return [ToolCall("memory", {"action": "add", "target": "memory", "content": said.partition("remember ")[2]})]
    return script({**request, "messages": [*before, {**last, "content": said}]})


class Bot(ABC):
    """The bot of a profile, and Alice's chats with it."""

    def __init__(self, profile: str) -> None:
        self.profile = profile
        self.mark = f"harbour of the {profile} one"
        self.running: GatewayProcess | None = None

    @property
    @abstractmethod
    def env(self) -> Mapping[str, str]:
        """The settings of its profile."""

    @abstractmethod
    def texts(self) -> list[tuple[str, str]]:
        """Return the id and the text of what it sent, edits included."""

    @abstractmethod
    async def say(self, text: str, *, shared: bool = False) -> None:
        """Say something to it in the direct chat, or in the group."""

    @abstractmethod
    async def react(self, message_id: str, sign: str, *, shared: bool = False) -> None:
        """React to a message of its own in the direct chat, or in the group."""

    def count(self, words: str) -> int:
        return sum(words in text for _, text in self.texts())

    async def shows(self, words: str, times: int = 1) -> str:
        """Wait until it has sent these words as often as that, and return the id of the last message with them."""
        assert self.running is not None
        await self.running.until(lambda: self.count(words) >= times, f"{times} times from {self.profile}: {words}")
        assert self.count(words) == times
        return next(number for number, text in reversed(self.texts()) if words in text)

    async def answers(self, text: str, *, shared: bool = False) -> None:
        """Say something to it that it is to repeat, once."""
        before = self.count(f"echo: {text}")
        await self.say(text, shared=shared)
        await self.shows(f"echo: {text}", before + 1)

    async def erase(self, path: Path, *, shared: bool = False) -> str:
        """Have it ask whether it may erase a folder, and return the id of the question."""
        await self.say(f"erase {path}", shared=shared)
        assert self.running is not None
        await self.running.until(lambda: bool(self.asks_for(path)), f"a question of {self.profile}: {path.name}")
        (prompt,) = self.asks_for(path)
        return prompt

    def asks_for(self, path: Path) -> list[str]:
        return [number for number, text in self.texts() if "May I run this?" in text and f"rm -rf {path}" in text]


@dataclass
class Daemon(FakeSignalDaemon):
    """A daemon with several accounts: each stream gets its own account's events, and what each sends is kept."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """Account, timestamp and text."""

    async def emit_to(self, account: object, event: dict[str, Any]) -> None:
        everybody = self.streams
        self.streams = [each for each in everybody if each._req and each._req.rel_url.query.get("account") == account]
        assert len(self.streams) == 1
        try:
            await self.emit_event(event | {"account": account})
        finally:
            self.streams = everybody

    async def keep(self, params: dict[str, Any]) -> dict[str, Any]:
        stamp = 1_795_000_000_000 + len(self.sent)
        self.sent.append((str(params["account"]), str(stamp), str(params.get("message") or "")))
        return {"timestamp": stamp, "results": []}


class SignalBot(Bot):
    def __init__(self, profile: str, daemon: Daemon) -> None:
        super().__init__(profile)
        self.daemon, self.person = daemon, SIGNAL[profile]

    @property
    def env(self) -> Mapping[str, str]:
        account, users = str(self.person.number), str(ALICE_A.number)
        # Hermes 0.18 looks up the people of all profiles in the default one.
        more = {"MATTERMOST_ALLOWED_USERS": ALICE} if self.profile == "default" else {}
        return signal_env(self.daemon.url, account, users=users, groups=GROUP, SIGNAL_REQUIRE_MENTION="true", **more)

    def texts(self) -> list[tuple[str, str]]:
        return [(stamp, text) for account, stamp, text in self.daemon.sent if account == self.person.number]

    async def say(self, text: str, *, shared: bool = False) -> None:
        if not shared:
            await self.daemon.emit_to(self.person.number, variant("dm_text", ALICE_A, text=text))
            return
        # All of them are in the group.
        event = in_group(ALICE_A, f"{BOT} {text}", self.person)
        for bot in SIGNAL.values():
            await self.daemon.emit_to(bot.number, event)

    async def react(self, message_id: str, sign: str, *, shared: bool = False) -> None:
        event = variant("reaction", ALICE_A, group_id=GROUP, group_name="Test Group")
        data = event["envelope"]["dataMessage"]
        if not shared:
            data.pop("groupInfo")
        author, aci = self.person.number, self.person.aci
        data["reaction"] |= {"targetAuthor": author, "targetAuthorNumber": author, "targetAuthorUuid": aci}
        data["reaction"] |= {"emoji": OnSignal.EMOJI[sign], "targetSentTimestamp": int(message_id)}
        for bot in SIGNAL.values() if shared else [self.person]:
            await self.daemon.emit_to(bot.number, event)


class MattermostBot(Bot):
    def __init__(self, profile: str, server: FakeMattermostServer) -> None:
        super().__init__(profile)
        self.server = server

    @property
    def env(self) -> Mapping[str, str]:
        server = {"MATTERMOST_URL": self.server.url, "MATTERMOST_TOKEN": self.server.token}
        return server | {"MATTERMOST_ALLOWED_USERS": ALICE, "MATTERMOST_ALLOWED_CHANNELS": OPS}

    def texts(self) -> list[tuple[str, str]]:
        own = [post for post in self.server.posts.values() if post["user_id"] == self.server.me_id]
        return [(post["id"], post["message"]) for post in own]

    async def say(self, text: str, *, shared: bool = False) -> None:
        await self.server.post(ALICE, OPS if shared else DM, f"@hermes {text}" if shared else text)

    async def react(self, message_id: str, sign: str, *, shared: bool = False) -> None:
        await self.server.react(ALICE, message_id, OnMattermost.EMOJI[sign])


@dataclass
class Five:
    """The five bots on their servers."""

    home: Path
    model: EchoModel
    daemon: Daemon
    servers: Mapping[str, FakeMattermostServer]
    bots: Mapping[str, Bot]

    @asynccontextmanager
    async def gateway(self) -> AsyncIterator[GatewayProcess]:
        """Run the gateway until all of them are up."""
        for bot in self.bots.values():
            folder = self.home if bot.profile == "default" else self.home / "profiles" / bot.profile
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".env").write_text("".join(f"{key}={value}\n" for key, value in bot.env.items()))
            config = merged(gateway_config(self.model.base_url, plugin=True), SETTINGS)
            (folder / "config.yaml").write_text(json.dumps(config))
        async with GatewayProcess(self.model.base_url, env={}, home=self.home, config=SETTINGS) as running:
            await self.daemon.streams_open(len(SIGNAL), timeout=60)
            for server in self.servers.values():
                await server.connected(timeout=60)
            for bot in self.bots.values():
                bot.running = running
            yield running

    def nothing_crossed(self) -> None:
        """Assert that no model request has a word that was said to another bot alone."""
        requests = [json.dumps(each, ensure_ascii=False) for each in self.model.requests]
        marks = [[bot.profile for bot in self.bots.values() if bot.mark in each] for each in requests]
        assert {profile for each in marks for profile in each} == set(self.bots)
        assert max(map(len, marks)) == 1


@asynccontextmanager
async def five(home: Path) -> AsyncIterator[Five]:
    people = [*SIGNAL.values(), ALICE_A]
    daemon = Daemon(
        accounts=[str(bot.number) for bot in SIGNAL.values()],
        contacts=[contact(each.number, each.aci, each.name) for each in people],
        groups=[group(members=tuple(each.address for each in people))],
    )
    daemon.handlers["send"] = daemon.keep
    servers = {name: FakeMattermostServer(token=token) for name, token in MATTERMOST.items()}
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(EchoModel(answer))
        for each in (daemon, *servers.values()):
            await stack.enter_async_context(each)
        bots: list[Bot] = [SignalBot(name, daemon) for name in SIGNAL]
        bots += [MattermostBot(name, server) for name, server in servers.items()]
        yield Five(home, model, daemon, servers, {bot.profile: bot for bot in bots})


async def each_answers_for_itself(bots: Iterable[Bot]) -> None:
    # One after the other: since 0.20.6, Hermes may lose what a new profile is told at the same time.
    for bot in bots:
        await bot.answers(f"hello, {bot.mark}")
        await bot.answers("hello, everybody", shared=True)
        await bot.say(f"remember {bot.mark}")
        await bot.shows("result: ")


async def one_waits(one: Bot, two: Bot, folder: Path, *, shared: bool) -> None:
    """While one waits for an answer, the other is talked to, and later waits too."""
    first, second = files(folder, "first", "second")
    results = one.count("result: "), two.count("result: ")
    await one.erase(first, shared=shared)
    so_far = one.texts()[:]
    for said in ("hello there", "yes"):
        await two.answers(said, shared=shared)
    await two.erase(second, shared=shared)
    await two.say("yes", shared=shared)
    await two.shows("result: ", results[1] + 1)
    assert not second.exists()
    assert first.exists()
    assert one.texts() == so_far
    refused = one.count("Refused by")
    await one.say("/deny why", shared=shared)
    await one.shows("Refused by", refused + 1)
    await one.shows("result: ", results[0] + 1)
    assert first.exists()


async def both_wait(one: Bot, two: Bot, folder: Path, *, shared: bool) -> None:
    """Both are at work on a request that waits, and each goes on with what was said to it meanwhile."""
    first, second, third = files(folder, "first", "second", "third")
    results = one.count("result: "), two.count("result: ")
    prompts = [await one.erase(first, shared=shared), await two.erase(second, shared=shared)]
    for word in ("apples", "pears", "plums"):
        await two.say(f"{word}, {folder.name}", shared=shared)
        await one.say(f"no {word}, {folder.name}", shared=shared)
    await two.react(prompts[1], "yes", shared=shared)
    await two.shows("result: ", results[1] + 1)
    assert not second.exists()
    await two.shows(f"echo: plums, {folder.name}")
    assert one.count("result: ") == results[0]
    await two.erase(third, shared=shared)
    await one.say("yes", shared=shared)
    await one.shows("result: ", results[0] + 1)
    assert not first.exists()
    await one.shows(f"echo: no plums, {folder.name}")
    await two.say("/deny", shared=shared)
    await two.shows("result: ", results[1] + 2)
    assert third.exists()
    for word in ("apples", "pears", "plums"):
        assert (one.count(f"echo: no {word}, {folder.name}"), two.count(f"echo: {word}, {folder.name}")) == (1, 1)
        assert (one.count(f"echo: {word}, {folder.name}"), two.count(f"echo: no {word}, {folder.name}")) == (0, 0)


async def both_ask(one: Bot, two: Bot) -> None:
    """Both ask the same, and a bare number is for the one that it is written to."""
    results = one.count("result: "), two.count("result: ")
    asked = one.count("Which one?"), two.count("Which one?")
    for bot, before in zip((one, two), asked, strict=True):
        await bot.say("choose")
        await bot.shows("Which one?", before + 1)
    for bot, number, chosen, before in ((two, "2", "green", results[1]), (one, "1", "red", results[0])):
        await bot.say(number)
        await bot.shows("result: ", before + 1)
        assert chosen in [text for _, text in bot.texts() if text.startswith("result: ")][-1]


async def one_asks(one: Bot, two: Bot, folder: Path) -> None:
    """While one has asked a question, the other waits for an answer of another kind."""
    (target,) = files(folder, "target")
    results = one.count("result: "), two.count("result: ")
    await one.say("choose")
    await one.shows("Which one?", one.count("Which one?") or 1)
    await two.erase(target)
    await two.say(f"soon, {folder.name}")
    await two.say("yes")
    await two.shows("result: ", results[1] + 1)
    assert not target.exists()
    await two.shows(f"echo: soon, {folder.name}")
    assert one.count("result: ") == results[0]
    await one.say("2")
    await one.shows("result: ", results[0] + 1)


async def test_five_bots_answer_for_themselves(tmp_path: Path) -> None:
    async with five(tmp_path / "home") as stage:
        default, second, third, fourth, fifth = stage.bots.values()
        folders = iter(files(tmp_path, *"abcdefghijklmnop"))
        async with stage.gateway() as running:
            await each_answers_for_itself(stage.bots.values())
            for one, two in ((default, second), (second, default), (third, second), (fourth, fifth)):
                await one_waits(one, two, next(folders), shared=False)
            for one, two in ((default, second), (fifth, fourth)):
                await one_waits(one, two, next(folders), shared=True)
            for one, two in ((default, second), (third, second), (fourth, fifth)):
                await both_wait(one, two, next(folders), shared=False)
            await both_wait(default, second, next(folders), shared=True)
            for one, two in ((default, second), (fourth, fifth)):
                await both_ask(one, two)
            for one, two in ((default, second), (second, default), (fourth, fifth)):
                await one_asks(one, two, next(folders))
            (left,) = files(tmp_path, "left")
            prompt = await second.erase(left)
            await running.kill()
        before = {bot.profile: len(bot.texts()) for bot in stage.bots.values()}
        async with stage.gateway():
            await second.react(prompt, "yes")
            # On the question itself, and as the answer to the reaction.
            await second.shows(EXPIRED, 2)
            # Hermes goes on with what it was killed in, and puts that before what is said next.
            for bot in stage.bots.values():
                await bot.say(f"still there, {bot.profile}?")
            for bot in stage.bots.values():
                await bot.shows(f"still there, {bot.profile}?")
            assert left.exists()
            for bot in stage.bots.values():
                said = [text for _, text in bot.texts()[before[bot.profile] :]]
                assert not [text for text in said if "result: " in text or "hello there" in text]
                others = [each for each in stage.bots.values() if each is not bot]
                assert not [text for text in said for each in others if f"still there, {each.profile}" in text]
        stage.nothing_crossed()
