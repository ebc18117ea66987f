"""The context of the Mattermost checks: settings, server, our account and channels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ....common.core import wording
from ....common.core.chats import Entry, in_force
from ....common.core.errors import StateError
from ....common.core.policy import Policy
from ....common.doctor.checks import NetworkContext
from ....common.state.chats import entries
from ..rest.client import MattermostClient
from ..sequence import Sequence
from ..settings import MattermostSettings, is_id

Object = Mapping[str, Any]
"""An object of the server's API, not validated: a missing field or one of another type counts as not reported."""
Rooms = Mapping[str, Object]
"""The channels that the bot is in, by id, without direct messages."""

_TRY_SECONDS = 5.0


def printable(value: object) -> str:
    """Return a name that the server reports, made safe for a terminal and cut to 40 characters."""
    return wording.printable(str(value or ""), 40)


def rooms_of(joined: list[dict[str, Any]]) -> Rooms:
    """Return the channels from the server's list, by id, without direct messages and invalid rows."""
    rooms = {str(channel.get("id")): channel for channel in joined if channel.get("type") != "D"}
    return {channel_id: channel for channel_id, channel in rooms.items() if is_id(channel_id)}


@dataclass(kw_only=True)
class Context(NetworkContext):
    """The data that checks examine. Answers of the server are fetched once, when a check first asks for them.

    Tests replace the fields. Await the futures; they raise the errors of `MattermostClient`.
    """

    now: Callable[[], float] = time.time
    """Unix time."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    hello_within: float = 10.0
    """Seconds for a WebSocket to open."""
    sequence: Sequence = field(default_factory=Sequence)
    """The position in the server's event sequence, at which the next WebSocket resumes."""

    @cached_property
    def settings(self) -> MattermostSettings:
        """The settings. Raises ConfigError, which the check `mattermost.settings` reports."""
        return MattermostSettings.load(self.extra, self.environment)

    @cached_property
    def client(self) -> MattermostClient:
        """The client, which the check `mattermost.address` opens."""
        url, token, ca_file = self.settings.url, self.settings.token, self.settings.ca_file
        return MattermostClient(url, token, ca_file=ca_file, timeout=_TRY_SECONDS, sleep=self.sleep)

    @cached_property
    def me(self) -> asyncio.Future[dict[str, Any]]:
        """Our own user."""
        return asyncio.ensure_future(self.client.me())

    @cached_property
    def config(self) -> asyncio.Future[dict[str, Any]]:
        """The server's public configuration."""
        return asyncio.ensure_future(self.client.config())

    @cached_property
    def rooms(self) -> asyncio.Future[Rooms]:
        """The channels that the bot is in."""
        return asyncio.ensure_future(self._fetch_rooms())

    @cached_property
    def orders(self) -> asyncio.Future[Mapping[str, Entry]]:
        """The channels' status in the state file. Raises StateError, or ValueError for a status of another version."""
        return asyncio.ensure_future(self._read_orders())

    @cached_property
    def policy(self) -> asyncio.Future[Policy]:
        """The settings' policy with the operator's orders, or without them if they cannot be read."""
        return asyncio.ensure_future(self._policy_in_force())

    async def _fetch_rooms(self) -> Rooms:
        return rooms_of(await self.client.my_channels())

    async def _read_orders(self) -> Mapping[str, Entry]:
        return await asyncio.to_thread(entries, self.state, "mattermost") if self.state.exists() else {}

    async def _policy_in_force(self) -> Policy:
        try:
            orders = await self.orders
        except (StateError, ValueError):
            orders = {}
        return in_force(self.settings.policy(), orders)
