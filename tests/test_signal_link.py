"""The supervised stream against real in-process servers: cut, refused, silent, late, and never more than asked for."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.link import supervised_stream
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.clock import Time
from tests.fakes.signal_daemon import (
    ACCOUNT,
    KEEPALIVE,
    FakeSignalDaemon,
    RawConnection,
    Script,
    frame,
    raw_daemon,
    recorded,
)
from tests.waiting import until


class Client(SignalClient):
    """The client, with a health check that passes, fails or hangs at will."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url, ACCOUNT)
        self.healthy = True
        self.checks = 0
        self.checking: asyncio.Event | None = None
        """The check hangs until this is set."""

    async def check(self) -> bool:
        self.checks += 1
        if self.checking is not None:
            await self.checking.wait()
        return self.healthy


@dataclass
class Listener:
    stream: Supervisor
    client: Client
    time: Time
    events: list[bytes]
    deaths: list[HardenedError]


@asynccontextmanager
async def listener(
    url: str, on_event: Callable[[bytes], None] | None = None, **options: Any
) -> AsyncIterator[Listener]:
    events: list[bytes] = []
    deaths: list[HardenedError] = []
    clock = Time()
    async with Client(url) as client:
        options = {"clock": clock, "sleep": clock.sleep, **options}
        stream = supervised_stream(client, on_event or events.append, deaths.append, **options)
        try:
            yield Listener(stream, client, clock, events, deaths)
        finally:
            await stream.close()


def plays(*bodies: bytes, end: str = "hold", log: list[str] | None = None, name: str = "") -> Script:
    """Headers, these chunks, then `end`: hold the connection open, abort it, or end the body."""

    async def script(connection: RawConnection) -> None:
        await connection.headers()
        if log is not None:
            log.append(f"{name} up")
        await connection.chunks(*bodies)
        match end:
            case "hold":
                await connection.hung_up()
                if log is not None:
                    log.append(f"{name} gone")
            case "abort":
                connection.abort()
            case "end":
                await connection.end()

    return script


def answers(status: int, content_type: str = "text/plain") -> Script:
    async def script(connection: RawConnection) -> None:
        await connection.status(status, content_type)

    return script


async def never_answers(connection: RawConnection) -> None:
    await connection.hung_up()


def event(number: int) -> bytes:
    return frame({"n": number})


def numbers(events: list[bytes]) -> list[int]:
    return [json.loads(data)["n"] for data in events]


# -- delivery


async def test_events_come_in_order_for_the_encoded_account() -> None:
    async with FakeSignalDaemon() as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await daemon.streams_open(1)
        await daemon.emit(*(event(n) for n in range(200)))
        await until(lambda: len(heard.events) == 200)
        assert numbers(heard.events) == list(range(200))
        ((_, headers, query),) = daemon.event_requests
        assert query == "account=%2B15550001111"
        assert headers["Accept"] == "text/event-stream"
        stats = heard.stream.stats
        assert (stats.open, stats.connects, stats.reconnects, stats.events, stats.skipped) == (1, 1, 0, 200, 0)
        assert stats.last_byte is not None
        assert stats.last_event is not None
        assert stats.disconnected_since is None


@pytest.mark.parametrize("cut", [0, 5, 14, 18, len(event(2)) - 2, len(event(2)) - 1])
@pytest.mark.parametrize("end", ["abort", "end"])
async def test_half_an_event_is_not_glued_to_the_next_connection(cut: int, end: str) -> None:
    first = plays(event(1), *([event(2)[:cut]] if cut else []), end=end)
    async with raw_daemon(first, plays(event(3))) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(heard.events) == 2)
        assert numbers(heard.events) == [1, 3]
        assert heard.time.slept == []
        # Counted by the supervisor, which may learn of the new link after its first event has been delivered.
        await until(lambda: heard.stream.stats.reconnects == 1)
        assert heard.stream.stats.connects == 2


