"""The connection of one bot account: state file, REST client, source and WebSocket."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...common.core.chats import LiveChat
from ...common.core.errors import HardenedError
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Awaits, Deliver, React, Report, TakeBack
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
"""Maximum code points of a post if the server reports no limit."""


class Connection(BaseConnection):
    """The connection of one bot. `on_dead` is called with the reason when the stream has ended for good."""

    source: MattermostSource

    def __init__(
        self,
        settings: MattermostSettings,
        state: Path,
        observed: Observations,
        *,
        host: HostAccess,
        deliver: Deliver,
        report: Report,
        on_dead: Callable[[HardenedError], None],
        handover_seconds: float,
        react: React | None = None,
        awaits: Awaits | None = None,
        take_back: TakeBack | None = None,
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
        self.source = MattermostSource(
            settings,
            self.client,
            self._store,
            observed,
            host=host,
            deliver=deliver,
            report=report,
            react=react,
            awaits=awaits,
            take_back=take_back,
        )
        self.allowlist, self.policy = self.source.allowlist, settings.policy()
        self.stream = supervised_stream(self.client, self.source.receive, self.source.gaps.report, on_dead)
        self.post_size = _POST_SIZE

    async def log_in(self) -> dict[str, Any]:
        """Prove the token and return our own user. Raises Fatal or ConnectionLost. Call `close` in either case."""
        if is_exposed(self._settings.url):
            logger.warning("MATTERMOST_URL is plain http beyond this machine: others can read the token on its way")
        return await self._lifespan.run(self._log_in())

    async def _log_in(self) -> dict[str, Any]:
        await self._lifespan.resources.enter_async_context(self.client)
        return await self.client.me()

    async def listen(self) -> None:
        """Open the stream and start fetching the posts missed since the last run. Raises the errors of `log_in`."""
        await self._lifespan.run(self._listen())

    async def _listen(self) -> None:
        await self._open_state()
        await self.source.prepare(await self.client.me())
        self._attend()
        await self._open_stream()
        # After the stream is open, so that no post falls between the fetched and the received ones.
        self.source.gaps.report()
        self.post_size = await self._ask_post_size()

    async def approved(self, chat_id: str) -> None:
        """Do nothing: on Mattermost, the bot is a member of every channel that it knows."""

    async def chats(self) -> list[LiveChat]:
        """Fetch the channels that the bot is in; raises HardenedError."""
        return await live_channels(self.client)

    async def _ask_post_size(self) -> int:
        try:
            size = str((await self.client.config()).get("MaxPostSize", ""))
        except HardenedError as exc:
            logger.info("the server did not report its limits: %s", exc)
            return _POST_SIZE
        return int(size) if size.isascii() and size.isdigit() and int(size) >= 1000 else _POST_SIZE
