"""Reading and recalling in the real gateway process: policies, compaction, reviews, restarts, the terminal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import scene_mattermost, scene_signal
from tests.fakes.echo_model import Answer, EchoModel, last_user_text, text_of
from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import ALICE, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE as NUMBER
from tests.fakes.signal_daemon import GROUP, FakeSignalDaemon
from tests.gateway_process import GatewayProcess, gateway_config, merged
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, CAROL_C, Person, in_group, variant
from tests.scripted_tools import asks, says
from tests.tenancy.reach import Reach
from tests.test_tenancy_gateway import SECRET, system

FOUND = "is on the ninth"
"""The part that a result shows in any case: it marks the word that was searched for."""
SHARED = "the office has moved to Berlin"
"""An entry of the operator's, for every chat."""
REVIEWED = "likes short answers"
BOTH = ("signal", "mattermost")
CONFIG: dict[str, Any] = {
    "approvals": {"destructive_slash_confirm": False},
    "platform_toolsets": {platform: ["memory", "session_search"] for platform in (*BOTH, "cli")},
    # An agent may still be at work when its answer has arrived.
    "display": {"busy_input_mode": "queue", "busy_ack_enabled": False},
}


def memory(**settings: Any) -> dict[str, Any]:
    return merged(CONFIG, {"plugins": {"entries": {"hardened-adapters": {"memory": settings}}}})


def script(request: dict[str, Any]) -> Answer | None:
    """Call what a message asks for, and save something in every review."""
    said = last_user_text(request)
    if not request.get("tools"):
        return "a summary"
    if request["messages"][-1]["role"] != "user":
        return asks(request)
    if said.startswith("Review the conversation above"):
        said = says("memory", action="add", target="memory", content=REVIEWED)
    # Some hosts add notes that have the word `call`, too.
    _, found, call = said.partition("call {")
    return asks({**request, "messages": [{"role": "user", "content": found + call}]}) if found else None


SAVE = says("memory", action="add", target="memory", content=SECRET)
SEARCH = says("session_search", query="wedding")


class Seen(NamedTuple):
    """The model's view of a new session."""

    prompt: str
    result: str


class Chats:
    """Five places in which people say something and are answered."""

    def __init__(self, model: EchoModel, daemon: FakeSignalDaemon, server: FakeMattermostServer) -> None:
        self.model, self.daemon, self.server = model, daemon, server
        self.thread = server.store(ALICE, OPS, "a question")["id"]
        self.direct_channel = server.add_channel("alice__hermes", "D", {HERMES, ALICE})

    async def ask(self, running: GatewayProcess, place: str, text: str) -> str:
        """Say something in a place, and return the answer: the model's, or to a command the host's."""
        is_command = text.startswith("/")

        def answers() -> list[str]:
            return [each for each in self.answers(place) if each.startswith(("result: ", "echo: ")) != is_command]

        before = len(answers())
        await self._say(place, text if is_command else f"{text} [{place}]")
        await running.until(lambda: len(answers()) > before, f"an answer to {text} in {place}")
        return answers()[before]

    async def anew(self, running: GatewayProcess, place: str, text: str = SEARCH) -> Seen:
        """Say something in a new session, and return what the model saw."""
        await self.ask(running, place, "/new")
        before = len(self.turns)
        await self.ask(running, place, text)
        asked = [each for each in self.turns[before:] if f"[{place}]" in last_user_text(each)]
        return Seen(system(asked[0]), text_of(asked[-1]["messages"][-1]["content"]))

    @property
    def turns(self) -> list[dict[str, Any]]:
        """The agents' requests: one for a title or a summary has no tools, and may come later."""
        return [each for each in self.model.requests if each.get("tools")]

    def answers(self, place: str) -> list[str]:
        """Return what was sent to a place; on Signal, a group's people are one."""
        if place in {"channel", "thread"}:
            posts = self.server.posts.values()
            root = self.thread if place == "thread" else ""
            return [each["message"] for each in posts
                    if each["user_id"] == HERMES and each["channel_id"] == OPS and each["root_id"] == root]  # fmt: skip
        sent = self.daemon.called("send")
        return [str(params["message"]) for params in sent if bool(params.get("groupId")) == place.startswith("group")]

    async def _say(self, place: str, text: str) -> None:
        people: dict[str, Person] = {"group": ALICE_A, "group, Carol": CAROL_C}
        if place == "direct":
            await self.daemon.emit_event(variant("dm_text", ALICE_A, text=text))
        elif person := people.get(place):
            await self.daemon.emit_event(in_group(person, f"{BOT} {text}", BOT_ITSELF))
        else:
            await self.server.post(ALICE, OPS, f"@hermes {text}", root_id=self.thread if place == "thread" else "")


