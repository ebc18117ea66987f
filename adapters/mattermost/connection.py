"""Everything a connected bot account owns, opened and closed as a whole."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...common.core.chats import LiveChat
from ...common.core.errors import HardenedError
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Deliver
from ...common.inbound.observation import Observations
from ...common.settings.config import is_exposed
from ..connection import BaseConnection
from .invitations import live_channels
from .link import supervised_stream
from .rest.client import MattermostClient
from .settings import MattermostSettings
from .source import MattermostSource

logger = logging.getLogger(__name__)

_POST_SIZE = 16383
"""Code points of one post if the server reports no limit."""


class Connection(BaseConnection):
    """State file, REST client, source and WebSocket of one bot. `on_dead` is called when the stream has ended."""

    source: MattermostSource

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
        super().__init__(
            "mattermost",
            state,
            observed,
            persist_observed=settings.persist_observed,
            handover_seconds=handover_seconds,
        )
        self._settings = settings
        self.client = MattermostClient(settings.url, settings.token, ca_file=settings.ca_file)
        self.source = MattermostSource(settings, self.client, self._store, observed, host=host, deliver=deliver)
        self.allowlist, self.policy = self.source.allowlist, settings.policy()
        self.stream = supervised_stream(self.client, self.source.receive, self.source.gaps.found, on_dead)
        self.post_size = _POST_SIZE

    async def log_in(self) -> dict[str, Any]:
        """Return our own user. Raises Fatal or ConnectionLost. Call `close` in either case."""
        if is_exposed(self._settings.url):
            logger.warning("MATTERMOST_URL is plain http beyond this machine: others can read the token on its way")
        return await self._lifespan.run(self._log_in())

    async def _log_in(self) -> dict[str, Any]:
        await self._lifespan.resources.enter_async_context(self.client)
        return await self.client.me()

    async def listen(self) -> None:
        """Return once listening, with the posts missed since the last run on their way. Raises as `log_in` does."""
        await self._lifespan.run(self._listen())

    async def _listen(self) -> None:
        await self._open_state()
        await self.source.prepare(await self.client.me())
        self._attend()
        await self._open_stream()
        self.source.gaps.found()
        self.post_size = await self._ask_post_size()

    async def approved(self, chat_id: str) -> None:
        """Do nothing: we are in every channel that we know of."""

    async def chats(self) -> list[LiveChat]:
        """Return the channels we are in; raises HardenedError."""
        return await live_channels(self.client)

    async def _ask_post_size(self) -> int:
        try:
            size = str((await self.client.config()).get("MaxPostSize", ""))
        except HardenedError as exc:
            logger.info("the server does not report its limits: %s", exc)
            return _POST_SIZE
        return int(size) if size.isascii() and size.isdigit() and int(size) >= 1000 else _POST_SIZE
