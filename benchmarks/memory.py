"""Measures the memory of a chat that is only observed."""

from __future__ import annotations

import gc
import time
import tracemalloc

from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.inbound.background import KEEP_LINES, Line
from hermes_hardened_adapters.common.inbound.observation import Observations

from benchmarks.measure import Metrics, Row, Target, series
from benchmarks.traffic import aci_of, group_of, padding

_CHATS = 200


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 7, memory."""
    found = []
    for name, lines, size in (("20 lines of 60 characters", 20, 60), ("a full buffer, 50 lines of 80", KEEP_LINES, 80)):
        taken = series(_measure(lines, size) for _ in range(rounds))
        found.append(
            Row("7 Memory of an observed chat", name, "KB", "less", taken["kb"], target=Target("ours", at_most=10))
        )
    return found


def _measure(lines: int, size: int) -> Metrics:
    gc.collect()
    tracemalloc.start()
    try:
        observed = Observations("signal", time.time)
        before, _ = tracemalloc.get_traced_memory()
        for chat in range(_CHATS):
            for number in range(lines):
                observed.add(f"group:{group_of(chat)}", _line(chat * lines + number, size))
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {"kb": (after - before) / _CHATS / 1024}


def _line(number: int, size: int) -> Line:
    """Return a line whose strings are not shared with others, like those from decoding."""
    person = number % 10
    text = f"{number} {padding(size)}"[:size].replace("“", "'").replace("”", "'").replace("—", "-")
    return Line(
        f"{aci_of(person)} {1_795_000_000_000 + number}", f"Person {person}", Authority.ALLOWED, text, time.time()
    )