@asynccontextmanager
async def around() -> AsyncIterator[Chats]:
    async with scene_signal.stage() as daemon, scene_mattermost.stage() as server, EchoModel(script) as model:
        yield Chats(model, daemon, server)


@asynccontextmanager
async def gateway(
    chats: Chats, home: Path, config: Mapping[str, Any] = CONFIG, platforms: tuple[str, ...] = ("signal",), **more: Any
) -> AsyncIterator[GatewayProcess]:
    env = scene_signal.environment(chats.daemon) | more.pop("env", {})
    if "mattermost" in platforms:
        env |= scene_mattermost.environment(chats.server)
    running = GatewayProcess(chats.model.base_url, env=env, home=home, config=config, platforms=platforms, **more)
    async with running:
        await chats.daemon.streams_open(1)
        yield running


async def test_a_direct_chats_memory_stays_there_also_over_a_restart(tmp_path: Path) -> None:
    async with around() as chats:
        async with gateway(chats, tmp_path) as running:
            assert '"success": true' in await chats.ask(running, "direct", SAVE)
            assert FOUND not in str(await chats.anew(running, "group"))
        async with gateway(chats, tmp_path) as running:
            group, direct = await chats.anew(running, "group"), await chats.anew(running, "direct")
        assert FOUND not in str(group)
        assert SECRET in direct.prompt
        assert FOUND in direct.result
        assert not (tmp_path / "memories" / "MEMORY.md").exists()
        async with gateway(chats, tmp_path, plugin=False) as running:
            assert SECRET not in (await chats.anew(running, "direct")).prompt, "without the plugin it is shown nowhere"


async def test_the_prompt_stays_the_same_until_the_conversation_is_compacted(tmp_path: Path) -> None:
    async with around() as chats, gateway(chats, tmp_path) as running:
        # Some hosts say in the prompt that it is somebody's first message ever.
        await chats.ask(running, "direct", "good morning")
        before = (await chats.anew(running, "direct", "hello")).prompt
        await chats.ask(running, "direct", SAVE)
        for n in range(8):
            await chats.ask(running, "direct", " ".join(f"number {n} and {each}" for each in range(100)))
        assert system(chats.turns[-1]) == before
        await chats.ask(running, "direct", "/compress")
        await chats.ask(running, "direct", "and now")
        assert "and now" in last_user_text(chats.turns[-1])
        assert SECRET in system(chats.turns[-1])
        assert FOUND not in str(await chats.anew(running, "group"))


async def test_what_the_review_saves_is_its_chats(tmp_path: Path) -> None:
    files = tmp_path / "memories"
    async with around() as chats:
        async with gateway(chats, tmp_path, merged(CONFIG, {"memory": {"nudge_interval": 1}})) as running:
            await chats.ask(running, "direct", "hello")
            await running.until(
                lambda: any(REVIEWED in file.read_text() for file in files.glob("**/MEMORY.md")), "what it saves"
            )
            direct, group = await chats.anew(running, "direct", "again"), await chats.anew(running, "group", "again")
        assert REVIEWED in direct.prompt
        assert REVIEWED not in group.prompt
        assert not (files / "MEMORY.md").exists()


