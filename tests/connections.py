"""Connections of both networks without a host around them: what they deliver is a list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.adapters.mattermost.connection import Connection as MattermostConnection
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.connection import Connection as SignalConnection
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.core.errors import HardenedError
from hermes_hardened_adapters.common.inbound.authorization import HostAccess
from hermes_hardened_adapters.common.inbound.delivery import Change, Commit, Delivery, Reacted
from hermes_hardened_adapters.common.inbound.observation import Observations

from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import TOKEN, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, FakeSignalDaemon


@dataclass
class Connected:
    """An open connection, what it delivered and reported, and why its stream ended."""

    connection: Any
    delivered: list[Delivery] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    reacted: list[Reacted] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)
    dead: list[HardenedError] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [delivery.decision.text for delivery in self.delivered]

    @property
    def unhandled(self) -> dict[str, int]:
        return dict(self.connection.source.pipeline.unhandled)

    async def settled(self) -> None:
        """Wait until everything emitted so far has been delivered, or decided against."""
        await asyncio.sleep(0.05)
        await self.connection.source.pipeline.workers.idle()


def _host_side(seen: Connected, accepted: str) -> dict[str, Any]:
    async def deliver(delivery: Delivery, commit: Commit) -> None:
        await commit()
        seen.delivered.append(delivery)

    async def report(change: Change) -> None:
        seen.changes.append(change)

    async def react(reacted: Reacted) -> str | None:
        seen.reacted.append(reacted)
        return None

    accepts: Callable[..., bool] = lambda user, *_: user == accepted  # noqa: E731
    return {
        "host": HostAccess(accepts),
        "deliver": deliver,
        "report": report,
        "react": react,
        "take_back": seen.taken_back.append,
        "on_dead": seen.dead.append,
        "handover_seconds": 1.0,
    }


def signal_connection(daemon: FakeSignalDaemon, state: Path, **extra: Any) -> Connected:
    """Return a connection that is not open yet, to a host that accepts Alice."""
    raw = {"http_url": daemon.url, "account": ACCOUNT, "allowed_users": [ALICE], **extra}
    seen = Connected(None)
    observed = Observations("signal", lambda: 1000.0)
    settings = SignalSettings.load(raw, {})
    seen.connection = SignalConnection(settings, state, observed, sent=(), **_host_side(seen, ALICE))
    return seen


def mattermost_connection(server: FakeMattermostServer, state: Path, **extra: Any) -> Connected:
    """Return a connection that is not open yet, to a host that accepts Alice."""
    raw = {"url": server.url, "token": TOKEN, "allowed_users": [ALICE_ID], **extra}
    seen = Connected(None)
    observed = Observations("mattermost", lambda: 1000.0)
    settings = MattermostSettings.load(raw, {})
    seen.connection = MattermostConnection(settings, state, observed, **_host_side(seen, ALICE_ID))
    return seen


@asynccontextmanager
async def on_signal(daemon: FakeSignalDaemon, state: Path, **extra: Any) -> AsyncIterator[Connected]:
    seen = signal_connection(daemon, state, **extra)
    try:
        await seen.connection.open()
        yield seen
    finally:
        await seen.connection.close()


@asynccontextmanager
async def on_mattermost(server: FakeMattermostServer, state: Path, **extra: Any) -> AsyncIterator[Connected]:
    seen = mattermost_connection(server, state, **extra)
    try:
        await seen.connection.log_in()
        await seen.connection.listen()
        yield seen
    finally:
        await seen.connection.close()
