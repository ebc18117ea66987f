"""The health of a running connection, as the state file holds it."""

from __future__ import annotations

import os
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.connection import take_snapshot
from hermes_hardened_adapters.common.inbound.observation import Observations
from hermes_hardened_adapters.common.stream.stats import StreamStats


def pipeline() -> Any:
    return SimpleNamespace(
        workers=SimpleNamespace(chats=1, waiting=2, shed=3, lost=4),
        ledger=range(5),
        trace=SimpleNamespace(counts={"observe not addressed": 6}),
        unhandled={"typing": 7},
    )


@pytest.mark.parametrize(
    ("stats", "listening"),
    [
        (StreamStats(), False),
        (StreamStats(connects=1, open=1), True),
        (StreamStats(connects=2, disconnected_since=1.0), False),
    ],
)
def test_a_connection_listens_while_a_link_is_open(stats: StreamStats, listening: bool) -> None:
    assert take_snapshot("signal", stats, pipeline(), Observations("signal", time.time)).listening is listening


def test_times_are_those_of_the_wall_clock() -> None:
    stats = StreamStats(last_byte=time.monotonic() - 100, reconnects=8)
    snapshot = take_snapshot("signal", stats, pipeline(), Observations("signal", time.time))
    assert snapshot.last_byte == pytest.approx(time.time() - 100, abs=5)
    assert (snapshot.last_event, snapshot.process, snapshot.reconnects) == (None, os.getpid(), 8)
    assert (snapshot.chats, snapshot.waiting, snapshot.shed, snapshot.lost) == (1, 2, 3, 4)
    assert (snapshot.ledger, snapshot.observed) == (5, 0)
    assert snapshot.decisions == {"observe not addressed": 6}
    assert snapshot.skipped == {"typing": 7}
