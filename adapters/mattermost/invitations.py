"""Channels the bot is in: whose act made it so, and what becomes of those that nobody's act explains.

Who added us is in the server's own post about it. Nobody tells who opened a group message (type G), which cannot be
left either: the author of the first post in it is taken for the one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from ...common.core.chats import Entry, LiveChat, Status
from ...common.core.errors import HardenedError
from ...common.core.people import Authorization
from ...common.state.allowlist import RuntimeAllowlist

logger = logging.getLogger(__name__)

_NOBODY = ""


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
    """Judges by `policy` how we came into channels. Those `listed` in the settings are nobody's to judge."""

    def __init__(
        self, client: Leaves, book: RuntimeAllowlist, policy: str, listed: frozenset[str] = frozenset()
    ) -> None:
        self._client = client
        self._book = book
        self._policy = policy
        self._listed = listed
        self._heard_of: set[str] = set()
        self._to_leave: set[str] = set()

    def load(self, entries: Mapping[str, Entry]) -> None:
        """What earlier runs knew, and what they could not leave."""
        self._heard_of = set(entries)
        self._to_leave = {c for c, entry in entries.items() if entry.status is Status.BLOCKED and entry.by != _NOBODY}

    def bars(self, channel_id: str) -> bool:
        """Whether the channel is not served, although the settings serve all."""
        return channel_id in self._book.blocked and channel_id not in self._listed

    def knows(self, channel_id: str) -> bool:
        """Whether it is settled how we came into that channel, or nobody wants to know."""
        return self._policy != "approved-only" or channel_id in self._listed or self._book.knows(channel_id)

    async def consider(self, channel_id: str, adder: Authorization) -> str:
        """What became of an addition: a verdict to trace."""
        if self._policy == "ignore":
            return "ignored by policy"
        if (self._policy == "allow-all" or adder.rights.invites) and channel_id not in self._book.revoked:
            self._book.approve(channel_id, by=adder.user_id)
            verdict = "approved"
        elif channel_id in self._listed:
            verdict = "listed"
        else:
            # Nobody is added who is a member: an earlier invitation is over, also if we missed its end.
            self._book.remove(channel_id)
            verdict = "approved before"
            if channel_id not in self._book.approved:
                self._book.block(channel_id, by=adder.user_id)
                await self._leave(channel_id)
                verdict = "not approved"
        channel, who = self._book.pseudonym(channel_id), self._book.pseudonym(adder.user_id)
        logger.info("added to channel %s by %s: %s", channel, who, verdict)
        return verdict

    def meet(self, channel_id: str, opener: Authorization | None) -> str | None:
        """A channel shows that is not known yet, a group message with its `opener`: the verdict to trace, or None."""
        if self.knows(channel_id) or self._book.is_new:
            return None
        if opener is not None and opener.rights.invites:
            self._book.approve(channel_id, by=opener.user_id)
            return "approved"
        self._book.block(channel_id, by=opener.user_id if opener else _NOBODY)
        logger.info("channel %s is not served: nobody who may has added us", self._book.pseudonym(channel_id))
        return "not approved"

    async def listed_now(self, channels: Iterable[dict[str, Any]]) -> set[str]:
        """These are all channels we are in; those of them we leave now, because it failed before.

        In the first run they were there before us. Later ones wait unapproved for an act among the missed posts, and
        group messages for their first post.
        """
        types = {str(channel.get("id")): channel.get("type") for channel in channels}
        for channel_id in (self._heard_of | self._book.approved | self._book.blocked.keys()) - types.keys():
            self.removed(channel_id)
        ours = [channel_id for channel_id, channel_type in types.items() if channel_type != "D"]
        self._heard_of = set(ours)
        if self._book.is_new:
            self._book.mark_preexisting(ours)
        for channel_id in ours:
            if types[channel_id] != "G":
                self.meet(channel_id, None)
        leaving = {c for c in self._to_leave if self.bars(c) and types.get(c) not in {None, "G"}}
        self._to_leave.clear()
        return {channel_id for channel_id in leaving if await self._leave(channel_id)}

    def removed(self, channel_id: str) -> None:
        """We are out of a channel; an addition starts from nothing."""
        self._heard_of.discard(channel_id)
        self._book.remove(channel_id)

    async def _leave(self, channel_id: str) -> bool:
        try:
            await self._client.leave_channel(channel_id)
        except (HardenedError, ValueError) as exc:
            logger.warning("channel %s could not be left: %s", self._book.pseudonym(channel_id), exc)
            return False
        return True