async def test_giant_bad_and_byte_by_byte() -> None:
    giant = b"data:" + b"x" * 5_000_000 + b"\n\n"
    single = [recorded("dm_text")[i : i + 1] for i in range(len(recorded("dm_text")))]
    async with raw_daemon(plays(giant, b"data:\xff\xfe\n\n", *single)) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(heard.events) == 3)
        assert len(heard.events[0]) == 5_000_000
        assert heard.events[1] == b"\xff\xfe"
        assert json.loads(heard.events[2])["envelope"]["dataMessage"]["message"] == "hello"


async def test_an_event_beyond_the_cap_is_counted_and_the_stream_lives_on() -> None:
    async def script(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b"data:", *([b"x" * 2**22] * 17), b"\n\n", event(1))
        await connection.hung_up()

    async with raw_daemon(script) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: heard.events)
        assert numbers(heard.events) == [1]
        assert heard.stream.stats.skipped == 1


async def test_a_handler_that_raises_costs_one_event(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    def handle(data: str) -> None:
        seen.append(data)
        if len(seen) == 1:
            raise ValueError(data)

    async with raw_daemon(plays(event(1), event(2))) as daemon, listener(daemon.url, handle) as heard:
        await heard.stream.open()
        await until(lambda: len(seen) == 2)
        assert (heard.stream.stats.events, heard.stream.stats.skipped, heard.deaths) == (2, 1, [])
    assert "ValueError" in caplog.text
    assert "{" not in caplog.text


# -- refusals

OTHER_API = ("signal_other_api", False)


@pytest.mark.parametrize(
    ("script", "code", "heals"),
    [
        (answers(400), "signal_unknown_account", True),
        (answers(401), "signal_unauthorized", True),
        (answers(403), "signal_unauthorized", True),
        (answers(404), *OTHER_API),
        (answers(405), "signal_refused", True),
        (answers(421), "signal_host_pinned", True),
        (answers(301), "signal_redirected", False),
        (answers(204), *OTHER_API),
        (answers(200, "text/html"), *OTHER_API),
        (answers(200, "application/json"), *OTHER_API),
        (answers(429), None, None),
        (answers(500), None, None),
        (answers(503), None, None),
    ],
)
async def test_open_refused(script: Script, code: str | None, heals: bool | None) -> None:
    before = asyncio.all_tasks()
    async with raw_daemon(script) as daemon, listener(daemon.url) as heard:
        with pytest.raises(HardenedError) as refused:
            await heard.stream.open()
        await until(lambda: daemon.open == 0)
        if code is None:
            assert isinstance(refused.value, ConnectionLost)
        else:
            assert isinstance(refused.value, Fatal)
            assert (refused.value.code, refused.value.heals) == (code, heals)
        assert "15550001111" not in str(refused.value)
        assert (heard.stream.stats.open, heard.deaths) == (0, [])
    assert asyncio.all_tasks() == before


async def test_open_without_a_daemon_names_the_remedy(unused_tcp_port: int) -> None:
    async with listener(f"http://user:secret@127.0.0.1:{unused_tcp_port}") as heard:
        with pytest.raises(ConnectionLost, match="SIGNAL_HTTP_URL") as lost:
            await heard.stream.open()
        assert "secret" not in str(lost.value)
        assert "5550001" not in str(lost.value)


async def test_open_gives_up_on_a_daemon_that_never_answers() -> None:
    before = asyncio.all_tasks()
    async with raw_daemon(never_answers) as daemon, listener(daemon.url) as heard:
        with pytest.raises(ConnectionLost, match="does not answer"):
            await heard.stream.open(timeout=0.1)
        await until(lambda: daemon.open == 0)
    assert asyncio.all_tasks() == before


async def test_late_headers_are_normal() -> None:
    async with FakeSignalDaemon(header_delay=0.3) as daemon, listener(daemon.url, stale_after=0.1) as heard:
        await heard.stream.open()
        assert heard.stream.stats.open == 1
        assert len(daemon.event_requests) == 1


@pytest.mark.parametrize("streams", [1, 2])
async def test_a_pinned_host_is_cured_at_once(streams: int) -> None:
    pinned = FakeSignalDaemon(pinned_host="signal-cli:8080")
    async with pinned as daemon, listener(daemon.url, streams=streams) as heard:
        await heard.stream.open()
        await daemon.streams_open(streams)
        assert [headers["Host"] for _, headers, _ in daemon.event_requests[1:]] == ["localhost"] * streams
        assert heard.time.slept == []


async def test_a_host_pinned_meanwhile_by_another_subscription_is_no_refusal() -> None:
    async with raw_daemon(never_answers) as daemon, listener(daemon.url) as heard:

        async def pins(connection: RawConnection) -> None:
            heard.client.pin_host()
            await connection.status(421)

        async with raw_daemon(pins, plays()) as pinned:
            heard.client.base_url = pinned.url
            await heard.stream.open()
            assert "Host: localhost" in pinned.connections[1].head


@pytest.mark.parametrize(
    ("script", "code"),
    [(answers(400), "signal_unknown_account"), (answers(404), "signal_other_api"), (answers(204), "signal_other_api")],
)
async def test_a_refusal_while_running_ends_the_stream_once(script: Script, code: str) -> None:
    async with raw_daemon(plays(event(1), end="abort"), script) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: heard.deaths)
        await asyncio.sleep(0.05)
        (death,) = heard.deaths
        assert isinstance(death, Fatal)
        assert death.code == code
        assert (daemon.open, heard.stream.stats.open, len(daemon.connections)) == (0, 0, 2)


