"""A link's life without a network: open, proved, silent, ended."""

from __future__ import annotations

import asyncio

import pytest
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal
from hermes_hardened_adapters.common.stream.link import PROVED_AFTER
from hermes_hardened_adapters.common.stream.stats import StreamStats

from tests.fakes.clock import Time
from tests.scripted_link import (
    HOLDS,
    NEVER_OPENS,
    REFUSED,
    WORKS_AND_IS_CUT,
    Peer,
)


async def test_a_link_is_proved_by_traffic_or_by_time() -> None:
    clock = Time()
    peer = Peer(HOLDS)
    link = peer.connect(StreamStats(), clock)
    assert (link.proved, link.silent_for(), link.ended) == (False, 0.0, False)
    await link.wait_open(1)
    assert not link.proved
    await clock.sleep(PROVED_AFTER)
    assert link.proved
    assert link.silent_for() >= PROVED_AFTER
    link.hears()
    assert link.silent_for() < 1
    await link.close()
    await link.close()
    assert link.ended
    with_traffic = Peer(WORKS_AND_IS_CUT).connect(StreamStats(), clock)
    assert await with_traffic.ends_within(1)
    assert with_traffic.proved
    assert str(with_traffic.failure) == "cut"


async def test_a_link_that_does_not_open_raises_why() -> None:
    refused = Peer(REFUSED).connect(StreamStats(), Time())
    with pytest.raises(Fatal, match="peer_refused"):
        await refused.wait_open(1)
    silent = Peer(NEVER_OPENS).connect(StreamStats(), Time())
    with pytest.raises(ConnectionLost, match="does not answer"):
        await silent.wait_open(0.01)
    assert not await silent.ends_within(0)
    await silent.close()


async def test_a_link_closed_before_it_began_does_not_keep_anybody_waiting() -> None:
    link = Peer(HOLDS).connect(StreamStats(), Time())
    opening = asyncio.create_task(link.wait_open(60))
    await link.close()
    with pytest.raises(ConnectionLost, match="closed"):
        await asyncio.wait_for(opening, 1)
