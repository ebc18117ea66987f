"""Closing both adapters: quickly, whatever hangs, and without leaving a task, a socket or an open file."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import DM, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, FakeSignalDaemon
from tests.fakes.tcp_proxy import Mode, TcpProxy
from tests.hosted import created, created_mattermost
from tests.traffic import Tally, from_alice, handed_over, hurry, told_anew

CYCLES = 50
CLOSED_WITHIN = 2.0


@pytest.fixture(autouse=True)
def environment(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", ALICE_THERE)
    hurry(monkeypatch)


def open_files() -> Counter[str]:
    """Our sockets and state files, by kind."""
    names: Counter[str] = Counter()
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            target = os.readlink(f"/proc/self/fd/{number}")
            if target.startswith("socket:"):
                names["socket"] += 1
            elif "hardened_adapters" in target:
                names["state"] += 1
    return names


def our_objects() -> Counter[str]:
    """What the package has alive, by class."""
    gc.collect()
    return Counter(
        f"{type(thing).__module__}.{type(thing).__qualname__}"
        for thing in gc.get_objects()
        if str(type(thing).__module__).startswith("hermes_hardened_adapters")
    )


class Rest:
    """The tasks, sockets and files there were, to come back to."""

    def __init__(self) -> None:
        self._tasks = asyncio.all_tasks()
        self._files = open_files()

    async def is_back(self) -> None:
        """The servers' ends of what was closed take a moment."""
        for _ in range(200):
            if not self._left():
                return
            await asyncio.sleep(0.01)
        assert self._left() == []

    def _left(self) -> list[str]:
        # The servers' own handlers hang on as they were told to.
        tasks = [repr(task) for task in asyncio.all_tasks() - self._tasks if "RequestHandler" not in repr(task)]
        return tasks + [f"{count} {kind}" for kind, count in (open_files() - self._files).items()]


async def closes(adapter: Any) -> None:
    """In time, twice, and with nothing connected afterwards."""
    started = time.monotonic()
    await adapter.disconnect()
    assert time.monotonic() - started < CLOSED_WITHIN
    await adapter.disconnect()
    assert not adapter.is_connected


async def test_fifty_connections_of_both_leave_nothing_behind(
    daemon: FakeSignalDaemon, server: FakeMattermostServer, caplog: pytest.LogCaptureFixture
) -> None:
    adapters = [created(daemon.url, sse_streams=2)[1], created_mattermost(server)[1]]
    rest, tally = Rest(), Tally()
    heard = [handed_over(adapter) for adapter in adapters]
    for adapter in adapters:
        adapter.set_message_handler(_no_answer)
    early: tuple[Counter[str], int] = Counter(), 0
    for cycle in range(CYCLES):
        for adapter in adapters:
            assert await adapter.connect(is_reconnect=cycle > 0)
        await daemon.emit_event(from_alice(tally))
        await server.post(ALICE_THERE, DM, tally.text("dm"))
        async with asyncio.timeout(5):
            while sum(map(len, heard)) < 2 * (cycle + 1):
                await asyncio.sleep(0.002)
        for adapter in adapters:
            await closes(adapter)
        server.connections.clear()
        if cycle == CYCLES // 5:
            await rest.is_back()
            early = our_objects(), threading.active_count()
    await rest.is_back()
    assert tally.all_in(heard[0] + heard[1])
    grown = our_objects() - early[0]
    assert {kind: count for kind, count in grown.items() if count >= CYCLES // 2} == {}
    assert threading.active_count() <= early[1] + 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def _no_answer(_: Any) -> None:
    """The host's handler, which newer ones miss aloud."""


async def _for_ever(_: dict[str, Any]) -> Any:
    await asyncio.sleep(3600)


async def test_signal_closes_while_a_download_hangs(daemon: FakeSignalDaemon) -> None:
    daemon.handlers["getAttachment"] = _for_ever
    _, adapter = created(daemon.url)
    rest = Rest()
    assert await adapter.connect()
    await daemon.emit_event(told_anew("att_image"))
    async with asyncio.timeout(5):
        while not daemon.called("getAttachment"):
            await asyncio.sleep(0.005)
    await closes(adapter)
    await rest.is_back()


async def test_signal_closes_while_connecting_hangs(daemon: FakeSignalDaemon) -> None:
    daemon.handlers["listContacts"] = _for_ever
    _, adapter = created(daemon.url)
    rest = Rest()
    connecting = asyncio.create_task(adapter.connect())
    async with asyncio.timeout(5):
        while not daemon.called("listContacts"):
            await asyncio.sleep(0.005)
    await closes(adapter)
    assert await connecting is False
    await rest.is_back()


async def test_both_close_while_the_network_swallows_everything(
    daemon: FakeSignalDaemon, server: FakeMattermostServer
) -> None:
    async with TcpProxy(daemon.url) as to_daemon, TcpProxy(server.url) as to_server:
        daemon.url, server.url = to_daemon.url, to_server.url
        adapters = [created(daemon.url, sse_streams=2)[1], created_mattermost(server)[1]]
        rest = Rest()
        for adapter in adapters:
            assert await adapter.connect()
        for proxy in (to_daemon, to_server):
            proxy.mode = Mode.BLACK_HOLE
            for link in proxy.links:
                link.mode = Mode.BLACK_HOLE
        for adapter in adapters:
            await closes(adapter)
        await rest.is_back()
        assert (to_daemon.open, to_server.open) == (0, 0)


@pytest.mark.parametrize("path", ["/files", "/users", "/channels"])
async def test_mattermost_closes_while_rest_hangs(server: FakeMattermostServer, path: str) -> None:
    """A download, and a look at people or channels for the message in hand."""
    info = server.add_file("notes.png", b"\x89PNG\r\n\x1a\n", ALICE_THERE)
    _, adapter = created_mattermost(server)
    rest = Rest()
    assert await adapter.connect()
    await asyncio.sleep(0.05)
    server.faults.append(fault := Fault(times=50, delay=3600, path=path))
    await server.post(ALICE_THERE, DM, "look", file_ids=[info["id"]])
    if path == "/files":
        async with asyncio.timeout(5):
            while fault.times == 50:
                await asyncio.sleep(0.005)
    await closes(adapter)
    await rest.is_back()


@pytest.mark.parametrize("path", ["/users/me/channels", f"/channels/{DM}/posts"])
async def test_mattermost_closes_during_catch_up(server: FakeMattermostServer, path: str) -> None:
    _, adapter = created_mattermost(server)
    heard = handed_over(adapter)
    rest = Rest()
    assert await adapter.connect()
    await server.post(ALICE_THERE, DM, "first")
    async with asyncio.timeout(5):
        while not heard:
            await asyncio.sleep(0.005)
    server.faults.append(fault := Fault(times=50, delay=3600, path=path))
    server.resumes = False
    server.store(ALICE_THERE, DM, "missed")
    server.cut()
    async with asyncio.timeout(5):
        while fault.times == 50:
            await asyncio.sleep(0.005)
    await closes(adapter)
    server.connections.clear()
    await rest.is_back()