async def test_what_nobody_expected_ends_the_stream_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, str]:
        raise ZeroDivisionError(ACCOUNT)

    async with raw_daemon(plays(event(1), end="abort")) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        monkeypatch.setattr(heard.client, "headers", broken)
        await until(lambda: heard.deaths)
        (death,) = heard.deaths
        assert isinstance(death, Fatal)
        assert death.code == "signal_stream_failed"
        assert "5550001" not in str(death)


# -- back-off


async def test_503_then_200() -> None:
    scripts = (plays(event(1), end="abort"), answers(503), answers(503), plays(event(2)))
    async with raw_daemon(*scripts) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(heard.events) == 2)
        assert numbers(heard.events) == [1, 2]
        at_once_then = heard.time.slept
        assert len(at_once_then) == 2
        assert 1.6 <= at_once_then[0] <= 2.4
        assert heard.deaths == []


async def test_a_refusing_daemon_sees_three_requests_in_ten_seconds_and_is_given_up() -> None:
    requests: list[float] = []

    async def refuses(connection: RawConnection) -> None:
        requests.append(heard.time())
        await connection.status(503)

    async with raw_daemon(plays(KEEPALIVE, end="abort"), refuses) as daemon, listener(daemon.url) as heard:
        opened = heard.time()
        await heard.stream.open()
        await until(lambda: heard.deaths)
        assert 29 < heard.time() - opened < 33
        assert len(requests) >= 3
        assert all(later - earlier > 9.9 for earlier, later in zip(requests, requests[3:], strict=False))
        (death,) = heard.deaths
        assert isinstance(death, ConnectionLost)
        assert "503" in str(death)
        assert (heard.stream.stats.open, daemon.open) == (0, 0)


async def test_a_subscription_that_proved_nothing_is_no_reason_to_hurry() -> None:
    async with raw_daemon(plays(end="abort"), plays(end="abort"), plays()) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(daemon.connections) == 3)
        first, second = heard.time.slept
        assert 1.6 <= first <= 2.4
        assert 3.2 <= second <= 4.8


async def test_a_daemon_that_drops_us_after_every_byte_is_not_hammered() -> None:
    requests: list[float] = []

    async def drops(connection: RawConnection) -> None:
        requests.append(heard.time())
        await plays(KEEPALIVE, end="abort")(connection)

    async with raw_daemon(drops) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(daemon.connections) >= 12)
        assert all(later - earlier > 9.9 for earlier, later in zip(requests, requests[3:], strict=False))


async def test_two_streams_share_one_pace() -> None:
    async def frozen(_: float) -> None:
        await asyncio.Event().wait()

    drops = plays(KEEPALIVE, end="abort")
    async with raw_daemon(drops) as daemon, listener(daemon.url, streams=2, sleep=frozen) as heard:
        await heard.stream.open()
        await asyncio.sleep(0.2)
        assert len(daemon.connections) == 3


# -- silence


