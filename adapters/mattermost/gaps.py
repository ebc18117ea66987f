"""Closing gaps: posts missed while disconnected are fetched and queued before what arrives meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from ...common.core.backoff import backoff
from ...common.core.errors import HardenedError
from ...common.inbound.observation import Observations
from ...common.inbound.pipeline import Pipeline
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.cursors import Cursors
from .catchup import CatchUp
from .decode import Item, Kind, UserRemoved, added_by, parse_post
from .invitations import Invitations
from .rest.client import MattermostClient
from .rest.failures import ApiError

logger = logging.getLogger(__name__)

_CATCH_UP_SECONDS = 20.0
_FIRST_LISTING_SECONDS = 60.0
_DATE_MILLISECONDS = 1_000
"""Resolution of the time a server sends."""
_VERSIONS: dict[tuple[bool, bool], tuple[Kind, ...]] = {
    (False, False): ("posted",),
    (False, True): ("posted", "edited"),
    (True, False): ("deleted",),
    (True, True): ("deleted",),
}
"""What a fetched post may be to us, by whether it was deleted and whether it was edited."""


class Gaps:
    """Runs a catch-up for every gap. While one runs, new posts wait in their queues, so that order is kept."""

    def __init__(
        self,
        client: MattermostClient,
        pipeline: Pipeline[Item | UserRemoved],
        catch_up: CatchUp,
        cursors: Cursors,
        invitations: Invitations,
        allowlist: RuntimeAllowlist,
        observed: Observations,
    ) -> None:
        self._client = client
        self._pipeline = pipeline
        self._catch_up = catch_up
        self._cursors = cursors
        self._invitations = invitations
        self._allowlist = allowlist
        self._observed = observed
        self._found = 0
        self.running: asyncio.Task[None] | None = None
        self.caught_up = 0
        """Missed posts that were queued."""

    def found(self) -> None:
        """Catch up, because posts may have been missed. The first call starts the work on the queues, too."""
        self._cursors.hold()
        self._found += 1
        if self.running is None or self.running.done():
            self._pipeline.workers.hold()
            self.running = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def _run(self) -> None:
        """Fetch until nothing is missing. After a first failure work goes on, and posts fetched later come later.

        The first run of all waits longer: until the channels were listed once, nobody is heard in any of them.
        """
        workers = self._pipeline.workers
        began, at = time.monotonic(), self._client.server_clock.now() - _DATE_MILLISECONDS
        try:
            for delay in backoff():
                if await self._fetch():
                    self._cursors.release()
                    self._cursors.begin_everywhere(at)
                    return
                if not self._allowlist.is_new or time.monotonic() - began > _FIRST_LISTING_SECONDS:
                    workers.start()
                await asyncio.sleep(delay)
        finally:
            workers.start()

    async def _fetch(self) -> bool:
        """Fetch once over all channels; False if something is still missing."""
        found, complete = self._found, True
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                channels = await self._client.my_channels()
                left = await self._invitations.sync_channels(channels)
                observed = self._observed.chats()
                for channel in channels:
                    channel_id = str(channel.get("id"))
                    if channel_id not in left and not await self._fetch_channel(channel, channel_id in observed):
                        complete = False
        except (HardenedError, TimeoutError) as exc:
            logger.warning("missed posts could not be fetched: %s", exc or type(exc).__name__)
            return False
        return complete and found == self._found

    async def _fetch_channel(self, channel: dict[str, Any], is_observed: bool) -> bool:
        """Fetch what is missing of one channel; False if that has to be tried again."""
        channel_id = str(channel.get("id"))
        pseudonym = self._pipeline.trace.pseudonym(channel_id)
        try:
            posts = await self._catch_up.missed(channel, edited=is_observed)
        except (ApiError, ValueError) as exc:
            logger.warning("missed posts of channel %s cannot be fetched: %s", pseudonym, exc)
        except HardenedError as exc:
            logger.warning("missed posts of channel %s will be fetched later: %s", pseudonym, exc)
            return False
        else:
            if channel.get("type") == "G" and posts and not self._catch_up.has_all(channel, posts):
                self._invitations.notice(channel_id, None)
            self._queue(channel, posts)
        self._cursors.settle(channel_id)
        return True

    def _queue(self, channel: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        channel_id, channel_type, name = (str(channel.get(key, "")) for key in ("id", "type", "display_name"))
        posts = [post for post in map(parse_post, rows) if post is not None]
        self._pipeline.unhandled["malformed post"] += len(rows) - len(posts)
        me = self._pipeline.me
        last_addition = next((post.id for post in reversed(posts) if added_by(post, me)), None)
        items = []
        for post in posts:
            # A post that is known in another version counts as edited.
            for kind in _VERSIONS[bool(post.delete_at), bool(post.edit_at)]:
                item = Item(post, kind, channel_type, name, missed=True, is_over=post.id != last_addition)
                if self._pipeline.is_new(item.key):
                    items.append(item)
                    break
        if items:
            self.caught_up += len(items)
            logger.info("caught up %d posts of one channel", len(items))
            self._pipeline.workers.insert(channel_id, items, _order)


def _order(item: Item | UserRemoved) -> int:
    """Sort by time; a removal comes after all posts."""
    return item.changed_at if isinstance(item, Item) else 2**62
