"""The health of a running connection, as numbers that are kept in the state file."""

from __future__ import annotations

import os
import time
from collections import Counter
from typing import Any, Protocol

from ..state.ledger import Ledger
from ..state.snapshot import Snapshot
from ..state.trace import Trace
from .observation import Observations
from .workers import ChatWorkers


class Stats(Protocol):
    """The counters of a network's stream; times in seconds of `time.monotonic`."""

    last_byte: float | None
    last_event: float | None
    deaf_since: float | None
    connects: int
    reconnects: int


class Intake(Protocol):
    """The parts of a network's intake that count something."""

    workers: ChatWorkers[Any]
    ledger: Ledger
    trace: Trace
    unhandled: Counter[str]


def take_snapshot(network: str, stats: Stats, intake: Intake, observed: Observations) -> Snapshot:
    """Return the present state of a connection."""
    now = time.time()
    monotonic = time.monotonic()

    def unix(clock: float | None) -> float | None:
        return None if clock is None else now - (monotonic - clock)

    return Snapshot(
        network=network,
        at=now,
        process=os.getpid(),
        listening=stats.connects > 0 and stats.deaf_since is None,
        last_byte=unix(stats.last_byte),
        last_event=unix(stats.last_event),
        reconnects=stats.reconnects,
        chats=intake.workers.chats,
        waiting=intake.workers.waiting,
        shed=intake.workers.shed,
        lost=intake.workers.lost,
        ledger=len(intake.ledger),
        observed=observed.count(),
        decisions=dict(intake.trace.counts),
        skipped=dict(intake.unhandled),
    )
