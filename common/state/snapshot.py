"""How a running gateway's connection is doing, put down in the state file for whoever asks from outside."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

from ..core.errors import StateError
from ..inbound.observation import Observations
from ..inbound.workers import ChatWorkers
from .ledger import Ledger
from .store import Store, read
from .trace import Trace

EVERY_SECONDS = 5.0
FRESH_SECONDS = 20.0
"""A snapshot older than this is that of a gateway which has ended, or hangs."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One network's connection. Times are Unix time, None for never; counts are since it was opened."""

    network: str
    at: float
    process: int
    listening: bool
    """A stream stands."""
    last_byte: float | None
    last_event: float | None
    reconnects: int
    chats: int
    """With messages that wait or are being handled."""
    waiting: int
    shed: int
    """Background talk dropped for want of room."""
    lost: int
    """Messages to the agent dropped for want of room."""
    ledger: int
    observed: int
    """Lines kept for the next mention."""
    decisions: Mapping[str, int]
    skipped: Mapping[str, int]
    """Events that were none of ours to judge, by kind."""

    def fault(self, now: float) -> str:
        """What is wrong; empty when nothing is."""
        if now - self.at > FRESH_SECONDS:
            return f"no gateway has been running for {_ago(now - self.at)}"
        return "" if self.listening else "not listening: no stream stands"

    def rows(self, now: float) -> list[tuple[str, str]]:
        """Everything in words, for people."""
        lost = f", {self.shed} of background and {self.lost} to the agent dropped" if self.shed or self.lost else ""
        return [
            ("state", self.fault(now) or "listening"),
            ("last byte", _since(self.last_byte, now)),
            ("last event", _since(self.last_event, now)),
            ("reconnects", str(self.reconnects)),
            ("queues", f"{self.waiting} waiting in {self.chats} chats{lost}"),
            ("ledger", f"{self.ledger} messages remembered"),
            ("observed", f"{self.observed} lines kept for the next mention"),
            ("decisions", _counted(self.decisions)),
            ("skipped", _counted(self.skipped)),
        ]


class Stats(Protocol):
    """What a stream lived through; times in seconds of `time.monotonic`."""

    last_byte: float | None
    last_event: float | None
    disconnected_since: float | None
    connects: int
    reconnects: int


class Intake(Protocol):
    """What both networks' intakes count."""

    workers: ChatWorkers[Any]
    ledger: Ledger
    trace: Trace
    unhandled: Counter[str]


def snapshot(network: str, stats: Stats, intake: Intake, observed: Observations) -> Snapshot:
    """How a connection is doing now."""
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
        chats=intake.workers.chats,
        waiting=intake.workers.waiting,
        shed=intake.workers.shed,
        lost=intake.workers.lost,
        ledger=len(intake.ledger),
        observed=observed.count(),
        decisions=dict(intake.trace.counts),
        skipped=dict(intake.unhandled),
    )


async def keep_snapshot_fresh(store: Store, take_snapshot: Callable[[], Snapshot]) -> NoReturn:
    """Keep the state file's snapshot fresh until cancelled; the last one stays."""
    try:
        while True:
            _write(store, take_snapshot())
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        _write(store, take_snapshot())


def _write(store: Store, snapshot: Snapshot) -> None:
    key = _key(snapshot.network)
    store.write_later("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, json.dumps(asdict(snapshot))), key=key)


def read_snapshot(state: Path, network: str) -> Snapshot | None:
    """The last snapshot in a state file, None when there is none; raises StateError."""
    rows = read(state, "SELECT value FROM meta WHERE key = ?", (_key(network),))
    try:
        return Snapshot(**json.loads(rows[0][0])) if rows else None
    except (TypeError, ValueError):
        raise StateError(f"the snapshot of {network} was written by another version") from None


def _since(at: float | None, now: float) -> str:
    return "never" if at is None else f"{_ago(now - at)} ago"


def _ago(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _counted(counts: Mapping[str, int]) -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {what}" for what, count in most) or "none"


def _key(network: str) -> str:
    return f"{network} status"
