"""Channels somebody added the bot to: whose act makes it stay. Who it was stands in the server's own post about it."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from ...common.chatbook import ChatBook
from ...common.errors import HardenedError
from ...common.identity import Standing
from ...common.served import LiveChat

logger = logging.getLogger(__name__)


class Lists(Protocol):
    """The call of `MattermostClient` used to see the channels."""

    async def my_channels(self) -> list[dict[str, Any]]: ...


async def live_channels(client: Lists) -> list[LiveChat]:
    """The channels we are in, direct ones left out; raises HardenedError."""
    channels = [channel for channel in await client.my_channels() if channel.get("type") != "D"]
    return [LiveChat(str(c.get("id")), str(c.get("display_name") or c.get("name", "")), "member") for c in channels]


class Leaves(Protocol):
    """The call of `MattermostClient` used here."""

    async def leave_channel(self, channel_id: str) -> None: ...


class Joins:
    """Judges additions by `policy`. Channels it disapproves of are in `barred` until the bot has left them."""

    def __init__(self, client: Leaves, book: ChatBook, policy: str) -> None:
        self._client = client
        self._book = book
        self._policy = policy
        self.barred: frozenset[str] = frozenset()

    async def consider(self, channel_id: str, adder: Standing) -> str:
        """What became of an addition: a verdict to trace."""
        if self._policy == "ignore":
            return "ignored by policy"
        approved = self._policy == "allow-all" or adder.listed or channel_id in self._book.approved
        if approved and channel_id not in self._book.revoked:
            self.barred -= {channel_id}
            self._book.approve(channel_id, by=adder.user_id)
            verdict = "approved"
        else:
            self.barred |= {channel_id}
            verdict = "not approved"
            try:
                await self._client.leave_channel(channel_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("channel %s could not be left: %s", self._book.pseudonym(channel_id), exc)
        channel, who = self._book.pseudonym(channel_id), self._book.pseudonym(adder.user_id)
        logger.info("added to channel %s by %s: %s", channel, who, verdict)
        return verdict

    def allow(self, channel_id: str) -> None:
        """The operator approved of a channel."""
        self.barred -= {channel_id}

    def still_in(self, channel_ids: set[str]) -> None:
        """These are all channels we are in: approvals of others are over."""
        for channel_id in self._book.approved - channel_ids:
            self.removed(channel_id)

    def removed(self, channel_id: str) -> None:
        """We are out of a channel; an addition starts from nothing."""
        self.barred -= {channel_id}
        self._book.forget(channel_id)
