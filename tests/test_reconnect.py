"""The reconnection policy, without a clock."""

from __future__ import annotations

from itertools import islice

import pytest
from hermes_hardened_adapters.common.core.backoff import backoff
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.reconnect import RateLimit, Reconnection, is_retryable
from hermes_hardened_adapters.common.stream.stats import StreamStats

from tests.fakes.clock import Time


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_a_refusing_peer_sees_three_requests_in_ten_seconds(drawn: float) -> None:
    """An immediate attempt after a break, then back-off: whatever the dice say."""
    at, requests = 0.0, [0.0]
    for delay in islice(backoff(random=lambda: drawn), 6):
        at += delay
        requests.append(at)
    assert all(later - earlier > 10 for earlier, later in zip(requests, requests[3:], strict=False))


def test_a_rate_limit_lets_a_burst_pass_and_then_waits() -> None:
    clock = Clock()
    limit = RateLimit(limit=3, per=10.0, clock=clock)
    assert [limit.reserve() for _ in range(5)] == [0, 0, 0, 10, 10]
    clock.now += 30
    assert limit.reserve() == 0


def test_a_rate_limit_keeps_a_longer_delay() -> None:
    limit = RateLimit(limit=1, per=10.0, clock=Clock())
    assert [limit.reserve(3), limit.reserve(30), limit.reserve()] == [3, 30, 40]


def test_a_rate_limit_never_admits_a_fourth_into_ten_seconds() -> None:
    clock = Clock()
    limit = RateLimit(clock=clock)
    reserved = []
    for step in range(60):
        reserved.append(clock.now + limit.reserve((step * 7) % 5))
        clock.now += 0.5
    reserved.sort()
    assert all(later - earlier >= 10 for earlier, later in zip(reserved, reserved[3:], strict=False))


def reconnection(stats: StreamStats, clock: Time) -> Reconnection:
    return Reconnection("signal", stats, 30.0, clock, clock.sleep)


def test_what_may_pass_is_retried_and_a_refusal_is_not() -> None:
    assert is_retryable(ConnectionLost("gone"))
    assert not is_retryable(Fatal("refused", "Do this."))
    reconnection(StreamStats(), Time()).raise_if_fatal(ConnectionLost("gone"))
    with pytest.raises(Fatal):
        reconnection(StreamStats(), Time()).raise_if_fatal(Fatal("refused", "Do this."))


@pytest.mark.parametrize("unknown", [ValueError("bug"), HardenedError("neither"), KeyboardInterrupt()])
def test_what_is_unknown_is_raised(unknown: BaseException) -> None:
    with pytest.raises(type(unknown)):
        reconnection(StreamStats(), Time()).raise_if_fatal(unknown)


async def test_waiting_ends_when_nothing_was_open_for_too_long() -> None:
    clock = Time()
    stats = StreamStats(disconnected_since=clock())
    policy = reconnection(stats, clock)
    policy.raise_if_fatal(ConnectionLost("status 503"))
    await policy.wait(20.0)
    with pytest.raises(ConnectionLost, match="no events for 30 s: status 503"):
        await policy.wait(20.0)
    assert sum(clock.slept) == pytest.approx(30.0, abs=0.1)


async def test_waiting_goes_on_while_another_link_is_open() -> None:
    clock = Time()
    await reconnection(StreamStats(), clock).wait(1000.0)
    assert clock.slept == [pytest.approx(1000.0)]


def test_a_bug_ends_the_stream_with_an_error_that_names_it() -> None:
    policy = reconnection(StreamStats(), Time())
    bug = policy.final_error(ZeroDivisionError("private words"))
    assert isinstance(bug, Fatal)
    assert bug.code == "signal_stream_failed"
    assert "ZeroDivisionError" in bug.remedy
    assert "private" not in str(bug)
    lost = ConnectionLost("gone")
    assert policy.final_error(lost) is lost
