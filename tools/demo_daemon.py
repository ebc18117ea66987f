"""`DEMO=signal-cli make demo`: this package's client and stream against the real signal-cli daemon, without an account.

It shows the connection, the keepalives of an open stream, and the messages for operators if no stream can be opened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.link import supervised_stream
from hermes_hardened_adapters.common.core.errors import Fatal, HardenedError
from hermes_hardened_adapters.common.stream.supervisor import Supervisor
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.e2e.relay import AccountlessRelay
from tests.e2e.signal_cli import SignalCliDaemon, free_port
from tests.fakes.signal_daemon import ACCOUNT

KEEPALIVES = 2
PATIENCE = 45.0
"""Maximum wait for keepalives in seconds; the daemon sends one every 15 s."""


@asynccontextmanager
async def listening(base_url: str, **options: Any) -> AsyncIterator[Supervisor]:
    """Yield our open stream. Raises the error of `open`, or at the end the one that ended the stream."""
    ended: list[HardenedError] = []
    async with SignalClient(base_url, ACCOUNT) as client:
        stream = supervised_stream(client, lambda _: None, ended.append, **options)
        await stream.open()
        try:
            yield stream
        finally:
            await stream.close()
    if ended:
        raise ended[0]


async def refusal(base_url: str) -> HardenedError | None:
    """Return the error of our stream for that address; None if it opens."""
    try:
        async with listening(base_url):
            return None
    except HardenedError as exc:
        return exc


async def keepalives(stream: Supervisor, count: int) -> list[float]:
    """Wait for `count` keepalives; return the stream's times of the opening and of each keepalive."""
    seen: list[float] = []
    async with asyncio.timeout(PATIENCE):
        while len(seen) <= count:
            if stream.stats.last_byte is not None and stream.stats.last_byte not in seen:
                seen.append(stream.stats.last_byte)
            await asyncio.sleep(0.05)
    return seen


async def show(console: Console) -> int:
    async with SignalCliDaemon() as daemon, AccountlessRelay(daemon.port) as relay:
        version = (await daemon.rpc("version"))["result"]["version"]
        async with SignalClient(daemon.url, ACCOUNT) as client:
            healthy = await client.check()
        console.print(
            f"signal-cli {version} up after {daemon.ready_after:.1f} s, check {'passes' if healthy else 'fails'}."
        )

        cases = {
            "an account it does not have": (daemon.url, "signal_unknown_account"),
            "another API, or a wrong path": (f"{daemon.url}/v1", "signal_other_api"),
            "no daemon at that address": (f"http://127.0.0.1:{free_port()}", ""),
        }
        table = Table(title="Messages for the operator", show_lines=True, title_justify="left")
        for heading in ("situation", "error", "then", "remedy"):
            table.add_column(heading)
        faults = 0 if healthy else 1
        for situation, (url, expected) in cases.items():
            error = await refusal(url)
            code = error.code if isinstance(error, Fatal) else ""
            faults += error is None or code != expected
            name = type(error).__name__ + (f" {code}" if code else "")
            then = "the platform stops with this code" if code else "tries again, with back-off"
            remedy = error.remedy if isinstance(error, Fatal) else str(error)
            table.add_row(*(Text(cell) for cell in (situation, name, then, remedy)))
        console.print(table)

        console.print("An open stream: our client through a relay that removes the account from its request,")
        console.print("because a daemon without an account refuses every stream that names one.")
        began = time.monotonic()
        async with listening(relay.url) as stream:
            opened = time.monotonic() - began
            console.print(f"  headers after {opened:.1f} s (before 0.14.4 they come with the first keepalive)")
            times = await keepalives(stream, KEEPALIVES)
            for earlier, later in pairwise(times):
                console.print(f"  keepalive {later - earlier:.1f} s after the previous byte")
            faults += stream.stats.reconnects + (stream.stats.connects != 1)
            console.print(f"  {stream.stats.connects} connection, {stream.stats.reconnects} reconnections")
    console.print(f"{faults} faults" if faults else "as expected")
    return 1 if faults else 0
