"""An order from another process beside a gateway with both networks, then kill -9: nothing is handled twice.

Closing any descriptor of a file drops every POSIX lock that the process has on it. A state file opened and closed
beside SQLite loses its lock, and the next writer from outside unlinks the log that the gateway goes on writing to.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from hermes_hardened_adapters.common.core.chats import Status
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.state.chats import entries
from hermes_hardened_adapters.common.state.database import read

from tests.fakes.mattermost_server import ALICE as ALICE_THERE
from tests.fakes.mattermost_server import DM, FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, FakeSignalDaemon, contact, group
from tests.scene_signal import ALICE_A, ALLOTMENT, variant
from tests.test_kill import child

WITHIN_SECONDS = 30.0


async def operator(home: Path, daemon: FakeSignalDaemon, *command: str) -> None:
    """Run a command in a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HERMES_HOME": str(home),
        "SIGNAL_HTTP_URL": daemon.url,
        "SIGNAL_ACCOUNT": ACCOUNT,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "hermes_hardened_adapters", *command),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    written, _ = await process.communicate()
    assert process.returncode == 0, written.decode()


async def handed_over(log: Path, *texts: str) -> list[str]:
    """Everything handed over, once these are."""
    async with asyncio.timeout(WITHIN_SECONDS):
        while not {*texts} <= {*(lines := await asyncio.to_thread(lambda: log.read_text().splitlines()))}:
            await asyncio.sleep(0.05)
    return lines


async def test_after_an_order_and_a_kill_nothing_is_handled_twice(hermes_home: Path, tmp_path: Path) -> None:
    log, state = tmp_path / "handed-over", state_file(hermes_home)
    async with FakeSignalDaemon(groups=[group(), group(ALLOTMENT)]) as daemon, FakeMattermostServer() as server:
        daemon.contacts += [contact(ALICE, ALICE_ACI, "Alice")]
        envelope = variant("dm_text", ALICE_A, text="on Signal")
        async with child(hermes_home, daemon, server, log) as process:
            await operator(hermes_home, daemon, "groups", "revoke", ALLOTMENT)
            await daemon.emit_event(envelope)
            post = await server.post(ALICE_THERE, DM, "on Mattermost")
            await handed_over(log, "on Signal", "on Mattermost")
            process.kill()
            await process.wait()
        async with child(hermes_home, daemon, server, log):
            await daemon.emit_event(envelope, variant("dm_text", ALICE_A, text="later on Signal"))
            await server.emit(server.posted(post))
            await server.post(ALICE_THERE, DM, "later on Mattermost")
            lines = await handed_over(log, "later on Signal", "later on Mattermost")
    assert sorted(lines) == ["later on Mattermost", "later on Signal", "on Mattermost", "on Signal"]
    assert entries(state, "signal")[ALLOTMENT].status is Status.REVOKED
    assert read(state, "PRAGMA integrity_check") == [("ok",)]
