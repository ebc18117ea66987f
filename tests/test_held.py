"""Commands of no host's, and what is said behind them, while the agent works: each is handed over, apart, in order."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.fakes.signal_daemon import ALICE, FakeSignalDaemon, direct_message
from tests.hosted import SignalHosted, hosted


class Agent:
    """The host's handler: it works on the first message until it is let go, and on nothing else for long."""

    def __init__(self, host: SignalHosted) -> None:
        self.heard: list[str] = []
        self.done = asyncio.Event()
        host.adapter.set_message_handler(self)
        host.adapter.set_busy_session_handler(host.runner._handle_active_session_busy_message)

    async def __call__(self, event: Any) -> str | None:
        self.heard.append(event.text)
        if len(self.heard) == 1:
            await self.done.wait()
        return None


@pytest.mark.parametrize("mode", ["interrupt", "queue", "steer"])
@pytest.mark.parametrize(
    "said",
    [
        ["/skill-of-ours now", "and dinner?"],
        ["lunch?", "/skill-of-ours now"],
        ["/skill-of-ours now", "/another", "dinner?", "/third"],
    ],
)
async def test_nothing_becomes_the_arguments_of_a_command(
    daemon: FakeSignalDaemon, mode: str, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    async with hosted(daemon) as host:
        host.runner._busy_input_mode = mode
        agent = Agent(host)
        await daemon.emit_event(direct_message("first"))
        await host.until(lambda: agent.heard == ["first"])
        for text in said:
            await daemon.emit_event(direct_message(text))
        await host.drained()
        agent.done.set()
        await host.until(lambda: len(agent.heard) > len(said))
        assert agent.heard == ["first", *said]


async def test_closing_ends_the_waiting(daemon: FakeSignalDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    async with hosted(daemon) as host:
        agent = Agent(host)
        await daemon.emit_event(direct_message("first"))
        await host.until(lambda: agent.heard == ["first"])
        await daemon.emit_event(direct_message("/skill-of-ours now"))
        held = host.adapter._interceptor._held
        await host.until(lambda: bool(held._waiting))
    await host.until(lambda: not held._tasks)
    assert agent.heard == ["first"]
