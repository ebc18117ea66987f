"""Gaps in the stream: queues the posts missed while disconnected, ahead of those that arrive during the catch-up."""

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
"""Maximum duration of one attempt over all channels."""
_FIRST_LISTING_SECONDS = 60.0
"""Time after which received posts are handled although the channels have never been listed."""
_DATE_MILLISECONDS = 1_000
"""Resolution of the server's time, which comes from an HTTP header."""
_VERSIONS: dict[tuple[bool, bool], tuple[Kind, ...]] = {
    (False, False): ("posted",),
    (False, True): ("posted", "edited"),
    (True, False): ("deleted",),
    (True, True): ("deleted",),
}
"""Maps (deleted, edited) of a fetched post to its possible kinds of event; the first one with a new key is used."""


class Gaps:
    """Runs a catch-up for every gap. While it runs, new posts wait in their queues, so that order is kept."""

    def __init__(
        self,
        client: MattermostClient,
        pipeline: Pipeline[Any],
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
        self._reported = 0
        self.running: asyncio.Task[None] | None = None
        self.caught_up = 0
        """Number of missed posts that were queued."""

    def report(self) -> None:
        """Start a catch-up, because posts may have been missed. After the first call, the workers start as well."""
        # A post received from here on must not move a cursor past the missed ones.
        self._cursors.hold()
        self._reported += 1
        if self.running is None or self.running.done():
            self._pipeline.workers.hold()
            self.running = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self.running is not None:
            self.running.cancel()
            await asyncio.gather(self.running, return_exceptions=True)

    async def _run(self) -> None:
        """Fetch until nothing is missing. After a failed attempt, the workers start, and late posts come out of order.

        In the very first run they wait longer, because no channel is served before the channels were listed once.
        """
        workers = self._pipeline.workers
        # Read before the first attempt: a post written during the attempt may be missing from it.
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
        """Fetch the missed posts of all channels; return False if some are still missing."""
        reported, complete = self._reported, True
        try:
            async with asyncio.timeout(_CATCH_UP_SECONDS):
                channels = await self._client.my_channels()
                # Before any post is queued: the posts must meet an up-to-date list of served channels.
                left = await self._invitations.sync_channels(channels)
                observed = self._observed.chats()
                for channel in channels:
                    channel_id = str(channel.get("id"))
                    if channel_id not in left and not await self._fetch_channel(channel, channel_id in observed):
                        complete = False
        except (HardenedError, TimeoutError) as exc:
            logger.warning("missed posts could not be fetched: %s", exc or type(exc).__name__)
            return False
        # Another gap may have opened during the attempt, in a channel that was fetched already.
        return complete and reported == self._reported

    async def _fetch_channel(self, channel: dict[str, Any], is_observed: bool) -> bool:
        """Fetch and queue the missed posts of one channel; return False if it has to be tried again."""
        channel_id = str(channel.get("id"))
        pseudonym = self._pipeline.trace.pseudonym(channel_id)
        try:
            posts = await self._catch_up.missed(channel, edited=is_observed)
        except (ApiError, ValueError) as exc:
            # The server would refuse again, for example because the bot left meanwhile. The other channels go on.
            logger.warning("missed posts of channel %s cannot be fetched: %s", pseudonym, exc)
        except HardenedError as exc:
            logger.warning("missed posts of channel %s will be fetched later: %s", pseudonym, exc)
            return False
        else:
            # The author of a group message's first post counts as its opener, so a later post must not pass for it.
            if channel.get("type") == "G" and posts and not self._catch_up.has_all(channel, posts):
                self._invitations.notice(channel_id, None)
            self._queue(channel, posts)
        self._cursors.settle(channel_id)
        return True

    def _queue(self, channel: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        keys = ("id", "type", "display_name", "team_id")
        channel_id, channel_type, name, team_id = (str(channel.get(key, "")) for key in keys)
        posts = [post for post in map(parse_post, rows) if post is not None]
        self._pipeline.unhandled["malformed post"] += len(rows) - len(posts)
        me = self._pipeline.me
        last_addition = next((post.id for post in reversed(posts) if added_by(post, me)), None)
        items = []
        for post in posts:
            # The ledger decides whether an edited post is new to us, or a new version of a known post.
            for kind in _VERSIONS[bool(post.delete_at), bool(post.edit_at)]:
                superseded = post.id != last_addition
                item = Item(post, kind, channel_type, name, team_id=team_id, missed=True, is_superseded=superseded)
                if self._pipeline.is_new(item.key):
                    items.append(item)
                    break
        if items:
            self.caught_up += len(items)
            logger.info("caught up on %d missed posts of one channel", len(items))
            self._pipeline.workers.insert(channel_id, items, _order)


def _order(item: Item | UserRemoved) -> int:
    """Return the sort key: the time of a post. A removal comes after all posts."""
    return item.changed_at if isinstance(item, Item) else 2**62
