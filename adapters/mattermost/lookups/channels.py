"""The types and names of channels, which the frames of edits and deletions do not contain."""

from __future__ import annotations

import logging
from typing import NamedTuple

from ....common.core.bounded import Bounded
from ....common.core.errors import HardenedError
from ..decode import Item
from ..rest.client import MattermostClient

logger = logging.getLogger(__name__)

KEEP_CHANNELS = 5_000
CHAT_TYPES = {"D": "dm", "G": "group", "P": "group", "O": "channel"}
"""Maps Mattermost's channel types to the host's names for them."""


class Channel(NamedTuple):
    """`type` is D (direct), G (group message), P (private) or O (open)."""

    type: str
    name: str
    team_id: str = ""

    @property
    def chat_type(self) -> str:
        """The host's name for the type."""
        return CHAT_TYPES.get(self.type, "channel")


# Not "D": in an unknown channel, nobody may be answered as in a direct message.
_UNKNOWN = Channel("O", "")


class Channels:
    """A bounded cache of channels. Unknown ones are fetched."""

    def __init__(self, client: MattermostClient) -> None:
        self._client = client
        self._channels: Bounded[str, Channel] = Bounded(KEEP_CHANNELS)

    async def of(self, item: Item) -> Channel:
        """Return the channel of a post, fetched if it is unknown. A failure is logged and gives an open channel."""
        channel_id = item.post.channel_id
        if item.channel_type:
            self._channels.put(channel_id, Channel(item.channel_type, item.channel_name, item.team_id))
        return await self.fetch(channel_id)

    async def fetch(self, channel_id: str) -> Channel:
        """Return a channel by its id, like `of`."""
        if channel_id not in self._channels:
            try:
                row = await self._client.channel(channel_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a channel could not be looked up: %s", exc)
                # Not cached, so that the next post tries again.
                return _UNKNOWN
            fields = (str(row.get("type", "O")), str(row.get("display_name", "")), str(row.get("team_id", "")))
            self._channels.put(channel_id, Channel(*fields))
        return self._channels[channel_id]

    def chat_type(self, channel_id: str) -> str:
        """Return the host's type of a channel without asking the server."""
        return self._channels.get(channel_id, _UNKNOWN).chat_type

    def known(self, item: Item) -> Channel:
        """Return the channel of a post without asking the server. An unknown one does not count as a direct message."""
        if item.channel_type:
            return Channel(item.channel_type, item.channel_name, item.team_id)
        return self._channels.get(item.post.channel_id, _UNKNOWN)