EVERYWHERE = {"direct", "group", "group, Carol", "channel", "thread"}
GROUP_KEY, CHANNEL_KEY = f"signal:group:{GROUP}", f"mattermost:{OPS}"
POLICIES: dict[str, tuple[dict[str, Any], str, set[str]]] = {
    "user": ({"policy": "user"}, "direct", {"direct", "group"}),
    "chat+user": ({"policy": "chat+user"}, "group", {"group"}),
    "thread": ({"policy": "thread"}, "thread", {"thread"}),
    "chat": ({}, "thread", {"channel", "thread"}),
    "one organisation": (
        {"contexts": {GROUP_KEY: "org", CHANNEL_KEY: "org"}}, "group", EVERYWHERE - {"direct"}
    ),
    "writes the first, reads all": (
        {"contexts": {GROUP_KEY: "sales", CHANNEL_KEY: ["ops", "sales"]}}, "group", EVERYWHERE - {"direct"}
    ),
    "is not read by the second": (
        {"contexts": {GROUP_KEY: "sales", CHANNEL_KEY: ["ops", "sales"]}}, "channel", {"channel", "thread"}
    ),
    "global": ({"policy": "global"}, "direct", EVERYWHERE),
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
async def test_a_policy_says_who_reads_and_recalls(name: str, tmp_path: Path) -> None:
    settings, writer, readers = POLICIES[name]
    seen: dict[str, Seen] = {}
    async with around() as chats, gateway(chats, tmp_path, memory(**settings), BOTH) as running:

        async def look(*places: str) -> None:
            for place in places:
                seen[place] = await chats.anew(running, place, says("session_search", session_id=session))

        await chats.ask(running, writer, SAVE)
        (session,) = Reach(tmp_path).sessions
        await asyncio.gather(look("direct"), look("group", "group, Carol"), look("channel"), look("thread"))
    assert {place for place in seen if SECRET in seen[place].prompt} == readers
    assert {place for place in seen if FOUND in seen[place].result} == readers
    assert (tmp_path / "memories" / "MEMORY.md").exists() == (name == "global")


BROKEN_POLICY = f"""
def context_for(*, platform, channel_id, **_):
    if channel_id == {NUMBER!r}:
        raise ValueError("on purpose")
    return {{"signal": 7, "mattermost": [None]}}[platform]
"""


async def test_a_broken_policy_is_never_global(tmp_path: Path) -> None:
    (tmp_path / "broken_policy.py").write_text(BROKEN_POLICY)
    config = memory(policy="broken_policy:context_for")
    async with around() as chats:
        async with gateway(chats, tmp_path, config, BOTH, env={"PYTHONPATH": str(tmp_path)}) as running:
            for place in ("direct", "group", "channel"):
                assert '"success": false' in await chats.ask(running, place, SAVE)
                seen = await chats.anew(running, place)
                assert SECRET not in seen.prompt
                assert '"success": false' in seen.result
        assert not [*(tmp_path / "memories").glob("**/*.md")]


async def test_the_terminal_and_chats_read_global_entries_and_not_each_others(tmp_path: Path) -> None:
    async with around() as chats:
        (tmp_path / "memories").mkdir()
        (tmp_path / "memories" / "MEMORY.md").write_text(SHARED)
        async with gateway(chats, tmp_path) as running:
            await chats.ask(running, "direct", SAVE)
            direct, group = await chats.anew(running, "direct", "hello"), await chats.anew(running, "group", "hello")
            assert SECRET in direct.prompt
            assert SHARED in direct.prompt
            assert SHARED in group.prompt
            assert SECRET not in group.prompt
        whole = merged(gateway_config(chats.model.base_url, plugin=True), CONFIG)
        (tmp_path / "config.yaml").write_text(json.dumps(whole))
        status, output = await running.command("chat", "-q", "from the terminal")
        assert status == 0, output
        asked = chats.model.asked("from the terminal")[0]
        assert SHARED in system(asked)
        assert SECRET not in json.dumps(asked, ensure_ascii=False)
