"""From a post on its way through its channel's queue to an `Inbound`, asking the server for what it does not show."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from ...common.core.errors import HardenedError
from ...common.core.events import Inbound, Me, Origin
from ...common.core.wording import Foreign
from ...common.core.wording import name as as_name
from .decode import Decoded, Kind, to_inbound
from .usernames import Usernames
from .wire import Post

logger = logging.getLogger(__name__)

KEEP_CHANNELS = 5_000


@dataclass(frozen=True, slots=True)
class Item:
    """A post on its way through its channel's queue."""

    post: Post
    kind: Kind
    channel_type: str = ""
    """D, G, P or O; empty where the frame did not say."""
    channel_name: str = ""
    sender_name: str = ""
    mentioned: tuple[str, ...] = ()
    """Whom the server notifies of it, as far as it said."""
    missed: bool = False
    """Fetched afterwards, not received when it was written."""
    is_over: bool = False
    """Somebody added us to the channel, and later somebody did again."""

    @property
    def key(self) -> str:
        """The ledger's: a post once, each of its versions once, its end once."""
        match self.kind:
            case "edited":
                return f"{self.post.id} {self.post.edit_at}"
            case "deleted":
                return f"{self.post.id} deleted"
        return self.post.id


class Channels(Protocol):
    """The call of `MattermostClient` used here."""

    async def channel(self, channel_id: str) -> dict[str, Any]: ...


class Reader:
    """Reads posts. Remembers the channels it met last."""

    def __init__(self, client: Channels, usernames: Usernames) -> None:
        self._client = client
        self._usernames = usernames
        self._channels: OrderedDict[str, tuple[str, str]] = OrderedDict()

    async def channel(self, item: Item) -> tuple[str, str]:
        """Type and display name of the post's channel; edits and deletions do not carry them."""
        channel_id = item.post.channel_id
        if item.channel_type:
            self._remember(channel_id, item.channel_type, item.channel_name)
        if channel_id not in self._channels:
            try:
                channel = await self._client.channel(channel_id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a channel could not be looked up: %s", exc)
                return "O", ""
            self._remember(channel_id, str(channel.get("type", "O")), str(channel.get("display_name", "")))
        return self._channels[channel_id]

    def _remember(self, channel_id: str, channel_type: str, name: str) -> None:
        self._channels[channel_id] = (channel_type, name)
        self._channels.move_to_end(channel_id)
        if len(self._channels) > KEEP_CHANNELS:
            self._channels.popitem(last=False)

    async def read(self, item: Item, me: Me, channel_type: str, channel_name: str, *, asks: bool) -> Inbound:
        """The post in our vocabulary; names in it that are not known yet are asked for once, where it `asks`."""

        def read() -> Decoded:
            return to_inbound(
                item.post,
                me,
                self._usernames.id_of,
                self._usernames.name_of,
                channel_type=channel_type,
                channel_name=channel_name,
                sender_name=item.sender_name,
                kind=item.kind,
            )

        decoded = read()
        if asks and decoded.unknown_names and await self._usernames.look_up(decoded.unknown_names):
            decoded = read()
        return decoded.inbound

    async def author(self, inbound: Inbound) -> Foreign:
        """Who said it, for display."""
        match inbound.origin:
            case Origin.PROGRAM:
                return as_name(f"program {inbound.sender_name}")
            case Origin.SERVER:
                return Foreign("the server")
        return inbound.sender_name or as_name(await self._usernames.fetch_name(inbound.sender.id or ""))
