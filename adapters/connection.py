"""What the connections of all networks have in common: state file, source and stream, opened and closed as a whole."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from ..common.core.chats import LiveChat
from ..common.core.policy import Policy
from ..common.inbound.health import take_snapshot
from ..common.inbound.observation import Observations
from ..common.inbound.pipeline import Source
from ..common.state.allowlist import RuntimeAllowlist
from ..common.state.snapshot import Snapshot, keep_snapshot_fresh
from ..common.state.store import shared
from ..common.stream.lifespan import Lifespan
from ..common.stream.supervisor import Supervisor


class BaseConnection(ABC):
    """Everything a connected account owns. Knows no host class.

    A network sets `source` and `stream`, and opens them in the order it needs with `_open_state`, `_attend` and
    `_open_stream`. `handover_seconds` is the time a closing connection has to hand over what it received.
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
        """Open the state file, and what was observed in earlier runs if that is kept."""
        resources = self._lifespan.resources
        await self._store.open()
        resources.push_async_callback(self._store.close)
        if self._persist_observed:
            await self._observed.persist(self._store)
            resources.callback(self._observed.forget_store)

    def _attend(self) -> None:
        """Close the source with the connection; meanwhile report its health and apply the operator's orders."""
        self._lifespan.resources.push_async_callback(self.source.close)
        self._lifespan.start_background(keep_snapshot_fresh(self._store, self.snapshot))
        self._lifespan.start_background(self._store.watch(self.source.apply_orders))

    async def _open_stream(self) -> None:
        await self.stream.open()
        self._lifespan.resources.push_async_callback(self._drain)

    async def _drain(self) -> None:
        """Stop listening, then hand over what was received already, all within `handover_seconds`."""
        end = time.monotonic() + self._handover_seconds
        await self.stream.close()
        await self.source.pipeline.workers.drain(end - time.monotonic())

    async def close(self) -> None:
        """Close everything that was opened. Idempotent."""
        await self._lifespan.close()

    async def flush(self) -> None:
        """Return when everything that is to be kept so far is on disk."""
        await self._store.flush()

    def snapshot(self) -> Snapshot:
        """Return the health of the connection."""
        return take_snapshot(self._network, self.stream.stats, self.source.pipeline, self._observed)

    @abstractmethod
    async def chats(self) -> list[LiveChat]:
        """Ask the network for our groups or channels; raises HardenedError."""

    @abstractmethod
    async def approved(self, chat_id: str) -> None:
        """Join a group or channel that the operator approved, if we are only invited."""
