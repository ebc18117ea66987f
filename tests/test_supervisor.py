"""The supervisor, without a network: its links follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal

from tests.scripted_link import (
    HOLDS,
    OPENS_AND_IS_CUT,
    REFUSED,
    UNREACHABLE,
    WORKS_AND_IS_CUT,
    Script,
    lively,
    plays,
    supervised,
    well,
)
from tests.waiting import until

# -- opening and closing


@pytest.mark.parametrize(("script", "error"), [(REFUSED, Fatal), (UNREACHABLE, ConnectionLost)])
async def test_open_raises_what_came_instead_and_leaves_nothing(script: Script, error: type[Exception]) -> None:
    async with supervised(script) as peer:
        with pytest.raises(error):
            await peer.stream.open()
        assert peer.links[0].ended
        assert (len(peer.links), peer.deaths, peer.stream.stats.connects) == (1, [], 0)


async def test_open_again_after_close_but_not_before() -> None:
    async with supervised(HOLDS) as peer:
        await peer.stream.open()
        with pytest.raises(RuntimeError):
            await peer.stream.open()
        await peer.stream.close()
        await peer.stream.close()
        assert peer.links[0].ended
        await peer.stream.open()
        assert len(peer.links) == 2
        assert peer.deaths == []


# -- back-off


async def test_a_link_that_worked_is_replaced_at_once() -> None:
    async with supervised(WORKS_AND_IS_CUT, HOLDS) as peer:
        await peer.stream.open()
        await until(lambda: peer.stream.stats.reconnects)
        assert peer.time.slept == []
        assert peer.log == ["link 1 open", "link 1 ends", "link 2 open"]


async def test_back_off_is_reset_by_a_link_that_worked_and_by_no_other() -> None:
    scripts = (OPENS_AND_IS_CUT, UNREACHABLE, OPENS_AND_IS_CUT, WORKS_AND_IS_CUT, UNREACHABLE, HOLDS)
    async with supervised(*scripts) as peer:
        await peer.stream.open()
        await until(lambda: len(peer.links) == 6)
        first, second, third, *_, after_reset = peer.time.slept
        assert 1.6 <= first <= 2.4
        assert 3.2 <= second <= 4.8
        assert 6.4 <= third <= 9.6
        # Two seconds, or what is left of the rate limit; without the reset at least 12.8.
        assert after_reset < 7
        assert peer.stream.stats.connects == 4


async def test_it_gives_up_after_so_long_without_an_open_link() -> None:
    async with supervised(WORKS_AND_IS_CUT, UNREACHABLE) as peer:
        await peer.stream.open()
        await until(lambda: peer.deaths)
        (death,) = peer.deaths
        assert isinstance(death, ConnectionLost)
        assert str(death) == "no events for 30 s: nobody there"
        assert sum(peer.time.slept) == pytest.approx(30.0, abs=0.5)


@pytest.mark.parametrize(
    ("script", "code"),
    [(REFUSED, "peer_refused"), (plays(opens=False, then=ZeroDivisionError("private")), "peer_stream_failed")],
)
async def test_a_refusal_and_a_bug_end_it_once_and_after_all_is_closed(script: Script, code: str) -> None:
    async with supervised(lively, script, streams=2) as peer:
        ended: list[bool] = []
        peer.stream._on_dead = lambda exc: (peer.deaths.append(exc), ended.append(all(x.ended for x in peer.links)))
        await peer.stream.open()
        await until(lambda: peer.deaths)
        (death,) = peer.deaths
        assert isinstance(death, Fatal)
        assert death.code == code
        assert "private" not in str(death)
        assert ended == [True]
        assert peer.stream.stats.open == 0


# -- silence


async def test_without_a_limit_silence_is_nothing() -> None:
    async with supervised(HOLDS) as peer:
        await peer.stream.open()
        await peer.time.sleep(1e6)
        await asyncio.sleep(0.05)
        assert (len(peer.links), peer.stream.stats.stale) == (1, 0)


@pytest.mark.parametrize("check", [None, well(True)])
async def test_a_silent_link_is_closed_when_the_new_one_is_open(check: Callable[[], Awaitable[bool]] | None) -> None:
    async with supervised(HOLDS, lively, stale_after=0.05, check=check) as peer:
        await peer.stream.open()
        await until(lambda: peer.links[0].ended)
        assert peer.log == ["link 1 open", "link 2 open", "link 1 ends"]
        stats = peer.stream.stats
        await until(lambda: stats.reconnects)
        assert (stats.open, stats.stale, stats.reconnects, stats.disconnected_since) == (1, 1, 1, None)
        assert peer.time.slept == []


async def test_of_two_links_the_silent_one_ends_first() -> None:
    async with supervised(lively, HOLDS, lively, stale_after=0.05, streams=2) as peer:
        await peer.stream.open()
        await until(lambda: len(peer.links) == 3)
        await peer.links[2].wait_open(1)
        assert peer.log == ["link 1 open", "link 2 open", "link 2 ends", "link 3 open"]


async def test_silence_of_an_unwell_peer_is_a_lost_link() -> None:
    async with supervised(HOLDS, lively, stale_after=0.05, check=well(False)) as peer:
        await peer.stream.open()
        await until(lambda: len(peer.links) == 2)
        assert peer.log[:2] == ["link 1 open", "link 1 ends"]
        assert 1.6 <= peer.time.slept[0] <= 2.4


async def test_a_link_that_revives_during_the_check_stays() -> None:
    checks: list[int] = []

    async def check() -> bool:
        checks.append(1)
        peer.links[0].hears()
        return False

    async with supervised(HOLDS, stale_after=0.05, check=check) as peer:
        await peer.stream.open()
        await until(lambda: len(checks) == 2)
        assert (len(peer.links), peer.stream.stats.stale, peer.stream.stats.reconnects) == (1, 0, 0)
