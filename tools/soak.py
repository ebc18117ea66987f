"""Soak test of both adapters for a given time: `python tools/soak.py [MINUTES [SEED]]`.

It sends fifty rewritten recorded events per second and causes a fault every few seconds. The exit status is 1 if an
event was lost or doubled, if our package logged an error, if memory grew by more than 20 MB or open files by more than
ten.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import BOB, FakeMattermostServer
from tests.fakes.signal_daemon import (
    ALICE,
    ALICE_ACI,
    CAROL,
    CAROL_ACI,
    GROUP,
    KEEPALIVE,
    FakeSignalDaemon,
    contact,
    group,
)
from tests.fakes.tcp_proxy import Mode, TcpProxy
from tests.process import megabytes, open_files
from tests.traffic import KEEPALIVE_SECONDS, SPEAKERS, Tally, handed_over, hurry

PER_SECOND = 50
FAULT_EVERY = 3.0
WARM_UP_SECONDS = 30.0
WINDOW_SECONDS = 12.0
PATIENCE_SECONDS = 20.0
GROWTH_MB = 20.0
GROWTH_FILES = 10.0


class Errors(logging.Handler):
    """Counts the errors that our package logs."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.startswith("hermes_hardened_adapters"):
            self.seen[record.getMessage()] += 1


@dataclass
class Scene:
    """The two servers, the proxy in front of one of them, the adapters and the counts."""

    daemon: FakeSignalDaemon
    server: FakeMattermostServer
    proxy: TcpProxy
    hosts: list[object] = field(default_factory=list)
    received: list[list[str]] = field(default_factory=list)
    """The texts that reached each host."""
    tally: Tally = field(default_factory=Tally)
    faults: int = 0
    sent: int = 0
    delivered: int = 0
    lost: int = 0
    doubled: int = 0


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    from tests.hosted import hosted, hosted_mattermost

    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(FakeSignalDaemon(groups=[group()]))
        daemon.contacts += [contact(ALICE, ALICE_ACI, "Alice"), contact(CAROL, CAROL_ACI, "Carol")]
        server = await stack.enter_async_context(FakeMattermostServer())
        proxy = await stack.enter_async_context(TcpProxy(daemon.url, watched=b"/api/v1/events"))
        beating = asyncio.create_task(_beat(daemon))
        stack.callback(beating.cancel)
        daemon.url = proxy.url
        here = Scene(daemon, server, proxy)
        for connecting in (hosted(daemon, sse_streams=2), hosted_mattermost(server)):
            host = await stack.enter_async_context(connecting)
            here.hosts.append(host)
            here.received.append(handed_over(host.adapter))
        yield here


async def _beat(daemon: FakeSignalDaemon) -> None:
    while True:
        await daemon.emit(KEEPALIVE)
        await asyncio.sleep(KEEPALIVE_SECONDS)


async def talk(here: Scene, chance: random.Random) -> None:
    """Send messages at a constant rate, alternating between Signal and Mattermost."""
    started, sent = time.monotonic(), 0
    while True:
        if sent % 2:
            await here.daemon.emit_event(chance.choice(SPEAKERS)(here.tally))
        else:
            await _post(here, chance)
        sent += 1
        await asyncio.sleep(max(started + sent / PER_SECOND - time.monotonic(), 0))


async def _post(here: Scene, chance: random.Random) -> None:
    from tests.test_faults_mattermost import CHANNELS, say

    await say(here.server, here.tally, chance.choice(list(CHANNELS)))


async def trouble(here: Scene, chance: random.Random) -> None:
    """Repeatedly cause a fault of one of Signal's streams and one of Mattermost."""
    from tests.test_faults_mattermost import CHANNELS, FAULTS

    while True:
        await asyncio.sleep(chance.uniform(0.5, 1.5) * FAULT_EVERY)
        await chance.choice(FAULTS)(here.server, here.tally, chance.choice(list(CHANNELS)))
        here.faults += 1
        if len(here.daemon.streams) == len(links := here.proxy.asking()) == 2:
            link = chance.choice(links)
            match chance.choice(("reset", "half-close", "swallow", "dribble", "delay")):
                case "reset":
                    link.reset()
                case "half-close":
                    link.half_close()
                case "swallow":
                    link.mode = Mode.BLACK_HOLE
                case slow:
                    link.mode = Mode.BYTEWISE if slow == "dribble" else Mode.DELAY
                    await asyncio.sleep(1)
                    link.mode = Mode.PASS
            here.faults += 1
            await here.proxy.until(lambda: not any(link.under_way for link in here.proxy.links))


