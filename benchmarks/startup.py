"""Measures connecting to an account with many contacts and groups: time, and calls to signal-cli."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial

from benchmarks.measure import Metrics, Row, Target, interleaved
from benchmarks.sides import OURS, SIDES, STOCK, signal_adapter
from benchmarks.traffic import LISTED, aci_of, group_of, number_of
from tests.fakes.signal_daemon import FakeSignalDaemon, contact, group

_CONTACTS = 500
_GROUPS = 100


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 8."""
    taken = await interleaved(rounds, {side: partial(_connect, side) for side in SIDES})
    ours, stock = taken[OURS], taken[STOCK]
    name = f"8 Signal, start with {_CONTACTS} contacts and {_GROUPS} groups"
    return [
        Row(name, "connect()", "ms", "less", ours["ms"], stock["ms"]),
        Row(name, "RPCs", "calls", "less", ours["calls"], stock["calls"], Target("ours", at_most=3)),
        Row(
            name, "of them over the network", "calls", "less", ours["asked"], stock["asked"], Target("ours", at_most=1)
        ),
    ]


async def _connect(name: str) -> Metrics:
    """Connect once. One of the listed people is not in the daemon's contacts."""
    async with FakeSignalDaemon() as daemon:
        daemon.contacts += [
            contact(number_of(p), aci_of(p), f"Person {p}") for p in range(_CONTACTS) if p != LISTED - 1
        ]
        daemon.groups = [group(group_of(number), name=f"Group {number}") for number in range(_GROUPS)]
        adapter = signal_adapter(name, daemon)
        began = time.perf_counter()
        if not await adapter.connect():
            raise RuntimeError(f"{name} does not connect: {adapter.fatal_error_message}")
        seconds = time.perf_counter() - began
        calls = Counter(call.method for call in daemon.calls)
        await adapter.disconnect()
    return {"ms": seconds * 1e3, "calls": calls.total(), "asked": calls["getUserStatus"]}
