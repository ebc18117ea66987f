"""Snapshots of a running gateway: what another process reads of them, and when it trusts them no longer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.state import meta
from hermes_hardened_adapters.common.state import snapshot as module
from hermes_hardened_adapters.common.state.snapshot import (
    FRESH_SECONDS,
    Snapshot,
    keep_snapshot_fresh,
    read_snapshot,
)
from hermes_hardened_adapters.common.state.store import Store

COUNTS: Mapping[str, int] = {"observe not addressed": 2, "dispatch mentions us": 3, "ignore nothing to read": 2}
SEEN = Snapshot("signal", 1000.0, 7, True, 990.0, None, 1, 2, 3, 0, 0, 4, 5, COUNTS, {})


@pytest.mark.parametrize(
    ("snapshot", "now", "fault"),
    [
        (SEEN, 1000.0 + FRESH_SECONDS, ""),
        (SEEN, 1001.0 + FRESH_SECONDS, "no gateway has been running for 21 s"),
        (SEEN, 1000.0 + 7200, "no gateway has been running for 2 hours"),
        (replace(SEEN, listening=False), 1000.0, "not connected: no open stream"),
        (replace(SEEN, listening=False), 1000.0 + 4 * 86400, "no gateway has been running for 4 days"),
    ],
)
def test_what_is_wrong(snapshot: Snapshot, now: float, fault: str) -> None:
    assert snapshot.fault(now) == fault
    assert dict(snapshot.rows(now))["state"] == (fault or "listening")


def test_rows_for_people() -> None:
    rows = dict(SEEN.rows(1000.0))
    assert (rows["last byte"], rows["last event"]) == ("10 s ago", "never")
    assert rows["decisions"] == "3 dispatch mentions us, 2 ignore nothing to read, 2 observe not addressed"
    assert rows["skipped"] == "none"
    assert rows["queues"] == "3 waiting in 2 chats"
    assert dict(replace(SEEN, shed=6, lost=1).rows(1000.0))["queues"].endswith(
        "6 of background and 1 to the agent dropped"
    )


async def test_the_last_one_stays_for_others_to_read(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 0.001)
    taken = iter(range(10**6))
    keeping = asyncio.create_task(keep_snapshot_fresh(store, lambda: replace(SEEN, reconnects=next(taken))))
    async with asyncio.timeout(5):
        while next(taken) < 50:
            await asyncio.sleep(0.001)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await store.flush()
    last = read_snapshot(store.path, "signal")
    assert last is not None
    assert last == replace(SEEN, reconnects=last.reconnects)
    assert last.reconnects == next(taken) - 1
    assert read_snapshot(store.path, "mattermost") is None


@pytest.mark.parametrize("written", ["{", "[]", '{"network": "signal"}', '{"of_another_version": 1}'])
async def test_one_of_another_version_is_named(store: Store, written: str) -> None:
    store.write(*meta.put("signal status", written))
    await store.flush()
    with pytest.raises(StateError, match="written by another version"):
        read_snapshot(store.path, "signal")