async def test_keepalives_keep_a_quiet_stream_alive() -> None:
    async with FakeSignalDaemon() as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await daemon.streams_open(1)
        for _ in range(12):
            await asyncio.sleep(0.05)
            await daemon.emit(KEEPALIVE)
        assert (heard.client.checks, heard.stream.stats.connects, heard.stream.stats.stale) == (0, 1, 0)


async def test_a_silent_stream_is_replaced_before_it_is_closed() -> None:
    log: list[str] = []

    async def late(connection: RawConnection) -> None:
        log.append("second asked")
        await asyncio.sleep(0.2)
        await plays(event(2), log=log, name="second")(connection)

    scripts = (plays(event(1), log=log, name="first"), late)
    async with raw_daemon(*scripts) as daemon, listener(daemon.url, stale_after=0.15) as heard:
        await heard.stream.open()
        await until(lambda: "first gone" in log)
        assert log == ["first up", "second asked", "second up", "first gone"]
        await until(lambda: len(heard.events) == 2)
        assert numbers(heard.events) == [1, 2]
        stats = heard.stream.stats
        await until(lambda: stats.reconnects)
        assert (daemon.open, stats.open, stats.stale, stats.reconnects) == (1, 1, 1, 1)
        assert (heard.client.checks, heard.time.slept, stats.disconnected_since) == (1, [], None)


async def test_a_black_hole_never_makes_more_than_two_subscriptions() -> None:
    most = 0
    async with FakeSignalDaemon() as daemon, listener(daemon.url, stale_after=0.1) as heard:
        await heard.stream.open()
        holes = []
        for round_ in range(3):
            await daemon.streams_open(1)
            holes += daemon.forget_streams()
            await until(lambda: daemon.streams)
            most = max(most, len(daemon.streams) + heard.stream.stats.open - 1)
            await daemon.emit(event(round_))
        await until(lambda: len(heard.events) == 3)
        assert numbers(heard.events) == [0, 1, 2]
        assert most <= 2
        assert heard.deaths == []


async def test_the_old_one_goes_on_when_it_revives_and_the_new_one_is_refused() -> None:
    revive = asyncio.Event()

    async def revives(connection: RawConnection) -> None:
        await connection.headers()
        await revive.wait()
        await connection.chunks(event(1))
        while True:
            await asyncio.sleep(0.05)
            await connection.chunks(KEEPALIVE)

    async def refuses(connection: RawConnection) -> None:
        revive.set()
        await asyncio.sleep(0.1)
        await connection.status(503)

    async with raw_daemon(revives, refuses) as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await until(lambda: heard.events)
        await asyncio.sleep(0.4)
        assert len(daemon.connections) == 2
        assert (daemon.open, heard.stream.stats.connects, heard.stream.stats.reconnects) == (1, 1, 0)


async def test_the_old_one_goes_on_when_it_revives_during_the_check() -> None:
    async with FakeSignalDaemon() as daemon, listener(daemon.url, stale_after=0.2) as heard:
        heard.client.checking = asyncio.Event()
        await heard.stream.open()
        await until(lambda: heard.client.checks)
        await daemon.emit(event(1))
        await until(lambda: heard.events)
        heard.client.checking.set()
        await asyncio.sleep(0.05)
        assert (len(daemon.event_requests), heard.stream.stats.stale) == (1, 0)


async def test_an_event_on_the_old_one_during_the_change_is_kept() -> None:
    asked = asyncio.Event()

    async def old(connection: RawConnection) -> None:
        await connection.headers()
        await asked.wait()
        await connection.chunks(event(1))
        await connection.hung_up()

    async def new(connection: RawConnection) -> None:
        asked.set()
        await asyncio.sleep(0.1)
        await plays(event(1), event(2))(connection)

    async with raw_daemon(old, new) as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await until(lambda: len(heard.events) == 3)
        assert numbers(heard.events) == [1, 1, 2]


async def test_silence_of_an_unwell_daemon_backs_off() -> None:
    async with raw_daemon(plays(KEEPALIVE), plays(event(1))) as daemon, listener(daemon.url, stale_after=0.1) as heard:
        heard.client.healthy = False
        await heard.stream.open()
        await until(lambda: heard.events)
        assert 1.6 <= heard.time.slept[0] <= 2.4
        assert daemon.connections[0] is not daemon.connections[1]
        assert heard.stream.stats.stale >= 1


