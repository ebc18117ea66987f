"""Base class of the networks' connections: state file, source and stream, opened and closed together."""

from __future__ import annotations

import os
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..common.core.chats import LiveChat
from ..common.core.policy import Policy
from ..common.inbound.observation import Observations
from ..common.inbound.pipeline import Pipeline, Source
from ..common.state.allowlist import RuntimeAllowlist
from ..common.state.snapshot import Snapshot, keep_snapshot_fresh
from ..common.state.store import shared
from ..common.stream.lifespan import Lifespan
from ..common.stream.stats import StreamStats
from ..common.stream.supervisor import Supervisor


class BaseConnection(ABC):
    """The resources of a connected account. Knows no host class.

    A network sets `source` and `stream`, and opens them in the order it needs with `_open_state`, `_attend` and
    `_open_stream`. `handover_seconds` limits the time in which a closing connection hands over received messages.
    """

    source: Source[Any]
    stream: Supervisor
    allowlist: RuntimeAllowlist
    policy: Policy

    def __init__(
        self, network: str, state: Path, observed: Observations, *, persist_observed: bool, handover_seconds: float
    ) -> None:
        self._network = network
        self._observed = observed
        self._persist_observed = persist_observed
        self._handover_seconds = handover_seconds
        self._store = shared(state)
        self._lifespan = Lifespan()

    async def _open_state(self) -> None:
        """Open the state file and, if the operator keeps observed text on disk, load it. Raises StateError."""
        resources = self._lifespan.resources
        await self._store.open()
        # Resources close in reverse order: the file is opened first because everything else writes to it until the end.
        resources.push_async_callback(self._store.close)
        if self._persist_observed:
            await self._observed.persist(self._store)
            resources.callback(self._observed.forget_store)

    def _attend(self) -> None:
        """Publish the connection's health and apply the operator's orders until closing, which also closes the source.

        Commands run in processes of their own; both travel through the state file.
        """
        self._lifespan.resources.push_async_callback(self.source.close)
        self._lifespan.start_background(keep_snapshot_fresh(self._store, self.snapshot))
        self._lifespan.start_background(self._store.watch(self.source.apply_orders))

    async def _open_stream(self) -> None:
        await self.stream.open()
        # Pushed last, so that draining runs while the source, the client and the state file are still open.
        self._lifespan.resources.push_async_callback(self._drain)

    async def _drain(self) -> None:
        """Stop listening, then hand over the received messages, all within `handover_seconds`."""
        # One deadline for both steps, because the host limits the time of a whole disconnect.
        end = time.monotonic() + self._handover_seconds
        await self.stream.close()
        await self.source.pipeline.workers.drain(end - time.monotonic())

    async def close(self) -> None:
        """Close all resources. Idempotent."""
        await self._lifespan.close()

    async def flush(self) -> None:
        """Wait until all pending writes are on disk."""
        await self._store.flush()

    def snapshot(self) -> Snapshot:
        """Return the health of the connection."""
        return take_snapshot(self._network, self.stream.stats, self.source.pipeline, self._observed)

    @abstractmethod
    async def chats(self) -> list[LiveChat]:
        """Fetch the list of our groups or channels from the network; raises HardenedError."""

    @abstractmethod
    async def approved(self, chat_id: str) -> None:
        """Join a group or channel that the operator approved, if the account is only invited."""


def take_snapshot(network: str, stats: StreamStats, pipeline: Pipeline[Any], observed: Observations) -> Snapshot:
    """Return the present state of a connection."""
    now = time.time()
    monotonic = time.monotonic()

    def unix(clock: float | None) -> float | None:
        return None if clock is None else now - (monotonic - clock)

    return Snapshot(
        network=network,
        at=now,
        process=os.getpid(),
        listening=stats.connects > 0 and stats.disconnected_since is None,
        last_byte=unix(stats.last_byte),
        last_event=unix(stats.last_event),
        reconnects=stats.reconnects,
        chats=pipeline.workers.chats,
        waiting=pipeline.workers.waiting,
        shed=pipeline.workers.shed,
        lost=pipeline.workers.lost,
        ledger=len(pipeline.ledger),
        observed=observed.count(),
        decisions=dict(pipeline.trace.counts),
        skipped=dict(pipeline.unhandled),
    )
