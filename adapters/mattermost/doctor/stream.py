"""Checks of the WebSocket: whether it opens, and whether a cut one is resumed."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from ....common.doctor.findings import Result, advice, ok
from ....common.stream.stats import StreamStats
from ..link import Socket
from .context import Context, Object

_AWAY_SECONDS = (0.5, 2.0)
"""Pauses before each attempt at a resume, because the server must have noticed that we left."""


async def websocket(context: Context) -> AsyncIterator[Result]:
    """Check that a WebSocket opens."""
    started = time.monotonic()
    await _connect(context)
    yield ok(f"A WebSocket was opened and greeted in {time.monotonic() - started:.1f} s.")


async def resume(context: Context) -> AsyncIterator[Result]:
    """Check that a second WebSocket continues where the first one ended."""
    for away in _AWAY_SECONDS:
        await context.sleep(away)
        if resumed := (await _connect(context)).resumed > 0:
            break
    yield judge_resume(resumed, await context.config)


def judge_resume(resumed: bool, config: Object) -> Result:
    """Return whether sockets are resumed, with the remedy that the server's configuration suggests."""
    if resumed:
        return ok("A cut WebSocket is resumed without a gap.")
    if config.get("EnableReliableWebSockets") == "false":
        remedy = "Set ServiceSettings.EnableReliableWebSockets to true."
    elif config.get("EnableCluster") == "true":
        remedy = "Let the load balancer send a client to the same node again."
    else:
        remedy = "Let the proxy pass on the query of /api/v4/websocket."
    return advice("A cut WebSocket is not resumed: missed posts are fetched over REST instead.", remedy)


async def _connect(context: Context) -> StreamStats:
    """Open a WebSocket that resumes where the last one ended, wait until it is open, and close it."""
    stats = StreamStats()
    socket = Socket(
        context.client,
        context.sequence,
        lambda _: None,
        lambda: None,
        stats,
        clock=time.monotonic,
        ping_every=context.hello_within,
        reply_within=context.hello_within,
    )
    try:
        await socket.wait_open(context.hello_within)
    finally:
        await socket.close()
    return stats
