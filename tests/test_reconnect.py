"""The reconnection policy, without a clock."""

from __future__ import annotations

from itertools import islice

import pytest
from hermes_hardened_adapters.common.core.backoff import backoff
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.reconnect import Decision, Pace, classify


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_backoff_doubles_up_to_its_cap() -> None:
    assert list(islice(backoff(random=lambda: 0.5), 8)) == [2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("drawn", "first", "last"), [(0.0, 1.6, 48.0), (1.0, 2.4, 72.0)])
def test_backoff_jitter_has_bounds(drawn: float, first: float, last: float) -> None:
    delays = list(islice(backoff(random=lambda: drawn), 10))
    assert (delays[0], delays[-1]) == (pytest.approx(first), pytest.approx(last))


def test_backoff_starts_no_higher_than_its_cap() -> None:
    assert next(backoff(first=5, cap=3, random=lambda: 0.5)) == 3


@pytest.mark.parametrize("drawn", [0.0, 0.5, 1.0])
def test_a_refusing_peer_sees_three_requests_in_ten_seconds(drawn: float) -> None:
    """An immediate attempt after a break, then back-off: whatever the dice say."""
    at, requests = 0.0, [0.0]
    for delay in islice(backoff(random=lambda: drawn), 6):
        at += delay
        requests.append(at)
    assert all(later - earlier > 10 for earlier, later in zip(requests, requests[3:], strict=False))


def test_pace_lets_a_burst_pass_and_then_waits() -> None:
    clock = Clock()
    pace = Pace(limit=3, per=10.0, clock=clock)
    assert [pace.book() for _ in range(5)] == [0, 0, 0, 10, 10]
    clock.now += 30
    assert pace.book() == 0


def test_pace_keeps_a_longer_delay() -> None:
    pace = Pace(limit=1, per=10.0, clock=Clock())
    assert [pace.book(3), pace.book(30), pace.book()] == [3, 30, 40]


def test_pace_never_books_a_fourth_into_ten_seconds() -> None:
    clock = Clock()
    pace = Pace(clock=clock)
    booked = []
    for step in range(60):
        booked.append(clock.now + pace.book((step * 7) % 5))
        clock.now += 0.5
    booked.sort()
    assert all(later - earlier >= 10 for earlier, later in zip(booked, booked[3:], strict=False))


def test_classify() -> None:
    assert classify(ConnectionLost("gone")) is Decision.RETRY
    assert classify(Fatal("refused", "Do this.")) is Decision.STOP


@pytest.mark.parametrize("unknown", [ValueError("bug"), HardenedError("neither"), KeyboardInterrupt()])
def test_what_is_unknown_is_raised(unknown: BaseException) -> None:
    with pytest.raises(type(unknown)):
        classify(unknown)
