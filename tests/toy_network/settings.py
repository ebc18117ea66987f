"""Settings of the toy platform."""

from __future__ import annotations

from typing import ClassVar

from hermes_hardened_adapters.common.core.policy import Policy
from hermes_hardened_adapters.common.settings.config import Entries, Settings, setting
from hermes_hardened_adapters.common.settings.stock import Stock

from tests.toy_network.network import STOCK


class ToySettings(Settings):
    """Settings of the toy platform."""

    stock: ClassVar[Stock] = STOCK

    address: str = setting("TOY_ADDRESS", ..., "Host and port of the server.")
    password: str = setting("TOY_PASSWORD", ..., "The password of the bot.")
    allowed_users: Entries = setting("TOY_ALLOWED_USERS", (), "Names of the people who may talk to the agent.")
    rooms: Entries = setting("TOY_ROOMS", (), "Names of the rooms to serve.")

    def policy(self) -> Policy:
        """Return the rules for rooms, without approvals at run time."""
        return Policy(chats=frozenset(self.rooms))
