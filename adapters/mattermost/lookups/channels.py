"""The channels of posts: their types and names, which edits and deletions do not carry."""

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
"""Mattermost's channel types as the host names them."""


class Channel(NamedTuple):
    """`type` is D (direct), G (group message), P (private) or O (open)."""

    type: str
    name: str

    @property
    def chat_type(self) -> str:
        """The host's word for the type."""
        return CHAT_TYPES.get(self.type, "channel")


_UNKNOWN = Channel("O", "")


class Channels:
    """A bounded memory of channels; one that is not in it is asked for."""

    def __init__(self, client: MattermostClient) -> None:
        self._client = client
        self._channels: Bounded[str, Channel] = Bounded(KEEP_CHANNELS)

    async def of(self, item: Item) -> Channel:
        """Return the channel of a post, asking the server if need be."""
        channel_id = item.post.channel_id
        if item.channel_type:
            self._channels.put(channel_id, Channel(item.channel_type, item.channel_name))
        elif channel_id not in self._channels:
            try:
                row = await self._client.channel(channel_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a channel could not be looked up: %s", exc)
                return _UNKNOWN
            self._channels.put(channel_id, Channel(str(row.get("type", "O")), str(row.get("display_name", ""))))
        return self._channels[channel_id]

    def known(self, item: Item) -> Channel:
        """Return the channel of a post by what is known; an unknown one is no direct message."""
        if item.channel_type:
            return Channel(item.channel_type, item.channel_name)
        return self._channels.get(item.post.channel_id, _UNKNOWN)
