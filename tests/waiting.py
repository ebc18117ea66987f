"""Waiting for a condition, and measuring what work costs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


async def until(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """Return once the condition holds; raise TimeoutError after `timeout` seconds."""
    async with asyncio.timeout(timeout):
        while not condition():
            await asyncio.sleep(0.002)


def cost(work: Callable[[], object]) -> float:
    """Return the seconds of this process's own time that the work takes, the best of five."""
    times = []
    for _ in range(5):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)
