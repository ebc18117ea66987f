"""Deleted messages that wait in the host: they are taken out of its slot, its queue and what it merged."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.signal_daemon import ALICE, FakeSignalDaemon, direct_message
from tests.hosted import SignalHosted, hosted

PICTURE = b"\x89PNG\r\n\x1a\n" + b"\0" * 64


def says(text: str | None, *, picture: bool = False) -> dict[str, Any]:
    event = direct_message(text)
    if picture:
        file = {"contentType": "image/png", "id": f"{event['envelope']['timestamp']}.png", "size": len(PICTURE)}
        event["envelope"]["dataMessage"]["attachments"] = [file]
    return event


def takes_back(event: dict[str, Any]) -> dict[str, Any]:
    return direct_message(None, remoteDelete={"timestamp": event["envelope"]["timestamp"]})


class Busy:
    """An agent that works on the first message until it is let go; what waits behind it, the next one first."""

    def __init__(self, host: SignalHosted) -> None:
        self.host = host
        self.heard: list[str] = []
        self.done = asyncio.Event()
        host.adapter.set_message_handler(self)
        host.adapter.set_busy_session_handler(host.runner._handle_active_session_busy_message)

    async def __call__(self, event: Any) -> str | None:
        self.heard.append(event.text)
        if len(self.heard) == 1:
            await self.done.wait()
        return None

    @property
    def waiting(self) -> list[Any]:
        adapter, runner = self.host.adapter, self.host.runner
        debounced = [state.event for state in adapter._text_debounce.values()]
        queues = dict(runner._queued_events or {}).values()
        return [*adapter._pending_messages.values(), *(event for queue in queues for event in queue), *debounced]

    async def hear(self, *events: dict[str, Any]) -> None:
        await self.host.daemon.emit_event(*events)
        await self.host.drained()


async def busy(host: SignalHosted, mode: str = "queue") -> Busy:
    host.runner._busy_input_mode, agent = mode, Busy(host)
    host.runner.adapters[host.adapter.platform] = host.adapter
    host.runner._busy_text_mode = host.adapter._busy_text_mode = "interrupt"
    await host.daemon.emit_event(says("first"))
    await host.until(lambda: agent.heard == ["first"])
    return agent


@pytest.fixture(autouse=True)
def alice(monkeypatch: pytest.MonkeyPatch, hermes_home: Any) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)


@pytest.mark.parametrize("mode", ["queue", "interrupt"])
@pytest.mark.parametrize("which", [0, 1, 2])
async def test_each_of_several_that_wait_is_taken_out(daemon: FakeSignalDaemon, mode: str, which: int) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host, mode)
        said = [says(text) for text in ("one", "two", "three")]
        await agent.hear(*said)
        assert [event.text for event in agent.waiting] == ["one", "two", "three"]
        await agent.hear(takes_back(said[which]))
        left = ["one", "two", "three"]
        del left[which]
        assert [event.text for event in agent.waiting] == left
        # The next one is where Hermes looks for it.
        assert [event.text for event in host.adapter._pending_messages.values()] == left[:1]
        await agent.hear(*(takes_back(event) for event in said))
        assert agent.waiting == []
        agent.done.set()


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_of_merged_texts_only_the_deleted_one_goes(daemon: FakeSignalDaemon, which: int) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host)
        host.runner._busy_text_mode = host.adapter._busy_text_mode = "queue"
        said = [says(text) for text in ("one two", "two", "two three")]
        await agent.hear(*said)
        (event,) = agent.waiting
        assert event.text == "one two\ntwo\ntwo three"
        await agent.hear(takes_back(said[which]))
        assert event.text.split("\n") == [t for n, t in enumerate(("one two", "two", "two three")) if n != which]
        for each in said:
            await agent.hear(takes_back(each))
        assert agent.waiting == []
        agent.done.set()
        await host.settled()
        assert agent.heard == ["first"]


@pytest.mark.parametrize("which", [0, 1, 2])
async def test_of_merged_pictures_only_the_deleted_one_goes(daemon: FakeSignalDaemon, which: int) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host)
        said = [says("cat", picture=True), says("a caption"), says("dog", picture=True)]
        for event in (said[0], said[2]):
            daemon.attachments[f"{event['envelope']['timestamp']}.png"] = PICTURE
        await agent.hear(*said)
        (event,) = agent.waiting
        texts, pictures = ["cat", "a caption", "dog"], list(event.media_urls)
        assert (event.text.split("\n\n"), len(pictures)) == (texts, 2)
        await agent.hear(takes_back(said[which]))
        (event,) = agent.waiting
        del texts[which]
        assert event.text.split("\n\n") == texts
        assert event.media_urls == {0: pictures[1:], 1: pictures, 2: pictures[:1]}[which]
        assert len(event.media_types) == len(event.media_urls)
        # The answer quotes no deleted message.
        assert event.message_id == str(said[1 if which == 0 else 0]["envelope"]["timestamp"])
        agent.done.set()
        await host.settled()
        assert agent.heard == ["first", event.text]


async def test_the_words_that_interrupted_the_agent_are_forgotten(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host, "interrupt")
        said = [says("one"), says("two")]
        await agent.hear(*said)
        (key,) = host.adapter._pending_messages
        stand_in = SimpleNamespace(_interrupt_message="two")
        host.runner._running_agents[key] = stand_in
        await agent.hear(takes_back(said[0]))
        assert stand_in._interrupt_message == "two"
        await agent.hear(takes_back(said[1]))
        assert stand_in._interrupt_message is None
        del host.runner._running_agents[key]
        agent.done.set()


async def test_a_message_that_is_deleted_while_its_file_is_fetched_never_arrives(daemon: FakeSignalDaemon) -> None:
    asked, fetched = asyncio.Event(), asyncio.Event()

    async def slow(params: dict[str, Any]) -> Any:
        asked.set()
        await fetched.wait()
        return {"data": ""}

    daemon.handlers["getAttachment"] = slow
    async with hosted(daemon) as host:
        picture, behind = says("look", picture=True), says("behind it")
        await daemon.emit_event(picture, behind)
        await asked.wait()
        await daemon.emit_event(takes_back(picture), takes_back(behind), says("still here"))
        await host.until(lambda: host.adapter.connection.source.pipeline.workers.waiting == 4)
        fetched.set()
        await host.until(lambda: host.texts == ["still here"])


async def test_somebody_elses_deletion_takes_nothing_back(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        agent = await busy(host)
        said = says("one")
        await agent.hear(said)
        foreign = takes_back(said)
        foreign["envelope"] |= {"sourceUuid": "66666666-6666-4666-8666-666666666666", "sourceNumber": "+15550006666"}
        await agent.hear(foreign)
        assert [event.text for event in agent.waiting] == ["one"]
        agent.done.set()
