"""The two compared adapters, each connected to its own fake server in this process.

Ours is created by the real host's plugin manager and registry, stock's from its class; both get the real host's
session store and authorization check. Their `handle_message` only counts events and records times, with one exception:
our adapter has asked the host about the sender by then, so stock's asks it there, as the host itself would next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.config import GatewayConfig, Platform, PlatformConfig
from gateway.run import GatewayRunner
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.host.contract.check import stock_adapter

from benchmarks.traffic import CHATS, LISTED, PEOPLE, Batch, Team, aci_of, group_of, number_of
from tests.fakes.mattermost_rest import HERMES
from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.mattermost_websocket import TOKEN
from tests.fakes.signal_daemon import ACCOUNT, FakeSignalDaemon, contact
from tests.hosted import created, created_mattermost

OURS, STOCK, UNCHECKED = "ours", "stock", "stock, sender unchecked"
SIDES = (OURS, STOCK)
PATIENCE_SECONDS = 120.0

SETTINGS = {
    "SIGNAL_ALLOWED_USERS": ",".join(number_of(person) for person in range(LISTED)),
    "SIGNAL_GROUP_ALLOWED_USERS": ",".join(group_of(chat) for chat in range(LISTED)),
    "SIGNAL_REQUIRE_MENTION": "true",
    "MATTERMOST_ALLOWED_USERS": "*",
    "MATTERMOST_REQUIRE_MENTION": "true",
}
"""The environment of both sides."""


@dataclass
class Side:
    """A connected adapter whose events are counted when they arrive at `handle_message`."""

    name: str
    adapter: Any
    server: Any
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    """Time (perf_counter) and text of every event."""
    _count: int = 0
    _awaited: int = 0
    _complete: asyncio.Event = field(default_factory=asyncio.Event)
    keeps_arrivals: bool = False

    def __post_init__(self) -> None:
        self.adapter.handle_message = self._handle

    async def _handle(self, event: Any) -> None:
        if self.name == STOCK:
            source = event.source
            self.adapter._is_sender_authorized(source.user_id, source.chat_type, source.chat_id)
        self._count += 1
        if self.keeps_arrivals:
            self.arrivals.append((time.perf_counter(), event.text))
        if self._count == self._awaited:
            self._complete.set()

    def write(self, wire: bytes) -> None:
        """Write bytes to the adapter's connection."""
        _transport(self.server).write(wire)

    async def take(self, batch: Batch, arriving: int | None = None) -> dict[str, float]:
        """Return wall-clock and CPU seconds until the last event of a batch has arrived and all writes are on disk."""
        self._count = 0
        self._awaited = arriving or (batch.events if self.name == OURS else batch.addressed)
        self._complete.clear()
        started, busy = time.perf_counter(), time.process_time()
        self.write(batch.wire)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._complete.wait()
            if self.name == OURS:
                await self.adapter.connection.source.pipeline.workers.idle()
                await self.adapter.connection.flush()
        return {"seconds": time.perf_counter() - started, "cpu": time.process_time() - busy}

    @property
    def waiting(self) -> int:
        """Number of received events that wait in our queues. Stock has no queue except the socket's."""
        return self.adapter.connection.source.pipeline.workers.waiting if self.name == OURS else 0


def _transport(server: Any) -> Any:
    """Return the open connection on which a fake server sends events."""
    if isinstance(server, FakeSignalDaemon):
        return server.streams[-1]._req.transport  # type: ignore[union-attr]
    return next(c.socket._req.transport for c in reversed(server.connections) if c.socket is not None)


def _stock(platform: Platform, config: PlatformConfig) -> Any:
    runner: Any = GatewayRunner(GatewayConfig(platforms={platform: config}))
    adapter = stock_adapter(NETWORKS[platform.value].stock, ())(config)
    adapter.set_session_store(runner.session_store)
    adapter.set_authorization_check(runner._make_adapter_auth_check(platform))
    return adapter


def signal_adapter(name: str, daemon: FakeSignalDaemon, **extra: Any) -> Any:
    """Return a Signal adapter that is not connected."""
    if name == OURS:
        return created(daemon.url, **extra)[1]
    extra = {"http_url": daemon.url, "account": ACCOUNT, **extra}
    return _stock(Platform.SIGNAL, PlatformConfig(enabled=True, extra=extra))


def mattermost_adapter(name: str, server: FakeMattermostServer) -> Any:
    """Return a Mattermost adapter that is not connected."""
    if name == OURS:
        # All rounds share one state file, but every round has new channels to which nobody added the bot.
        return created_mattermost(server, join_policy="ignore")[1]
    return _stock(Platform.MATTERMOST, PlatformConfig(enabled=True, token=TOKEN, extra={"url": server.url}))


@asynccontextmanager
async def signal_side(name: str, **extra: Any) -> AsyncIterator[Side]:
    """Yield a connected Signal adapter. All senders of a batch are in the daemon's contacts."""
    async with FakeSignalDaemon() as daemon:
        daemon.contacts += [contact(number_of(p), aci_of(p), f"Person {p}") for p in range(LISTED)]
        adapter = signal_adapter(name, daemon, **extra)
        if not await adapter.connect():
            raise RuntimeError(f"{name} does not connect: {adapter.fatal_error_message}")
        try:
            await daemon.streams_open(1)
            yield Side(name, adapter, daemon)
        finally:
            await adapter.disconnect()


def populate(server: FakeMattermostServer, channels: int = CHATS) -> Team:
    """Add ten users and some channels to a server. The first half of the channels are direct."""
    users = tuple(server.add_user(f"person{number}") for number in range(PEOPLE))
    ids = []
    for number in range(channels):
        direct = number < channels // 2
        members = {HERMES, users[number % PEOPLE]} if direct else {HERMES, *users}
        ids.append(server.add_channel(f"channel-{number}", "D" if direct else "O", members))
    return Team(users, tuple(ids))


@asynccontextmanager
async def mattermost_side(name: str, channels: int = CHATS) -> AsyncIterator[tuple[Side, Team]]:
    """Yield a connected Mattermost adapter, with the users and channels of its server."""
    async with FakeMattermostServer() as server:
        team = populate(server, channels)
        adapter = mattermost_adapter(name, server)
        if not await adapter.connect():
            raise RuntimeError(f"{name} does not connect: {adapter.fatal_error_message}")
        try:
            await server.connected()
            if name == OURS:
                await adapter.connection.source.gaps.running
            yield Side(name, adapter, server), team
        finally:
            await adapter.disconnect()


def next_seq(server: FakeMattermostServer, count: int) -> int:
    """Reserve sequence numbers on the open connection; return the first."""
    connection = server.connections[-1]
    first = connection.seq
    connection.seq += count
    return first
