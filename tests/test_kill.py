"""Both networks, and kill -9 in the middle of it. A message is committed to disk right before it is handed over.

So none is ever handed over twice, and a kill loses at most the one message in each chat that was being handed over
just then. What had not got so far comes again: over REST from Mattermost, sent anew to Signal.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import DM, OPS, FakeMattermostServer
from tests.fakes.signal_daemon import ALICE, ALICE_ACI, CAROL, CAROL_ACI, GROUP, FakeSignalDaemon, contact, group
from tests.figures import Figures
from tests.hosted_process import READY
from tests.traffic import SPEAKERS, Tally

KILLS = 4
CHATS = 5
SEED = 9


@asynccontextmanager
async def child(home: Path, daemon: FakeSignalDaemon, server: FakeMattermostServer, log: Path) -> AsyncIterator[Any]:
    """The adapters in a process of their own, connected; killed in the end if it still lives."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HERMES_HOME": str(home),
        "SIGNAL_ALLOWED_USERS": f"{ALICE},{CAROL}",
        "SIGNAL_GROUP_ALLOWED_USERS": GROUP,
        "MATTERMOST_ALLOWED_USERS": ALICE_THERE,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tests.hosted_process", daemon.url, server.url, str(log)),
        env=environment,
        cwd=Path(__file__).parent.parent,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            assert (await process.stdout.readline()).decode().strip() == READY
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def talk(
    daemon: FakeSignalDaemon, server: FakeMattermostServer, tally: Tally, told: list[dict[str, Any]]
) -> None:
    """Somebody says something in every chat, until cancelled."""
    while True:
        events = [speak(tally) for speak in SPEAKERS]
        told += events
        await daemon.emit_event(*events)
        await server.post(ALICE_THERE, DM, tally.text("dm"))
        await server.post(ALICE_THERE, OPS, f"@hermes {tally.text('ops')}")
        await asyncio.sleep(0.004)


async def arrived(log: Path, tally: Tally, lost_at_most: int) -> list[str]:
    """What was handed over, once no more comes."""
    lines: list[str] = []
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.3)
            before, lines = lines, await asyncio.to_thread(lambda: log.read_text().splitlines())
            missing = sum(map(len, tally.sent.values())) - len(set(lines))
            if lines == before and missing <= lost_at_most:
                return lines


async def test_a_kill_doubles_nothing_and_loses_at_most_what_was_being_handed_over(
    hermes_home: Path, tmp_path: Path, figures: Figures
) -> None:
    chance, tally, log = random.Random(SEED), Tally(), tmp_path / "handed-over"
    told: list[dict[str, Any]] = []
    async with FakeSignalDaemon(groups=[group()]) as daemon, FakeMattermostServer() as server:
        daemon.contacts += [contact(ALICE, ALICE_ACI, "Alice"), contact(CAROL, CAROL_ACI, "Carol")]
        for _ in range(KILLS):
            async with child(hermes_home, daemon, server, log) as process:
                await daemon.emit_event(*told)
                talking = asyncio.create_task(talk(daemon, server, tally, told))
                await asyncio.sleep(chance.uniform(0.1, 0.7))
                process.kill()
                await process.wait()
                talking.cancel()
                await asyncio.gather(talking, return_exceptions=True)
            figures.kills += 1
        async with child(hermes_home, daemon, server, log):
            await daemon.emit_event(*told)
            lines = await arrived(log, tally, KILLS * CHATS)
    sent = [text for texts in tally.sent.values() for text in texts]
    assert len(lines) == len(set(lines)), "handed over twice"
    assert set(lines) <= set(sent)
    for chat, texts in tally.sent.items():
        assert len(set(texts) - set(lines)) <= KILLS, f"lost in {chat}"
    figures.sent += len(sent)
    figures.lost_at_kills += len(set(sent) - set(lines))
