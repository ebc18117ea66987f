"""Measures the time until a silent stream of a healthy daemon is replaced by a new one."""

from __future__ import annotations

import math
import sys
import time
from unittest.mock import patch

from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.host.contract.check import stock_adapter

from benchmarks.measure import Metrics, Row, Series, Target
from benchmarks.sides import OURS, STOCK, signal_side

_LIMIT_SECONDS = 16.0
"""The minimum of SIGNAL_SSE_STALE_SECONDS."""
_SPEED_UP = 100
"""Factor by which stock's timers run faster, so that waiting for it in vain does not take an hour."""
_STOCK_PATIENCE_SECONDS = 12.0


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 5, in one run."""
    ours = await _seconds_to_replace(OURS, _LIMIT_SECONDS * 3)
    waited = _STOCK_PATIENCE_SECONDS * scale
    module = sys.modules[stock_adapter(NETWORKS["signal"].stock, ()).__module__]
    timers = ("HEALTH_CHECK_INTERVAL", "HEALTH_CHECK_STALE_THRESHOLD")
    times = {name: getattr(module, name) / _SPEED_UP for name in timers}
    with patch.multiple(module, **times):
        stock = await _seconds_to_replace(STOCK, waited)
    return [
        Row(
            "5 Signal, the stream falls silent",
            f"until a new one is open, limit set to {_LIMIT_SECONDS:.0f} s",
            "s",
            "less",
            Series((ours["seconds"],)),
            Series((stock["seconds"] * _SPEED_UP,)),
            Target("ours", at_most=_LIMIT_SECONDS + 1),
            note=f"stock's timers run {_SPEED_UP} times as fast: the wait equals {waited * _SPEED_UP:,.0f} s",
        )
    ]


async def _seconds_to_replace(name: str, patience: float) -> Metrics:
    async with signal_side(name, **({"sse_stale_seconds": _LIMIT_SECONDS} if name == OURS else {})) as side:
        since = time.perf_counter()
        side.server.forget_streams()
        try:
            await side.server.streams_open(1, patience)
        except TimeoutError:
            return {"seconds": math.inf}
        return {"seconds": time.perf_counter() - since}
