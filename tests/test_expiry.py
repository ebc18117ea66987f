"""Texts go at the time of their messages, while somebody is there to let them go."""

from __future__ import annotations

import asyncio
import time

from hermes_hardened_adapters.common.host.waiting.expiry import Expiry


class Texts:
    """Texts by the time at which they go."""

    def __init__(self, *until: float) -> None:
        self.until = set(until)

    def expire(self) -> float | None:
        self.until = {until for until in self.until if until > time.time()}
        return min(self.until, default=None)


async def gone(texts: Texts, left: int) -> None:
    async with asyncio.timeout(10):
        while len(texts.until) > left:
            await asyncio.sleep(0)


async def test_each_goes_at_its_time() -> None:
    now = time.time()
    some, others = Texts(now + 0.01, now + 0.03, now + 3_600), Texts(now - 1, now + 0.02)
    expiry = Expiry(some.expire)
    expiry.add(others.expire)
    expiry.open()
    await gone(some, 1)
    await gone(others, 0)
    assert expiry._timer is not None
    expiry.close()
    assert expiry._timer is None


async def test_nothing_waits_before_it_is_open_and_after_it_is_closed() -> None:
    texts = Texts(time.time() - 1, time.time() + 3_600)
    expiry = Expiry(texts.expire)
    expiry.plan()
    assert expiry._timer is None
    assert len(texts.until) == 1
    expiry.open()
    assert expiry._timer is not None
    expiry.close()
    expiry.plan()
    assert expiry._timer is None
