"""Invitations into channels: the bot serves a channel if an authorized person added it, and leaves others.

The server's own post about the addition names the actor. A group message (type G) has no such post and cannot be left:
the author of its first post counts as the actor.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from ...common.core.chats import Entry, LiveChat, Outcome, Status
from ...common.core.errors import HardenedError
from ...common.core.people import Authorization
from ...common.state.allowlist import RuntimeAllowlist
from .rest.client import MattermostClient

logger = logging.getLogger(__name__)

_NOBODY = ""


async def live_channels(client: MattermostClient) -> list[LiveChat]:
    """Fetch the channels that the bot is in, except direct ones; raises HardenedError."""
    channels = [channel for channel in await client.my_channels() if channel.get("type") != "D"]
    return [LiveChat(str(c.get("id")), str(c.get("display_name") or c.get("name", "")), "member") for c in channels]


class Invitations:
    """Decides by `policy` which additions are approved, and updates the runtime allowlist.

    Channels listed in the settings (`listed`) are never left.
    """

    def __init__(
        self,
        client: MattermostClient,
        allowlist: RuntimeAllowlist,
        policy: str,
        listed: frozenset[str] = frozenset(),
    ) -> None:
        self._client = client
        self._allowlist = allowlist
        self._policy = policy
        self._listed = listed
        self._last_listed: set[str] = set()
        self._to_leave: set[str] = set()

    def load(self, entries: Mapping[str, Entry]) -> None:
        """Load the channels known to earlier runs, and those that they failed to leave."""
        self._last_listed = set(entries)
        # A channel blocked without a known actor is not left: it turned up without an addition, which may still follow.
        self._to_leave = {c for c, entry in entries.items() if entry.status is Status.BLOCKED and entry.by != _NOBODY}

    def bars(self, channel_id: str) -> bool:
        """Return True if the channel is not served although the settings serve all channels."""
        return channel_id in self._allowlist.blocked and channel_id not in self._listed

    def knows(self, channel_id: str) -> bool:
        """Return True if the bot's addition to that channel is decided already, or needs no decision."""
        return self._policy != "approved-only" or channel_id in self._listed or self._allowlist.knows(channel_id)

    async def consider(self, channel_id: str, actor: Authorization) -> Outcome:
        """Decide on an addition of the bot, act on the decision and return it."""
        if self._policy == "ignore":
            return Outcome.IGNORED
        if (self._policy == "allow-all" or actor.rights.invites) and channel_id not in self._allowlist.revoked:
            self._allowlist.approve(channel_id, by=actor.user_id)
            outcome = Outcome.APPROVED
        elif channel_id in self._listed:
            outcome = Outcome.LISTED
        else:
            # The server does not add a member again, so an earlier membership has ended, even if we missed its end.
            self._allowlist.remove(channel_id)
            outcome = Outcome.APPROVED_BEFORE
            # An operator's approval is still in force: `remove` keeps the operator's orders.
            if channel_id not in self._allowlist.approved:
                self._allowlist.block(channel_id, by=actor.user_id)
                await self._leave(channel_id)
                outcome = Outcome.NOT_APPROVED
        channel, who = self._allowlist.pseudonym(channel_id), self._allowlist.pseudonym(actor.user_id)
        logger.info("added to channel %s by %s: %s", channel, who, outcome)
        return outcome

    def notice(self, channel_id: str, opener: Authorization | None) -> Outcome | None:
        """Decide on a channel that appeared without an addition; return None if it is known.

        A group message is approved if its `opener` may invite. Other channels are blocked until an addition follows.
        """
        if self.knows(channel_id) or self._allowlist.is_new:
            return None
        if opener is not None and opener.rights.invites:
            self._allowlist.approve(channel_id, by=opener.user_id)
            return Outcome.APPROVED
        self._allowlist.block(channel_id, by=opener.user_id if opener else _NOBODY)
        channel = self._allowlist.pseudonym(channel_id)
        logger.info("channel %s is not served: no person who may invite has added the bot", channel)
        return Outcome.NOT_APPROVED

    async def sync_channels(self, channels: Iterable[dict[str, Any]]) -> set[str]:
        """Compare with the list of all channels that the bot is in. Return those left now, after an earlier failure.

        In the first run, all of them count as present before. Later, a new channel stays unapproved until an addition
        is among the missed posts, and a group message until its first post.
        """
        types = {str(channel.get("id")): channel.get("type") for channel in channels}
        for channel_id in (
            self._last_listed | self._allowlist.approved | self._allowlist.blocked.keys()
        ) - types.keys():
            self.forget(channel_id)
        ours = [channel_id for channel_id, channel_type in types.items() if channel_type != "D"]
        self._last_listed = set(ours)
        if self._allowlist.is_new:
            self._allowlist.mark_preexisting(ours)
        for channel_id in ours:
            if types[channel_id] != "G":
                self.notice(channel_id, None)
        leaving = {c for c in self._to_leave if self.bars(c) and types.get(c) not in {None, "G"}}
        self._to_leave.clear()
        return {channel_id for channel_id in leaving if await self._leave(channel_id)}

    def forget(self, channel_id: str) -> None:
        """Forget a channel that the bot is no longer in, so that a new addition gets a new decision."""
        self._last_listed.discard(channel_id)
        self._allowlist.remove(channel_id)

    async def _leave(self, channel_id: str) -> bool:
        try:
            await self._client.leave_channel(channel_id)
        except (HardenedError, ValueError) as exc:
            logger.warning("channel %s could not be left: %s", self._allowlist.pseudonym(channel_id), exc)
            return False
        return True
