"""A clock which back-off moves on at once."""

from __future__ import annotations

import asyncio
import time


class Time:
    """Real time plus what was slept through `sleep`."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def __call__(self) -> float:
        return time.monotonic() + sum(self.slept)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)