async def window(here: Scene, chance: random.Random, seconds: float) -> None:
    """Run traffic and faults for some seconds, wait until everything has arrived, and add up the counts."""
    running = [asyncio.create_task(task(here, chance)) for task in (talk, trouble)]
    done, _ = await asyncio.wait(running, timeout=seconds)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for task in done:
        task.result()
    for link in here.proxy.links:
        link.mode = Mode.PASS if link.mode is not Mode.BLACK_HOLE else link.mode
    await _post(here, chance)  # Mattermost shows a lost event only when another one follows.
    quiet_by = time.monotonic() + PATIENCE_SECONDS
    while not here.tally.all_in(here.received[0] + here.received[1]) and time.monotonic() < quiet_by:
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.5)
    _count(here)
    _forget(here)


def _count(here: Scene) -> None:
    sent = {text for texts in here.tally.sent.values() for text in texts}
    received = here.received[0] + here.received[1]
    here.sent += len(sent)
    here.delivered += len(sent & set(received))
    here.lost += len(sent - set(received))
    # A text of an earlier window counts as doubled, because it was counted there.
    here.doubled += len(received) - len(sent & set(received))


def _forget(here: Scene) -> None:
    """Clear the records of the fake servers and hosts, which would otherwise dominate the measured memory."""
    here.tally.sent.clear()
    for host in here.hosts:
        for name in ("passed", "reached", "refused"):
            getattr(host, name).clear()
    for kept in (*here.received, here.daemon.calls, here.daemon.event_requests):
        kept.clear()
    server = here.server
    for kept in (server.calls, server.upgrades, server.actions, server.faults):
        kept.clear()
    server.posts.clear()
    server.connections[:] = [connection for connection in server.connections if connection.socket is not None]


def _kept_files() -> int:
    """Return the number of open files without those of garbage: the host leaves its connections to SQLite to that."""
    gc.collect()
    return open_files()


async def soak(minutes: float, seed: int) -> int:
    """Run the soak test, print the figures and return the exit status."""
    errors, chance = Errors(), random.Random(seed)
    logging.getLogger().addHandler(errors)
    async with scene() as here:
        await window(here, chance, WARM_UP_SECONDS)
        before, files_before = megabytes(), _kept_files()
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends:
            await window(here, chance, min(WINDOW_SECONDS, max(ends - time.monotonic(), 1)))
            print(f"{here.sent} sent, {here.lost} lost, {here.doubled} doubled, {megabytes():.0f} MB", flush=True)
        after, files_after = megabytes(), _kept_files()
    print(f"seed {seed}: {here.faults} faults; {here.sent} events sent, {here.delivered} delivered,")
    print(f"{here.lost} lost, {here.doubled} doubled; {len(errors.seen)} kinds of error logged {list(errors.seen)}")
    print(f"memory {before:.1f} MB at the start, {after:.1f} MB at the end; files {files_before}, {files_after}")
    grown = after - before > GROWTH_MB or files_after - files_before > GROWTH_FILES
    bad = here.lost or here.doubled or errors.seen or grown
    return 1 if bad else 0


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home, pytest.MonkeyPatch.context() as patch:
        Path(home, "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
        for name in [name for name in os.environ if name.startswith(("SIGNAL_", "MATTERMOST_", "GATEWAY_"))]:
            patch.delenv(name)
        for name in ("HOME", "HERMES_HOME"):
            patch.setenv(name, home)
        patch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
        patch.setenv("SIGNAL_GROUP_ALLOWED_USERS", GROUP)
        patch.setenv("MATTERMOST_ALLOWED_USERS", f"{ALICE_THERE},{BOB}")
        hurry(patch)
        return asyncio.run(soak(minutes, seed=int(time.time()) if len(sys.argv) < 3 else int(sys.argv[2])))


if __name__ == "__main__":
    sys.exit(main())
