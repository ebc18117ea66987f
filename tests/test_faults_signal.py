"""Signal's events over a network that cuts, stalls, swallows and dribbles: each reaches the host once, in order."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.link import supervised_stream
from hermes_hardened_adapters.adapters.signal.sse import EventParser
from hermes_hardened_adapters.common.core.errors import HardenedError

from tests.fakes.clock import Time
from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    CAROL,
    CAROL_ACI,
    FIXTURES,
    GROUP,
    KEEPALIVE,
    FakeSignalDaemon,
    RawConnection,
    contact,
    group,
    raw_daemon,
    recorded,
)
from tests.fakes.tcp_proxy import Link, Mode, TcpProxy
from tests.figures import Figures
from tests.hosted import SignalHosted, hosted
from tests.traffic import KEEPALIVE_SECONDS, SPEAKERS, Tally, handed_over, hurry

NAMES = sorted(path.stem for path in FIXTURES.glob("*.sse"))
SMALL, BIG = "typing_start", "big_200k"
EVENTS = b"/api/v1/events"
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-encoding: chunked\r\nContent-type: text/event-stream\r\n\r\n"


def data_of(body: bytes) -> bytes:
    return next(line for line in body.split(b"\n") if line.startswith(b"data:"))[5:]


# -- cut at every byte


@pytest.mark.parametrize("name", NAMES)
def test_an_event_cut_at_any_byte_and_sent_again_is_one_event(name: str, figures: Figures) -> None:
    body = recorded(name)
    step = 997 if name == BIG else 1
    for offset in range(0, len(body), step):
        assert EventParser().feed(body[:offset]) == []
        (event,) = EventParser().feed(body)
        assert event.raw == data_of(body)
        figures.cuts += 1


def wire_offsets(name: str, length: int) -> list[int]:
    """Of the small fixture every byte, headers and chunk sizes included; of the others some, the edges among them."""
    if name == SMALL:
        return list(range(1, length))
    return sorted({len(HEAD), len(HEAD) + 3, len(HEAD) + 40, length // 2, length - 4, length - 1})


@pytest.mark.parametrize("name", NAMES)
async def test_a_response_cut_at_any_byte_hands_on_nothing_half(name: str, figures: Figures) -> None:
    body = recorded(name)
    wire = HEAD + b"%x\r\n%s\r\n" % (len(body), body)
    offsets = wire_offsets(name, len(wire))
    arrived = asyncio.Event()
    events: list[bytes] = []
    deaths: list[HardenedError] = []
    left = iter(offsets)

    async def whole(connection: RawConnection) -> None:
        arrived.clear()
        await connection.send(wire)
        await arrived.wait()
        connection.abort()

    async def cut(connection: RawConnection) -> None:
        await connection.send(wire[: next(left)])

    async def stay(connection: RawConnection) -> None:
        await connection.headers()
        await connection.hung_up()

    def take(data: bytes) -> None:
        events.append(data)
        arrived.set()

    clock = Time()
    async with (
        raw_daemon(*[whole, cut] * len(offsets), stay) as daemon,
        SignalClient(daemon.url, ACCOUNT) as client,
    ):
        stream = supervised_stream(client, take, deaths.append, give_up_after=1e9, clock=clock, sleep=clock.sleep)
        await stream.open()
        async with asyncio.timeout(30):
            while len(daemon.connections) <= 2 * len(offsets):
                await asyncio.sleep(0.005)
        await stream.close()
    figures.cuts += len(offsets)
    complete = sum(offset >= len(wire) - 2 for offset in offsets)
    assert deaths == []
    assert set(events) == {data_of(body)}
    assert len(events) == len(offsets) + complete


# -- the real adapter in the real host


@pytest.fixture
async def daemon(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeSignalDaemon]:
    """A healthy daemon that gives signs of life."""
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
    monkeypatch.setenv("SIGNAL_GROUP_ALLOWED_USERS", GROUP)
    hurry(monkeypatch)
    async with FakeSignalDaemon(groups=[group()]) as daemon:
        daemon.contacts += [contact(ALICE, ALICE_ACI, "Alice"), contact(CAROL, CAROL_ACI, "Carol")]
        beating = asyncio.create_task(_beat(daemon))
        yield daemon
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)


async def _beat(daemon: FakeSignalDaemon) -> None:
    while True:
        await daemon.emit(KEEPALIVE)
        await asyncio.sleep(KEEPALIVE_SECONDS)


@asynccontextmanager
async def behind_a_proxy(daemon: FakeSignalDaemon, streams: int) -> AsyncIterator[tuple[SignalHosted, TcpProxy]]:
    async with TcpProxy(daemon.url, watched=EVENTS) as proxy:
        direct, daemon.url = daemon.url, proxy.url
        async with hosted(daemon, sse_streams=streams) as host:
            await standing(host, daemon, proxy, streams)
            yield host, proxy
        daemon.url = direct


async def standing(host: SignalHosted, daemon: FakeSignalDaemon, proxy: TcpProxy, streams: int) -> None:
    """Wait until all subscriptions stand and nothing but them is subscribed."""
    stats = host.adapter.connection.stream.stats
    await proxy.until(lambda: stats.open == len(daemon.streams) == len(proxy.asking()) == streams)


async def _reset(link: Link) -> None:
    link.reset()


async def _half_close(link: Link) -> None:
    link.half_close()


async def _swallow(link: Link) -> None:
    link.mode = Mode.BLACK_HOLE


async def _dribble(link: Link) -> None:
    link.mode = Mode.BYTEWISE


async def _delay(link: Link) -> None:
    link.mode, link.delay = Mode.DELAY, 0.2


FAULTS: tuple[Callable[[Link], Awaitable[None]], ...] = (_reset, _half_close, _swallow, _dribble, _delay)


@pytest.mark.parametrize("seed", [1, 2])
async def test_with_two_streams_the_faults_of_one_lose_nothing(
    daemon: FakeSignalDaemon, figures: Figures, caplog: pytest.LogCaptureFixture, seed: int
) -> None:
    chance, tally = random.Random(seed), Tally()
    async with behind_a_proxy(daemon, 2) as (host, proxy):
        got = handed_over(host.adapter)

        async def talk(rounds: int) -> None:
            for _ in range(rounds):
                events = [speak(tally) for speak in chance.sample(SPEAKERS, len(SPEAKERS))]
                await daemon.emit_event(*events, chance.choice(events))
                await asyncio.sleep(0.005)

        for fault in chance.sample(FAULTS, len(FAULTS)):
            await talk(2)
            link = chance.choice(proxy.asking())
            await fault(link)
            figures.cuts += 1
            await talk(4)
            if fault in (_dribble, _delay):
                link.mode = Mode.PASS
                await proxy.until(lambda link=link: not link.under_way)  # type: ignore[misc]
            else:
                await proxy.until(lambda link=link: not link.open)  # type: ignore[misc]
            await standing(host, daemon, proxy, 2)
        with suppress(TimeoutError):
            await host.until(lambda: tally.all_in(got))
        await host.settled()
        assert tally.settle(got, figures) == (0, 0)
        assert tally.arrived(got) == tally.sent
        assert proxy.peak == 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_one_stream_swallowed_while_the_daemon_is_well_is_replaced(
    daemon: FakeSignalDaemon, figures: Figures
) -> None:
    tally = Tally()
    async with behind_a_proxy(daemon, 1) as (host, proxy):
        got = handed_over(host.adapter)
        await daemon.emit_event(*(speak(tally) for speak in SPEAKERS))
        (silent,) = proxy.asking()
        await host.until(lambda: tally.all_in(got))
        silent.mode = Mode.BLACK_HOLE
        figures.cuts += 1
        await proxy.until(lambda: not silent.open)
        await standing(host, daemon, proxy, 1)
        await daemon.emit_event(*(speak(tally) for speak in SPEAKERS * 3))
        with suppress(TimeoutError):
            await host.until(lambda: tally.all_in(got))
        await host.settled()
        assert tally.settle(got, figures) == (0, 0)
        assert tally.arrived(got) == tally.sent
        assert proxy.peak == 2, "the new stream is open before the old one is closed"
        assert host.adapter.connection.stream.stats.stale == 1
