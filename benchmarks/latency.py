"""Measures the latency of messages, beside a slow attachment and among two hundred busy chats."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.measure import Metrics, Row, Target, interleaved, percentile
from benchmarks.sides import OURS, SIDES, STOCK, Side, mattermost_side, next_seq, signal_side
from benchmarks.traffic import Team, chunked, mattermost_event, packed, signal_event
from tests.fakes.mattermost_rest import Fault
from tests.fakes.signal_daemon import FakeSignalDaemon
from tests.process import megabytes

_SLOW_SECONDS = 2.0
_EVERY_SECONDS = 0.02
_CHATS = 200
_PER_SECOND = 100
_LOAD_SECONDS = 30.0


async def blocking_rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 3: messages of another chat, sent every 20 ms while an attachment takes two seconds."""
    rows = []
    for network, measure in (("Signal", _signal_blocked), ("Mattermost", _mattermost_blocked)):
        taken = await interleaved(max(int(rounds * scale), 1), {side: partial(measure, side) for side in SIDES})
        rows += _latencies(f"3 {network}, another chat's attachment is slow", taken, Target("ours", at_most=50))
    return rows


async def load_rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 4: 200 chats and 100 messages per second, one run in a separate process for each side."""
    taken = await interleaved(1, {side: partial(_in_a_process, side, _LOAD_SECONDS * scale) for side in SIDES})
    ours, stock = taken[OURS], taken[STOCK]
    group = f"4 Signal, {_CHATS} chats, {_PER_SECOND} events/s for {_LOAD_SECONDS * scale:.0f} s"
    return [
        *_latencies(group, taken, None),
        Row(group, "CPU", "% of one", "less", ours["cpu"], stock["cpu"]),
        Row(group, "resident memory at the end", "MB", "less", ours["rss"], stock["rss"]),
        Row(group, "grown by", "MB", "less", ours["grown"], stock["grown"]),
        Row(group, "most that waited in our queues", "events", "less", ours["depth"]),
    ]


def _latencies(group: str, taken: dict[str, Any], target: Target | None) -> list[Row]:
    return [
        Row(
            group, f"p{percent}", "ms", "less", taken[OURS][name], taken[STOCK][name], target if percent == 99 else None
        )
        for percent, name in ((50, "p50"), (99, "p99"))
    ]


async def _signal_blocked(name: str) -> Metrics:
    async with signal_side(name) as side:
        daemon: FakeSignalDaemon = side.server
        daemon.handlers["getAttachment"] = _slow_attachment
        slow = signal_event(0, 0, 0)
        slow["envelope"]["dataMessage"]["attachments"] = [{"id": "slow", "contentType": "text/plain", "size": 4}]
        side.write(chunked(slow))
        return await _latency_of(side, lambda number: _text(signal_event(1, number, 0), number))


async def _slow_attachment(_: dict[str, Any]) -> dict[str, str]:
    await asyncio.sleep(_SLOW_SECONDS)
    return {"data": base64.b64encode(b"slow").decode()}


async def _mattermost_blocked(name: str) -> Metrics:
    async with mattermost_side(name) as (side, team):
        info = side.server.add_file("slow.txt", b"slow", team.users[0])
        side.server.faults.append(Fault(delay=_SLOW_SECONDS, path=f"/files/{info['id']}"))
        slow = mattermost_event(team, 0, 0, 0)
        slow["data"]["post"] |= {"file_ids": [info["id"]]}
        side.write(packed(slow, next_seq(side.server, 1)))
        return await _latency_of(side, lambda number: _post(side, team, number))


def _text(event: dict[str, Any], number: int) -> bytes:
    message = event["envelope"]["dataMessage"]
    message["message"] = ("\ufffc " if message.get("mentions") else "") + f"number {number}"
    return chunked(event)


def _post(side: Side, team: Team, number: int) -> bytes:
    event = mattermost_event(team, 1, number, 0)
    event["data"]["post"]["message"] = f"number {number}"
    return packed(event, next_seq(side.server, 1))


async def _latency_of(side: Side, message: Callable[[int], bytes]) -> Metrics:
    """Return the milliseconds from writing a message to its arrival, for messages written at regular intervals."""
    latencies, _ = await _flow(side, message, int(_SLOW_SECONDS / _EVERY_SECONDS) * 5 // 4, _EVERY_SECONDS)
    return latencies


async def _flow(side: Side, message: Callable[[int], bytes], count: int, every: float) -> tuple[Metrics, int]:
    """Write `count` messages, one every `every` seconds; return their latencies and the longest queue meanwhile."""
    side.keeps_arrivals = True
    wires = [message(number) for number in range(count)]
    written, deepest = [], 0
    start = time.perf_counter()
    for number, wire in enumerate(wires):
        await asyncio.sleep(max(start + number * every - time.perf_counter(), 0))
        written.append(time.perf_counter())
        side.write(wire)
        deepest = max(deepest, side.waiting)
    async with asyncio.timeout(60):
        while sum(text.startswith("number ") for _, text in side.arrivals) < count:
            await asyncio.sleep(0.01)
    taken = [(at - written[int(text.split()[1])]) * 1000 for at, text in side.arrivals if text.startswith("number ")]
    return {"p50": percentile(taken, 50), "p99": percentile(taken, 99)}, deepest


async def _in_a_process(name: str, seconds: float) -> Metrics:
    """Run the load on one side in a separate process, so that its memory is not mixed with the other side's."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", f"{__package__}.latency", name, str(seconds)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the load on {name} failed: {errors.decode()}")
    metrics: Metrics = json.loads(output)
    return metrics


async def load(name: str, seconds: float) -> Metrics:
    """Send requests to all chats in turn, half of them direct and half in groups."""

    def message(number: int) -> bytes:
        return _text(signal_event(number % _CHATS, 1, 0, chats=_CHATS), number)

    async with signal_side(name) as side:
        before, busy = megabytes(), time.process_time()
        latencies, deepest = await _flow(side, message, int(seconds * _PER_SECOND), 1 / _PER_SECOND)
        after = megabytes()
        cpu = (time.process_time() - busy) / seconds * 100
    return {**latencies, "depth": deepest, "rss": after, "grown": after - before, "cpu": cpu}


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    print(json.dumps(asyncio.run(load(sys.argv[1], float(sys.argv[2])))))
