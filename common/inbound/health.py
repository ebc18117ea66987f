"""The health of a running connection: the numbers of its snapshot in the state file."""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

from ..state.snapshot import Snapshot
from .observation import Observations
from .pipeline import Pipeline


class Stats(Protocol):
    """The counters of a network's stream. Times are in seconds of `time.monotonic`."""

    last_byte: float | None
    last_event: float | None
    disconnected_since: float | None
    connects: int
    reconnects: int


def take_snapshot(network: str, stats: Stats, pipeline: Pipeline[Any], observed: Observations) -> Snapshot:
    """Return the present state of a connection."""
    now = time.time()
    monotonic = time.monotonic()

    def unix(clock: float | None) -> float | None:
        return None if clock is None else now - (monotonic - clock)

    return Snapshot(
        network=network,
        at=now,
        process=os.getpid(),
        listening=stats.connects > 0 and stats.disconnected_since is None,
        last_byte=unix(stats.last_byte),
        last_event=unix(stats.last_event),
        reconnects=stats.reconnects,
        chats=pipeline.workers.chats,
        waiting=pipeline.workers.waiting,
        shed=pipeline.workers.shed,
        lost=pipeline.workers.lost,
        ledger=len(pipeline.ledger),
        observed=observed.count(),
        decisions=dict(pipeline.trace.counts),
        skipped=dict(pipeline.unhandled),
    )
