"""How long a stream may be silent, its daemon well, until a fresh one stands."""

from __future__ import annotations

import math
import sys
import time
from unittest.mock import patch

from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.common.host.contract import stock_adapter

from benchmarks.measure import Metrics, Row, Series, Target
from benchmarks.sides import OURS, STOCK, signal_side

_LIMIT_SECONDS = 16.0
"""The least that may be set for SIGNAL_SSE_STALE_SECONDS."""
_HASTE = 100
"""How many times as fast stock's clocks run, so that waiting for it in vain does not take an hour."""
_STOCK_PATIENCE_SECONDS = 12.0


async def rows(rounds: int, scale: float) -> list[Row]:
    """Row 5, one run."""
    ours = await _seconds_to_fresh(OURS, _LIMIT_SECONDS * 3)
    waited = _STOCK_PATIENCE_SECONDS * scale
    module = sys.modules[stock_adapter(NETWORKS["signal"].stock, {}).__module__]
    times = {name: getattr(module, name) / _HASTE for name in ("HEALTH_CHECK_INTERVAL", "HEALTH_CHECK_STALE_THRESHOLD")}
    with patch.multiple(module, **times):
        stock = await _seconds_to_fresh(STOCK, waited)
    return [
        Row(
            "5 Signal, the stream falls silent",
            f"until a fresh one stands, limit set to {_LIMIT_SECONDS:.0f} s",
            "s",
            "less",
            Series((ours["seconds"],)),
            Series((stock["seconds"] * _HASTE,)),
            Target("ours", at_most=_LIMIT_SECONDS + 1),
            note=f"stock's clocks run {_HASTE} times as fast: {waited * _HASTE:,.0f} s waited for",
        )
    ]


async def _seconds_to_fresh(name: str, patience: float) -> Metrics:
    async with signal_side(name, **({"sse_stale_seconds": _LIMIT_SECONDS} if name == OURS else {})) as side:
        since = time.perf_counter()
        side.server.forget_streams()
        try:
            await side.server.streams_open(1, patience)
        except TimeoutError:
            return {"seconds": math.inf}
        return {"seconds": time.perf_counter() - since}
