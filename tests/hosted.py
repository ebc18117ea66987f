"""The adapter in the real host: Hermes' plugin manager, registry, gateway runner and authorization, without a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gateway
from gateway.config import GatewayConfig, Platform, PlatformConfig
from gateway.run import GatewayRunner
from hermes_cli.plugins import discover_plugins

from tests.fakes.mattermost_server import ALICE, TOKEN, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, FakeSignalDaemon

SETTLE_SECONDS = 60.0
_GATEWAY = Path(gateway.__file__).parent
_SESSION_FLAGS = ("group_sessions_per_user", "thread_sessions_per_user")
"""The gateway's own settings, which it hands down to the platforms."""


@dataclass
class Hosted:
    """A connected adapter: `passed` went through its `handle_message`, `reached` and `refused` are the host's word."""

    runner: Any
    adapter: Any
    passed: list[Any] = field(default_factory=list)
    reached: list[Any] = field(default_factory=list)
    refused: list[Any] = field(default_factory=list)
    fatal: list[Any] = field(default_factory=list)

    @property
    def dispatched(self) -> list[Any]:
        return [event for event in self.passed if not event.observe_only]

    @property
    def observed(self) -> list[Any]:
        return [event for event in self.passed if event.observe_only]

    @property
    def texts(self) -> list[str]:
        """The texts of the events that the host accepted."""
        return [event.text for event in self.reached]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        async with asyncio.timeout(SETTLE_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)

    async def drained(self, arrival: float = 0.05) -> None:
        """Wait until everything emitted so far has been handed over, or decided against."""
        await asyncio.sleep(arrival)
        await self.adapter.connection.source.pipeline.workers.idle()

    async def settled(self) -> None:
        """Wait until everything emitted so far has been dealt with, the host's own tasks included."""
        await self.drained()
        async with asyncio.timeout(SETTLE_SECONDS):
            while self.adapter._background_tasks or self.adapter._typing:
                await asyncio.sleep(0.01)

    async def _handle(self, event: Any) -> str | None:
        """What GatewayRunner._handle_message does first, without the agent behind it."""
        allowed = self.runner._is_user_authorized(event.source)
        (self.reached if allowed else self.refused).append(event)
        return "answer" if allowed and not event.is_command() else None


async def is_heard(
    host: Hosted, server: FakeMattermostServer, channel: str, text: str = "hi", who: str = ALICE
) -> bool:
    """Return whether somebody who mentions the bot in that channel is heard."""
    before = len(host.reached)
    await server.post(who, channel, f"@hermes {text}")
    await host.settled()
    return len(host.reached) > before


@dataclass
class SignalHosted(Hosted):
    daemon: FakeSignalDaemon = field(kw_only=True)

    async def emit(self, *events: object) -> None:
        await self.daemon.emit_event(*events)
        await self.settled()


def created(daemon_url: str, **extra: Any) -> tuple[Any, Any]:
    """A real gateway runner and the Signal adapter it makes of that configuration."""
    config = PlatformConfig(enabled=True, extra={"http_url": daemon_url, "account": ACCOUNT, **extra})
    return _created(Platform.SIGNAL, config)


def created_mattermost(server: FakeMattermostServer, **extra: Any) -> tuple[Any, Any]:
    """A real gateway runner and the Mattermost adapter it makes of that configuration."""
    config = PlatformConfig(enabled=True, token=extra.pop("token", TOKEN), extra={"url": server.url, **extra})
    return _created(Platform.MATTERMOST, config)


def _created(platform: Platform, config: PlatformConfig) -> tuple[Any, Any]:
    discover_plugins()
    shared = {key: config.extra[key] for key in _SESSION_FLAGS if key in config.extra}
    runner = GatewayRunner(GatewayConfig(platforms={platform: config}, **shared))
    adapter = runner._create_adapter(platform, config)
    if adapter is not None:
        adapter.set_session_store(runner.session_store)
        adapter.set_authorization_check(runner._make_adapter_auth_check(adapter.platform))
    return runner, adapter


@asynccontextmanager
async def hosted(daemon: FakeSignalDaemon, **extra: Any) -> AsyncIterator[SignalHosted]:
    """A connected Signal adapter in a real host; set SIGNAL_* and HERMES_HOME before."""
    host = SignalHosted(*created(daemon.url, **extra), daemon=daemon)
    async with _connected(host):
        yield host


@asynccontextmanager
async def hosted_mattermost(server: FakeMattermostServer, **extra: Any) -> AsyncIterator[Hosted]:
    """A connected Mattermost adapter in a real host; set MATTERMOST_* and HERMES_HOME before."""
    host = Hosted(*created_mattermost(server, **extra))
    async with _connected(host):
        yield host


@asynccontextmanager
async def _connected(host: Hosted) -> AsyncIterator[None]:
    watch(host)
    assert await host.adapter.connect(), host.adapter.fatal_error_message
    try:
        yield
    finally:
        await host.adapter.disconnect()
        await _end_host_tasks()


async def _end_host_tasks() -> None:
    """Cancel what the host leaves running, until it has ended.

    Its typing loop (gateway/platforms/base.py, `_keep_typing`) can swallow one cancellation: in Python 3.11, `wait_for`
    loses the one that comes as its own call ends. The event loop, which cancels once, would then never close.
    """
    while left := [task for task in asyncio.all_tasks() if _is_of_the_host(task)]:
        for task in left:
            task.cancel()
        await asyncio.wait(left, timeout=1.0)


def _is_of_the_host(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and Path(code.co_filename).is_relative_to(_GATEWAY)


def watch(host: Hosted) -> None:
    """Note every event on its way into the adapter's `handle_message`, and whatever the host is told."""
    inner = host.adapter.handle_message

    async def handle_message(event: Any) -> None:
        host.passed.append(event)
        await inner(event)

    async def died(adapter: Any) -> None:
        host.fatal.append((adapter.fatal_error_code, adapter.fatal_error_message, adapter.fatal_error_retryable))

    host.adapter.handle_message = handle_message
    host.adapter.set_message_handler(host._handle)
    host.adapter.set_fatal_error_handler(died)
