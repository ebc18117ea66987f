"""Everything a connected bot account owns, opened and closed as a whole. Knows no host class."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
from .invitations import live_channels
from .link import supervised_stream
from .rest.client import MattermostClient
from .settings import MattermostSettings
from .source import MattermostSource

logger = logging.getLogger(__name__)

_POST_SIZE = 16383
"""Code points of one post where the server does not say."""


class Connection:
    """State file, REST client, intake and WebSocket of one bot. `on_dead` is told when the stream has ended."""

    def __init__(
        self,
        settings: MattermostSettings,
        state: Path,
        observed: Observations,
        *,
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
        self.client = MattermostClient(settings.url, settings.token, ca_file=settings.ca_file)
        self.source = MattermostSource(settings, self.client, self._store, observed, host=host, deliver=deliver)
        self.allowlist, self.policy = self.source.allowlist, settings.policy()
        self.stream = supervised_stream(self.client, self.source.receive, self.source.gaps.found, on_dead)
        self.post_size = _POST_SIZE

    async def log_in(self) -> dict[str, Any]:
        """Our own user. Raises Fatal or ConnectionLost; then, too, `close` is owed."""
        if is_exposed(self._settings.url):
            logger.warning("MATTERMOST_URL is plain http beyond this machine: the token can be read on its way")
        return await self._lifespan.run(self._log_in())

    async def _log_in(self) -> dict[str, Any]:
        await self._lifespan.resources.enter_async_context(self.client)
        return await self.client.me()

    async def listen(self) -> None:
        """Return listening, with what was missed since the last run on its way. Raises as `log_in` does."""
        await self._lifespan.run(self._listen())

    async def _listen(self) -> None:
        resources = self._lifespan.resources
        await self._store.open()
        resources.push_async_callback(self._store.close)
        if self._settings.persist_observed:
            await self._observed.persist(self._store)
            resources.callback(self._observed.forget_store)
        await self.source.prepare(await self.client.me())
        resources.push_async_callback(self.source.close)
        self._lifespan.start_background(keep_snapshot_fresh(self._store, self.snapshot))
        self._lifespan.start_background(self._store.watch(self.source.apply_orders))
        await self.stream.open()
        resources.push_async_callback(self._let_go)
        self.source.gaps.found()
        self.post_size = await self._ask_post_size()

    async def approved(self, chat_id: str) -> None:
        """The operator approved a channel; we are in it already."""

    def snapshot(self) -> Snapshot:
        """How the connection is doing."""
        return take_snapshot("mattermost", self.stream.stats, self.source.pipeline, self._observed)

    async def chats(self) -> list[LiveChat]:
        """The channels we are in; raises HardenedError."""
        return await live_channels(self.client)

    async def flush(self) -> None:
        """Return when everything there is to keep so far is on disk."""
        await self._store.flush()

    async def close(self) -> None:
        """Close everything that was opened. Idempotent."""
        await self._lifespan.close()

    async def _ask_post_size(self) -> int:
        try:
            size = str((await self.client.config()).get("MaxPostSize", ""))
        except HardenedError as exc:
            logger.info("the server does not tell its limits: %s", exc)
            return _POST_SIZE
        return int(size) if size.isascii() and size.isdigit() and int(size) >= 1000 else _POST_SIZE

    async def _let_go(self) -> None:
        """Stop listening, then hand over what was received already, within `handover_seconds` in all."""
        end = time.monotonic() + self._handover_seconds
        await self.stream.close()
        await self.source.pipeline.workers.drain(end - time.monotonic())
