"""Measures the cost of a message from the socket to `handle_message`."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Awaitable, Callable
from functools import partial

from benchmarks.measure import Metrics, Row, Target, interleaved
from benchmarks.sides import OURS, SIDES, STOCK, UNCHECKED, mattermost_side, next_seq, signal_side
from benchmarks.traffic import CHATS, PEOPLE, Batch, Team, mattermost_batch, signal_batch
from tests.fakes.mattermost_rest import new_id

FLOOR = "floor"
_WARM_UP = 100
_NOT_SLOWER = Target("ratio", at_least=1)


async def signal_rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 1, in three sizes."""
    rows = []
    for label, size, count, target in (
        ("0.5 KB", 500, 2_000, _NOT_SLOWER),
        ("4 KB", 4_000, 1_000, None),
        ("200 KB", 200_000, 100, Target("ratio", at_least=3)),
    ):
        rows += await _rows("1 Signal inbound", label, rounds, partial(_signal, int(count * scale), size), target)
    return rows


async def mattermost_rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 2: posts of a line and of a page, and of a line after 2,000 earlier posts.

    After 2,000 posts within five minutes, stock sorts the ids it remembers again for each post.
    """
    rows = []
    for label, size, count, before in (
        ("0.8 KB", 0, 2_000, _WARM_UP),
        ("0.8 KB, after 2,000 more", 0, 1_000, 2_000),
        ("16 KB", 16_000, 500, _WARM_UP),
    ):
        measure = partial(_mattermost, int(count * scale), size, before)
        rows += await _rows("2 Mattermost inbound", label, rounds, measure, _NOT_SLOWER)
    return rows


async def _rows(
    group: str, label: str, rounds: int, measure: Callable[[str], Awaitable[Metrics]], target: Target | None
) -> list[Row]:
    taken = await interleaved(rounds, {side: partial(measure, side) for side in (*SIDES, UNCHECKED, FLOOR)})
    ours, stock, floor = taken[OURS], taken[STOCK], taken[FLOOR]
    alone = taken[UNCHECKED]
    note = f"bare json.loads of the same bytes: {floor['cpu'].median:,.1f} µs"
    return [
        Row(group, f"{label}, throughput", "events/s", "more", ours["rate"], stock["rate"], target),
        Row(group, f"{label}, stock without its sender check", "events/s", "more", ours["rate"], alone["rate"]),
        Row(group, f"{label}, CPU", "µs/event", "less", ours["cpu"], stock["cpu"], note=note),
        Row(
            group,
            f"{label}, CPU over the floor",
            "×",
            "less",
            ours["cpu"].over(floor["cpu"]),
            stock["cpu"].over(floor["cpu"]),
        ),
    ]


async def _signal(count: int, size: int, name: str) -> Metrics:
    batch = signal_batch(count, size)
    if name == FLOOR:
        return _floor(batch)
    async with signal_side(name) as side:
        await side.take(signal_batch(_WARM_UP, size))
        gc.collect()
        return _per_event(await side.take(batch), batch)


async def _mattermost(count: int, size: int, before: int, name: str) -> Metrics:
    if name == FLOOR:
        ids = tuple(new_id() for _ in range(CHATS))
        return _floor(mattermost_batch(Team(ids[:PEOPLE], ids), count, size, 0))
    async with mattermost_side(name) as (side, team):
        await side.take(mattermost_batch(team, before, size, next_seq(side.server, before)))
        batch = mattermost_batch(team, count, size, next_seq(side.server, count))
        gc.collect()
        return _per_event(await side.take(batch), batch)


def _floor(batch: Batch) -> Metrics:
    gc.collect()
    started, busy = time.perf_counter(), time.process_time()
    for body in batch.bodies:
        json.loads(body)
    return _per_event({"seconds": time.perf_counter() - started, "cpu": time.process_time() - busy}, batch)


def _per_event(taken: Metrics, batch: Batch) -> Metrics:
    return {"rate": batch.events / taken["seconds"], "cpu": taken["cpu"] / batch.events * 1e6}