async def test_silence_and_a_refused_successor_backs_off() -> None:
    scripts = (plays(KEEPALIVE), answers(503), plays(event(1)))
    async with raw_daemon(*scripts) as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await until(lambda: heard.events)
        assert 1.6 <= heard.time.slept[0] <= 2.4


async def test_a_successor_that_is_never_answered_is_no_successor() -> None:
    scripts = (plays(KEEPALIVE), never_answers, plays(event(1)))
    async with raw_daemon(*scripts) as daemon, listener(daemon.url, stale_after=0.2, open_within=0.1) as heard:
        await heard.stream.open()
        await until(lambda: heard.events)
        assert 1.6 <= heard.time.slept[0] <= 2.4


async def test_broken_framing_which_aiohttp_never_reports_is_healed_by_the_watch() -> None:
    async def breaks(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(event(1))
        await asyncio.sleep(0.05)
        await connection.send(b"no chunk size\r\n")

    async with raw_daemon(breaks, plays(event(2))) as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await until(lambda: len(heard.events) == 2)


# -- two streams


async def test_of_two_streams_one_may_die() -> None:
    async with FakeSignalDaemon() as daemon, listener(daemon.url, streams=2) as heard:
        await heard.stream.open()
        await daemon.streams_open(2)
        await daemon.emit(event(1))
        await until(lambda: len(heard.events) == 2)
        first, _ = daemon.streams
        await first.write(event(2)[:20])
        daemon.streams.remove(first)
        transport = first._req.transport  # type: ignore[union-attr]
        transport.abort()
        await daemon.emit(event(3))
        await daemon.streams_open(2)
        await daemon.emit(event(4))
        await until(lambda: len(heard.events) == 5)
        assert numbers(heard.events) == [1, 1, 3, 4, 4]
        stats = heard.stream.stats
        await until(lambda: stats.reconnects)
        assert (stats.open, stats.connects, stats.reconnects) == (2, 3, 1)


async def test_of_two_streams_a_silent_one_ends_before_its_successor_begins() -> None:
    log: list[str] = []

    async def lively(connection: RawConnection) -> None:
        await connection.headers()
        log.append("lively up")
        while True:
            await asyncio.sleep(0.03)
            await connection.chunks(KEEPALIVE)

    scripts = (lively, plays(KEEPALIVE, log=log, name="silent"), lively)
    async with raw_daemon(*scripts) as daemon, listener(daemon.url, streams=2, stale_after=0.15) as heard:
        await heard.stream.open()
        await until(lambda: len(log) == 4)
        assert log == ["lively up", "silent up", "silent gone", "lively up"]
        await asyncio.sleep(0.2)
        await until(lambda: heard.stream.stats.reconnects)
        assert (daemon.open, len(daemon.connections), heard.stream.stats.reconnects) == (2, 3, 1)


async def test_two_streams_that_fall_silent_together_are_not_replaced_together() -> None:
    async with (
        FakeSignalDaemon(header_delay=0.2) as daemon,
        listener(daemon.url, streams=2, stale_after=0.3) as heard,
    ):
        await heard.stream.open()
        await daemon.streams_open(2)
        await daemon.emit(event(0))
        await until(lambda: heard.stream.stats.stale == 1)
        fewest = 2
        for number in range(1, 200):
            await daemon.emit(event(number))
            await asyncio.sleep(0.002)
            fewest = min(fewest, heard.stream.stats.open)
        await until(lambda: 199 in numbers(heard.events))
        assert fewest == 1
        assert set(numbers(heard.events)) == set(range(200))


async def test_two_streams_give_up_together_and_once() -> None:
    drops = plays(KEEPALIVE, end="abort")
    async with raw_daemon(drops, drops, answers(503)) as daemon, listener(daemon.url, streams=2) as heard:
        await heard.stream.open()
        await until(lambda: heard.deaths)
        await asyncio.sleep(0.05)
        assert len(heard.deaths) == 1
        assert daemon.open == 0


async def test_a_refused_second_stream_ends_the_first_too() -> None:
    async with raw_daemon(plays(KEEPALIVE), answers(404)) as daemon, listener(daemon.url, streams=2) as heard:
        await heard.stream.open()
        await until(lambda: heard.deaths)
        assert heard.stream.stats.open == 0
        await until(lambda: daemon.open == 0)


async def test_one_of_two_streams_is_enough_for_ever() -> None:
    async with raw_daemon(plays(KEEPALIVE), answers(503)) as daemon, listener(daemon.url, streams=2) as heard:
        await heard.stream.open()
        await until(lambda: sum(heard.time.slept) > 200)
        assert heard.deaths == []
        assert daemon.open == 1


# -- opening and closing


async def assert_closes_quickly(heard: Listener) -> None:
    began = time.monotonic()
    await heard.stream.close()
    await heard.stream.close()
    assert time.monotonic() - began < 1


async def test_close_while_opening() -> None:
    async with raw_daemon(never_answers) as daemon, listener(daemon.url) as heard:
        opening = asyncio.create_task(heard.stream.open())
        await until(lambda: daemon.open == 1)
        await assert_closes_quickly(heard)
        with pytest.raises(ConnectionLost, match="closed"):
            await opening
        await until(lambda: daemon.open == 0)


async def test_opening_may_be_cancelled() -> None:
    async with raw_daemon(never_answers) as daemon, listener(daemon.url) as heard:
        opening = asyncio.create_task(heard.stream.open())
        await until(lambda: daemon.open == 1)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await until(lambda: daemon.open == 0)


async def test_close_during_back_off() -> None:
    async with raw_daemon(plays(end="abort")) as daemon, listener(daemon.url, sleep=asyncio.sleep) as heard:
        await heard.stream.open()
        await until(lambda: daemon.open == 0)
        await asyncio.sleep(0.05)
        await assert_closes_quickly(heard)
        assert len(daemon.connections) == 1


async def test_close_during_a_reconnect() -> None:
    async with raw_daemon(plays(KEEPALIVE, end="abort"), never_answers) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        await until(lambda: len(daemon.connections) == 2)
        await assert_closes_quickly(heard)
        await until(lambda: daemon.open == 0)


async def test_close_during_the_check_of_a_silent_daemon() -> None:
    async with raw_daemon(plays()) as daemon, listener(daemon.url, stale_after=0.1) as heard:
        heard.client.checking = asyncio.Event()
        await heard.stream.open()
        await until(lambda: heard.client.checks)
        await assert_closes_quickly(heard)
        await until(lambda: daemon.open == 0)


async def test_close_during_the_change() -> None:
    async with raw_daemon(plays(), never_answers) as daemon, listener(daemon.url, stale_after=0.1) as heard:
        await heard.stream.open()
        await until(lambda: daemon.open == 2)
        await assert_closes_quickly(heard)
        await until(lambda: daemon.open == 0)


async def test_open_twice_is_a_mistake_and_after_close_it_is_not() -> None:
    async with raw_daemon(plays(event(1))) as daemon, listener(daemon.url) as heard:
        await heard.stream.open()
        with pytest.raises(RuntimeError):
            await heard.stream.open()
        await heard.stream.close()
        await heard.stream.open()
        await until(lambda: len(heard.events) == 2)


async def test_fifty_cycles_leave_nothing_behind() -> None:
    async with raw_daemon(plays(event(1))) as daemon, listener(daemon.url, streams=2) as heard:
        await heard.stream.open()
        await heard.stream.close()
        await until(lambda: daemon.open == 0)
        before = asyncio.all_tasks()
        for _ in range(50):
            await heard.stream.open()
            await heard.stream.close()
        await until(lambda: asyncio.all_tasks() == before)
        assert heard.stream.stats.open == 0
        assert heard.deaths == []


async def test_neither_numbers_nor_words_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    words = b'data:{"private words"\n\n'
    scripts = (plays(words, end="abort"), answers(503), plays(words), answers(503), answers(404))
    async with raw_daemon(*scripts) as daemon, listener(daemon.url, stale_after=0.2) as heard:
        await heard.stream.open()
        await until(lambda: heard.deaths)
    assert "signal events interrupted" in caplog.text
    assert "private" not in caplog.text
    assert "5550001111" not in caplog.text
