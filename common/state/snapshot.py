"""Snapshots of a running gateway's connections, kept in the state file for other processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from ..core.errors import StateError
from . import meta

if TYPE_CHECKING:
    from .store import Store

EVERY_SECONDS = 5.0
FRESH_SECONDS = 20.0
"""The age of a snapshot, in seconds, from which its gateway counts as ended or hanging."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of one network's connection. Times are Unix time, None for never; counts start when it is opened."""

    network: str
    at: float
    process: int
    listening: bool
    """True if a stream is open."""
    last_byte: float | None
    last_event: float | None
    reconnects: int
    chats: int
    """Chats with messages that wait or are being handled."""
    waiting: int
    shed: int
    """Background messages dropped because a queue was full."""
    lost: int
    """Messages to the agent dropped because a queue was full."""
    ledger: int
    observed: int
    """Lines kept for the next mention."""
    decisions: Mapping[str, int]
    skipped: Mapping[str, int]
    """Events of kinds that the adapter does not handle, by kind."""

    def fault(self, now: float) -> str:
        """Return the problem as text, empty if there is none."""
        if now - self.at > FRESH_SECONDS:
            return f"no gateway has been running for {_ago(now - self.at)}"
        return "" if self.listening else "not connected: no open stream"

    def rows(self, now: float) -> list[tuple[str, str]]:
        """Return (label, value) pairs for display."""
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


async def keep_snapshot_fresh(store: Store, take_snapshot: Callable[[], Snapshot]) -> NoReturn:
    """Write a snapshot every few seconds until cancelled, and a last one then."""
    try:
        while True:
            _write(store, take_snapshot())
            await asyncio.sleep(EVERY_SECONDS)
    finally:
        _write(store, take_snapshot())


def _write(store: Store, snapshot: Snapshot) -> None:
    key = _key(snapshot.network)
    store.write_later(*meta.put(key, json.dumps(asdict(snapshot))), key=key)


def read_snapshot(state: Path, network: str) -> Snapshot | None:
    """Return the last snapshot in a state file, None when there is none; raise StateError."""
    value = meta.read_value(state, _key(network))
    try:
        return Snapshot(**json.loads(value)) if value else None
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
    return ", ".join(f"{count} {kind}" for kind, count in most) or "none"


def _key(network: str) -> str:
    return f"{network} status"
