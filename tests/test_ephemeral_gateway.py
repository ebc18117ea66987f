"""Disappearing messages and files to be seen once, in the real gateway on Signal: nothing of them is stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.common.state.snapshot import read_snapshot

from tests.asking_stage import CONFIG
from tests.fakes.echo_model import Answer, EchoModel, ToolCall, last_user_text
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.gateway_process import STATE_DB, GatewayProcess, merged
from tests.scene_signal import ALICE_A, BOT, BOT_ITSELF, CAROL_C, environment, in_group, stage, variant
from tests.scripted_tools import asks, says

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
HOUR = 3_600
MARK = "(disappears in 1 h: do not store)"
SECRET = "the vault opens at noon"
REMEMBER = says("memory", action="add", target="memory", content=SECRET)
REVIEW = "Review the conversation above"
MEMORY = merged(CONFIG, {"platform_toolsets": {"signal": ["memory"]}})


class Talk:
    """A gateway with Signal and the scripted model."""

    def __init__(self, daemon: FakeSignalDaemon, model: EchoModel, running: GatewayProcess) -> None:
        self.daemon, self.model, self.running = daemon, model, running

    def sent(self) -> list[str]:
        return [str(params.get("message")) for params in self.daemon.called("send")]

    async def say(self, text: str, who: Any = ALICE_A, **changes: Any) -> None:
        event = in_group(who, f"{BOT} {text}", BOT_ITSELF)
        event["envelope"]["dataMessage"] |= changes
        await self.daemon.emit_event(event)

    async def mutter(self, text: str, **changes: Any) -> None:
        event = in_group(ALICE_A, text)
        event["envelope"]["dataMessage"] |= changes
        await self.daemon.emit_event(event)

    async def shows(self, name: str, text: str = "look", **changes: Any) -> None:
        """Send a picture in a direct chat."""
        self.daemon.attachments[name] = PICTURE
        event = variant("dm_text", ALICE_A, text=text)
        files = [{"contentType": "image/png", "id": name, "size": len(PICTURE)}]
        event["envelope"]["dataMessage"] |= {"attachments": files, **changes}
        await self.daemon.emit_event(event)

    async def everything_read(self) -> None:
        """Wait until all that was said before has been handed over: a command is answered at once, whoever is busy."""
        before = len(self.sent())
        await self.daemon.emit_event(variant("dm_text", CAROL_C, text="/whoami"))
        await self.until(lambda: len(self.sent()) > before, "the command answered")

    def observed(self) -> int:
        snapshot = read_snapshot(self.running.home / STATE_DB, "signal")
        return snapshot.observed if snapshot else 0

    async def until(self, true: Callable[[], bool], what: str) -> None:
        await self.running.until(true, what)

    async def answered(self, words: str, times: int = 1) -> None:
        await self.until(lambda: sum(words in text for text in self.sent()) >= times, f"an answer: {words}")

    def read(self) -> list[str]:
        """Return what each request asked. Hermes 0.18 also asks for a title, without tools."""
        return [last_user_text(request) for request in self.model.requests if request.get("tools")]

    def remembered(self) -> str:
        return "".join(path.read_text() for path in (self.running.home / "memories").glob("**/*.md"))

    def pictures(self) -> list[Path]:
        return pictures(self.running.home)


def pictures(home: Path) -> list[Path]:
    return [path for path in home.glob("**/*cache*/**/*.png") if path.is_file()]


@asynccontextmanager
async def talk(
    script: Callable[[dict[str, Any]], Answer | None] = asks, home: Path | None = None, **config: Any
) -> AsyncIterator[Talk]:
    async with stage() as daemon, EchoModel(script) as model:
        env = environment(daemon) | {"SIGNAL_PERSIST_OBSERVED": "true", "SIGNAL_OBSERVE_UNMENTIONED": "true"}
        async with GatewayProcess(model.base_url, env=env, home=home, config=merged(MEMORY, config)) as running:
            await daemon.streams_open(1)
            yield Talk(daemon, model, running)


def contents(files: Iterable[Path]) -> bytes:
    return b"".join(path.read_bytes() for path in files if path.is_file())


async def test_nothing_is_remembered_of_a_turn_with_a_disappearing_message() -> None:
    async with talk() as chat:
        await chat.say(REMEMBER, expiresInSeconds=HOUR)
        await chat.answered("disappears from its chat")
        assert MARK in chat.read()[0]
        assert SECRET not in chat.remembered()
        # The next one stays, and so does what it asks for.
        await chat.say(REMEMBER)
        await chat.until(lambda: SECRET in chat.remembered(), "it is remembered")
        assert MARK not in chat.read()[-1]


async def test_a_merged_message_that_disappears_counts_for_the_whole_turn() -> None:
    display = {"busy_input_mode": "queue", "busy_text_mode": "queue"}
    async with talk(display=display) as chat:
        chat.model.held = asyncio.Event()
        await chat.say("first")
        await chat.until(lambda: len(chat.read()) == 1, "the agent works")
        await chat.say("second")
        await chat.say(REMEMBER, expiresInSeconds=HOUR)
        await chat.everything_read()
        chat.model.held.set()
        await chat.answered("disappears from its chat")
        assert any("second" in text and SECRET in text and MARK in text for text in chat.read())
        assert SECRET not in chat.remembered()
        await chat.say("third")
        await chat.answered("echo: third")
        assert MARK not in chat.read()[-1]


async def test_a_review_stores_nothing_of_a_conversation_that_disappears() -> None:
    def script(request: dict[str, Any]) -> Answer | None:
        if request["messages"][-1]["role"] != "tool" and REVIEW in last_user_text(request):
            return [ToolCall("memory", {"action": "add", "target": "memory", "content": SECRET})]
        return asks(request)

    async with talk(script, memory={"nudge_interval": 1}) as chat:
        await chat.say("hello", expiresInSeconds=HOUR)
        await chat.until(
            lambda: any(
                "without being asked: nothing was saved" in str(r["messages"][-1]) for r in chat.model.requests
            ),
            "a review is refused",
        )
        assert SECRET not in chat.remembered()
        # That of another chat is not.
        event = variant("dm_text", ALICE_A, text="hello")
        await chat.daemon.emit_event(event)
        await chat.until(lambda: SECRET in chat.remembered(), "another chat's review")


async def test_a_line_that_has_disappeared_is_neither_shown_nor_on_disk() -> None:
    async with talk() as chat:
        await chat.mutter("gone-marker", expiresInSeconds=1)
        await chat.mutter("kept-marker")
        await chat.until(lambda: chat.observed() == 1, "the line is gone")
        await chat.say("what was said?")
        await chat.answered("echo: what was said?")
        assert "kept-marker" in chat.read()[-1]
        assert "gone-marker" not in chat.read()[-1]
        state = contents((chat.running.home / STATE_DB).parent.iterdir())
        assert b"kept-marker" in state
        assert b"gone-marker" not in state


async def test_a_file_to_be_seen_once_is_there_in_its_turn_and_gone_after_it() -> None:
    there: list[list[Path]] = []

    def script(request: dict[str, Any]) -> Answer | None:
        if request.get("tools"):
            there.append(chat.pictures())
        return "seen"

    async with talk(script) as chat:
        await chat.shows("once.png", viewOnce=True)
        await chat.answered("seen")
        await chat.until(lambda: chat.pictures() == [], "it is deleted")
        assert len(there[0]) == 1
        assert "(to be seen once: do not store, its files are deleted after this turn)" in chat.read()[0]
        await chat.shows("kept.png")
        await chat.answered("seen", 2)
        (kept,) = chat.pictures()
        await chat.shows("later.png", viewOnce=True)
        await chat.answered("seen", 3)
        await chat.until(lambda: chat.pictures() == [kept], "only the other one is left")
        assert len(there[-1]) == 2


async def test_a_file_to_be_seen_once_waits_for_its_turn_behind_a_busy_agent() -> None:
    there: list[int] = []

    def script(request: dict[str, Any]) -> Answer | None:
        if request.get("tools"):
            there.append(len(chat.pictures()))
        return "seen"

    async with talk(script) as chat:
        chat.model.held = asyncio.Event()
        await chat.shows("first.png", viewOnce=True)
        await chat.until(lambda: bool(chat.model.requests), "the agent works")
        await chat.shows("second.png", viewOnce=True)
        await chat.until(lambda: len(chat.pictures()) == 2, "it is fetched")
        await chat.everything_read()
        chat.model.held.set()
        await chat.answered("seen", 2)
        await chat.until(lambda: chat.pictures() == [], "both are deleted")
        assert there[-1] >= 1


async def test_a_file_to_be_seen_once_goes_with_a_turn_that_is_stopped() -> None:
    async with talk() as chat:
        chat.model.held = asyncio.Event()
        await chat.shows("once.png", viewOnce=True)
        await chat.until(lambda: bool(chat.model.requests), "the agent works")
        assert len(chat.pictures()) == 1
        await chat.daemon.emit_event(variant("dm_text", ALICE_A, text="/stop"))
        await chat.until(lambda: chat.pictures() == [], "it is deleted")
        chat.model.held.set()


async def test_a_file_to_be_seen_once_is_gone_after_a_kill_and_a_restart(tmp_path: Path) -> None:
    async with talk(home=tmp_path) as chat:
        chat.model.held = asyncio.Event()
        await chat.shows("once.png", viewOnce=True)
        await chat.until(lambda: bool(chat.model.requests), "the agent works")
        await chat.running.kill()
    (left,) = pictures(tmp_path)
    other = left.with_name("other.png")
    other.write_bytes(PICTURE)
    async with talk(home=tmp_path):
        assert pictures(tmp_path) == [other]
