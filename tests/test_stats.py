"""The counters of a stream, kept over its links."""

from __future__ import annotations

from hermes_hardened_adapters.common.stream.stats import StreamStats

from tests.fakes.clock import Time
from tests.scripted_link import (
    HOLDS,
    NEVER_OPENS,
    Peer,
)


async def test_stats_count_links_that_opened_and_when_the_last_one_was_lost() -> None:
    stats, clock = StreamStats(), Time()
    first, second, unopened = (Peer(script).connect(stats, clock) for script in (HOLDS, HOLDS, NEVER_OPENS))
    await first.wait_open(1)
    await second.wait_open(1)
    first.opens()
    assert (stats.open, stats.connects, stats.disconnected_since) == (2, 2, None)
    await first.close()
    assert (stats.open, stats.disconnected_since) == (1, None)
    await unopened.close()
    await second.close()
    assert (stats.open, stats.connects) == (0, 2)
    assert stats.disconnected_since is not None
