"""Everything a connected account owns, opened and closed as a whole. Knows no host class."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path

from ...common.core.chats import LiveChat
from ...common.core.errors import HardenedError
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Deliver
from ...common.inbound.health import take_snapshot
from ...common.inbound.observation import Observations
from ...common.settings.config import is_exposed
from ...common.state.snapshot import Snapshot, keep_snapshot_fresh
from ...common.state.store import shared
from ...common.stream.lifespan import Lifespan
from .client import SignalClient
from .invitations import live_groups
from .link import supervised_stream
from .settings import SignalSettings
from .source import SignalSource

logger = logging.getLogger(__name__)

_LEARN_SECONDS = 8.0
"""How long opening waits for the daemon's contacts and groups; afterwards they come in the background."""
_UNRESOLVED_SECONDS = 30.0
_GRACE_SECONDS = 60.0
"""How long invitations that waited for us may take to come in."""


class Connection:
    """State file, RPC client, intake and event stream of one account. `on_dead` is told when the stream has ended."""

    def __init__(
        self,
        settings: SignalSettings,
        state: Path,
        observed: Observations,
        *,
        sent: Container[str],
        host: HostAccess,
        deliver: Deliver,
        on_dead: Callable[[HardenedError], None],
        handover_seconds: float,
    ) -> None:
        self._settings = settings
        self._handover_seconds = handover_seconds
        self._observed = observed
        self._store = shared(state)
        self._lifespan = Lifespan()
        self._known = asyncio.Event()
        self.client = SignalClient(settings.http_url, settings.account)
        self.source = SignalSource(settings, self.client, self._store, observed, sent=sent, host=host, deliver=deliver)
        self.allowlist, self.policy = self.source.allowlist, settings.policy()
        self.stream = supervised_stream(
            self.client,
            self.source.receive,
            on_dead,
            stale_after=settings.sse_stale_seconds,
            streams=settings.sse_streams,
        )

    async def open(self) -> None:
        """Return subscribed, with who is who known as far as the daemon told in time.

        Raises Fatal or ConnectionLost; then, too, `close` is owed.
        """
        await self._lifespan.run(self._open())

    async def _open(self) -> None:
        if is_exposed(self._settings.http_url):
            logger.warning(
                "SIGNAL_HTTP_URL is plain http beyond this machine: messages can be read, and sent, on the way"
            )
        resources = self._lifespan.resources
        await self._store.open()
        resources.push_async_callback(self._store.close)
        if self._settings.persist_observed:
            await self._observed.persist(self._store)
            resources.callback(self._observed.forget_store)
        await resources.enter_async_context(self.client)
        await self.source.prepare()
        resources.push_async_callback(self.source.close)
        self._lifespan.start_background(keep_snapshot_fresh(self._store, self.snapshot))
        self._lifespan.start_background(self._learn_account())
        self._lifespan.start_background(self._store.watch(self.source.apply_orders))
        await self.stream.open()
        resources.push_async_callback(self._let_go)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._known.wait(), _LEARN_SECONDS)
        self.source.pipeline.workers.start()

    async def approved(self, chat_id: str) -> None:
        """The operator approved a group: join it where we are only invited."""
        await self.source.invitations.accept(chat_id)

    def snapshot(self) -> Snapshot:
        """How the connection is doing."""
        return take_snapshot("signal", self.stream.stats, self.source.pipeline, self._observed)

    async def chats(self) -> list[LiveChat]:
        """The account's groups as the daemon has them; raises HardenedError."""
        return await live_groups(self.client, self.source.me)

    async def flush(self) -> None:
        """Return when everything there is to keep so far is on disk."""
        await self._store.flush()

    async def close(self) -> None:
        """Close everything that was opened. Idempotent."""
        await self._lifespan.close()

    async def _let_go(self) -> None:
        """Stop listening, then hand over what was received already, within `handover_seconds` in all."""
        end = time.monotonic() + self._handover_seconds
        await self.stream.close()
        await self.source.pipeline.workers.drain(end - time.monotonic())

    async def _learn_account(self) -> None:
        """Take stock, and ask again until everything is known that decides."""
        await self.source.learn_account()
        self._known.set()
        while unknown := self.source.unknown():
            logger.warning("%s", unknown)
            await asyncio.sleep(_UNRESOLVED_SECONDS)
            await self.source.learn_account()
        await asyncio.sleep(_GRACE_SECONDS)
        await self.source.end_grace_period()
