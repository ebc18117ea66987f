"""Checks of the WebSocket: that it opens, and that the server resumes a cut one."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from ....common.doctor.findings import Result, advice, ok
from ....common.stream.stats import StreamStats
from ..link import Socket
from .context import Context, Object

_AWAY_SECONDS = (0.5, 2.0)
"""Pauses before the attempts to resume, because the server must first notice the end of the earlier socket."""


async def websocket(context: Context) -> AsyncIterator[Result]:
    """Check that a WebSocket opens."""
    started = time.monotonic()
    await _connect(context)
    yield ok(f"A WebSocket opened in {time.monotonic() - started:.1f} s.")


async def resume(context: Context) -> AsyncIterator[Result]:
    """Check that a second WebSocket continues where the first one ended."""
    for away in _AWAY_SECONDS:
        await context.sleep(away)
        if resumed := (await _connect(context)).resumed > 0:
            break
    yield resume_result(resumed, await context.config)


def resume_result(resumed: bool, config: Object) -> Result:
    """Return the result for an attempt to resume, with the remedy that the server's configuration suggests."""
    if resumed:
        return ok("A cut WebSocket is resumed without a gap.")
    if config.get("EnableReliableWebSockets") == "false":
        remedy = "Set ServiceSettings.EnableReliableWebSockets to true."
    elif config.get("EnableCluster") == "true":
        remedy = "Configure the load balancer to send a client to the same node again."
    else:
        remedy = "Configure the proxy to pass on the query of /api/v4/websocket."
    return advice("A cut WebSocket is not resumed: missed posts are fetched over REST instead.", remedy)


async def _connect(context: Context) -> StreamStats:
    """Open a WebSocket that resumes where the last one ended, wait until it is open, and close it. Raises its error."""
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
