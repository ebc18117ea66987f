"""The supervisor and the link's life, without a network: its links follow a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import pytest
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.link import PROVED_AFTER, Clock, Link
from hermes_hardened_adapters.common.stream.stats import StreamStats
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.clock import Time
from tests.waiting import until

Script = Callable[["ScriptedLink"], Awaitable[None]]


class ScriptedLink(Link):
    """Plays a script, then loses the connection."""

    def __init__(self, name: str, script: Script, log: list[str], stats: StreamStats, clock: Clock) -> None:
        self.name = name
        self.script = script
        self.log = log
        self.heard: list[str] = []
        super().__init__(stats, clock, unanswered="the peer does not answer")

    def opens(self) -> None:
        self._mark_open()
        self.log.append(f"{self.name} open")

    def hears(self, event: str = "event") -> None:
        self.received = True
        self._mark_alive()
        self._deliver(self.heard.append, event)

    async def _listen(self) -> NoReturn:
        try:
            await self.script(self)
        finally:
            self.log.append(f"{self.name} ends")
        raise ConnectionLost("cut")


def plays(*, opens: bool = True, hears: bool = False, then: Exception | None = None, hold: bool = False) -> Script:
    async def script(link: ScriptedLink) -> None:
        if opens:
            link.opens()
        if hears:
            link.hears()
        if hold:
            await asyncio.Event().wait()
        if then is not None:
            raise then

    return script


async def lively(link: ScriptedLink) -> None:
    link.opens()
    while True:
        link.hears()
        await asyncio.sleep(0.01)


HOLDS = plays(hold=True)
NEVER_OPENS = plays(opens=False, hold=True)
WORKS_AND_IS_CUT = plays(hears=True)
OPENS_AND_IS_CUT = plays()
REFUSED = plays(opens=False, then=Fatal("peer_refused", "do this"))
UNREACHABLE = plays(opens=False, then=ConnectionLost("nobody there"))


class Peer:
    """Answers the n-th link with the n-th script, the last one repeating."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts
        self.links: list[ScriptedLink] = []
        self.log: list[str] = []
        self.deaths: list[HardenedError] = []
        self.time = Time()
        self.stream: Supervisor

    def connect(self, stats: StreamStats, clock: Clock) -> ScriptedLink:
        number = len(self.links)
        script = self.scripts[min(number, len(self.scripts) - 1)]
        link = ScriptedLink(f"link {number + 1}", script, self.log, stats, clock)
        self.links.append(link)
        return link


@asynccontextmanager
async def supervised(*scripts: Script, **options: Any) -> AsyncIterator[Peer]:
    peer = Peer(*scripts)
    options = {"give_up_after": 30.0, "clock": peer.time, "sleep": peer.time.sleep, **options}
    peer.stream = Supervisor("peer", peer.connect, peer.deaths.append, **options)
    try:
        yield peer
    finally:
        await peer.stream.close()
        assert all(link.ended for link in peer.links)


def well(healthy: bool) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return healthy

    return check


# -- a link


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
