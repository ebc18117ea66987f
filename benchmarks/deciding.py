"""Measures the cost of a decision alone, and of ignoring a message."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Iterable
from functools import partial
from unittest.mock import patch

from hermes_hardened_adapters.adapters.mattermost import decode as mattermost
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Inbound, Me, Unhandled
from hermes_hardened_adapters.common.core.policy import Policy, decide

from benchmarks.measure import Metrics, Row, Target, interleaved, series
from benchmarks.sides import OURS, SIDES, STOCK, mattermost_side, next_seq, signal_side
from benchmarks.traffic import Batch, mattermost_batch, signal_batch
from tests.fakes.mattermost_rest import new_id
from tests.fakes.signal_daemon import ACCOUNT, FIXTURES, OWN_ACI, recorded
from tests.mattermost_recorded import HERMES, NAMES, RECORDED, USERS, event_in, frames

_DECISIONS = 100_000
_IGNORED = 1_000
_WARM_UP = 100


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 6."""
    decisions = series(_decisions(int(_DECISIONS * scale)) for _ in range(rounds))
    found = [
        Row("6 Decisions", "decide() alone", "decisions/s", "more", decisions["rate"], target=Target("ours", 300_000))
    ]
    for label, ignored in (
        ("0.5 KB of a group", partial(_ignored, 500)),
        ("4 KB of a group", partial(_ignored, 4_000)),
        ("a post of a channel", _ignored_posts),
    ):
        taken = await interleaved(rounds, {side: partial(ignored, int(_IGNORED * scale), side) for side in SIDES})
        ours, stock = taken[OURS]["cpu"], taken[STOCK]["cpu"]
        found.append(Row("6 Decisions", f"ignoring {label} not served, CPU", "µs/event", "less", ours, stock))
    return found


def _decisions(count: int) -> Metrics:
    """Decide on all recorded messages that have content, in turn."""
    cases = [(inbound, Me(OWN_ACI, ACCOUNT)) for inbound in _signal()]
    cases += [(inbound, Me(HERMES)) for inbound in _mattermost()]
    policy = Policy(frozenset(inbound.chat.id for inbound, _ in cases), require_mention=True, aliases=("hermes",))
    turns = max(count // len(cases), 1)
    gc.collect()
    busy = time.process_time()
    for _ in range(turns):
        for inbound, me in cases:
            decide(inbound, me, policy, authority=Authority.ALLOWED)
    return {"rate": turns * len(cases) / (time.process_time() - busy)}


def _signal() -> Iterable[Inbound]:
    me = Me(OWN_ACI, ACCOUNT)
    for path in sorted(FIXTURES.glob("*.sse")):
        for line in recorded(path.stem).split(b"\n"):
            if line.startswith(b"data:"):
                yield from _readable(decode(line[5:].decode(), ACCOUNT, me))


def _mattermost() -> Iterable[Inbound]:
    ids: Callable[[str], str | None] = USERS.get
    for text in (text for name in RECORDED for text in frames(name)):
        if isinstance(event := event_in(text), mattermost.Posted):
            decoded = mattermost.to_inbound(
                event.post, Me(HERMES), ids, lambda user_id: NAMES.get(user_id, ""), channel_type=event.channel_type
            )
            yield from _readable(decoded.inbound)


def _readable(inbound: Inbound | Unhandled) -> Iterable[Inbound]:
    if isinstance(inbound, Inbound) and inbound.contentless is None:
        yield inbound


async def _ignored(size: int, count: int, name: str) -> Metrics:
    """Measure events in groups that are not served, except for the last one."""
    async with signal_side(name) as side:
        await side.take(signal_batch(_WARM_UP, size, served=False), arriving=1)
        batch = signal_batch(count, size, served=False)
        gc.collect()
        taken = await side.take(batch, arriving=1)
    return {"cpu": taken["cpu"] / batch.events * 1e6}


async def _ignored_posts(count: int, name: str) -> Metrics:
    """Measure posts in channels that are not served, except for the last one."""
    with patch.dict(os.environ, {"MATTERMOST_ALLOWED_CHANNELS": new_id()}):
        async with mattermost_side(name) as (side, team):

            def batch(size: int) -> Batch:
                return mattermost_batch(team, size, 0, next_seq(side.server, size), direct=False)

            await side.take(batch(_WARM_UP), arriving=1)
            measured = batch(count)
            gc.collect()
            taken = await side.take(measured, arriving=1)
    return {"cpu": taken["cpu"] / measured.events * 1e6}
