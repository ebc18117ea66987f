"""Settings of the Mattermost platform."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import FilePath, SecretStr, field_validator

from ...common.core.policy import Policy
from ...common.settings.config import Entries, Flag, Settings, base_url, setting
from ...common.settings.stock import Stock
from .stock import STOCK

_ID = re.compile(r"[a-z0-9]{26}")


class MattermostSettings(Settings):
    """Settings of the Mattermost platform."""

    stock: ClassVar[Stock] = STOCK

    url: str = setting("MATTERMOST_URL", ..., "Base URL of the server, with its path if it has one.")
    token: SecretStr = setting("MATTERMOST_TOKEN", ..., "Token of the bot account, or a personal access token.")
    ca_file: FilePath | None = setting(
        "MATTERMOST_CA_FILE", None, "Certificates of a private certificate authority, PEM."
    )
    allowed_users: Entries = setting(
        "MATTERMOST_ALLOWED_USERS", (), "User ids of the people who may talk to the agent; `*` for everyone."
    )
    allowed_channels: Entries = setting(
        "MATTERMOST_ALLOWED_CHANNELS", (), "Ids of the channels to serve; when empty, all channels the bot is in."
    )
    join_policy: Literal["approved-only", "allow-all", "ignore"] = setting(
        "MATTERMOST_JOIN_POLICY",
        "approved-only",
        "Who may add the bot to a channel; it leaves other channels. `ignore`: only the list of channels counts.",
    )
    require_mention: Flag = setting(
        "MATTERMOST_REQUIRE_MENTION", True, "In channels, answer only posts that mention the bot or reply to it."
    )
    free_response_channels: Entries = setting(
        "MATTERMOST_FREE_RESPONSE_CHANNELS", (), "Ids of channels in which no mention is required."
    )
    broadcast_addresses: Flag = setting(
        "MATTERMOST_BROADCAST_ADDRESSES", False, "Count @channel, @all and @here as mentions of the bot."
    )
    allow_bots: Literal["none", "mentions", "all"] = setting(
        "MATTERMOST_ALLOW_BOTS",
        "none",
        "Answer posts of bots and webhooks, or only those that mention the bot; never as commands.",
    )
    observe_unmentioned: Flag = setting(
        "MATTERMOST_OBSERVE_UNMENTIONED", True, "At the next mention, show the agent what was written before."
    )
    observe_system: Flag = setting("MATTERMOST_OBSERVE_SYSTEM", False, "Observe the server's own posts, such as joins.")
    persist_observed: Flag = setting(
        "MATTERMOST_PERSIST_OBSERVED", False, "Keep observed messages on disk across restarts."
    )
    reply_mode: Literal["off", "thread"] = setting(
        "MATTERMOST_REPLY_MODE", "off", "`thread`: answer a post in a channel in its thread."
    )
    catch_up_minutes: float = setting(
        "MATTERMOST_CATCH_UP_MINUTES",
        15.0,
        "Maximum age, in minutes, of a missed post that is still answered.",
        ge=0,
        le=1440,
    )
    catch_up_posts: int = setting(
        "MATTERMOST_CATCH_UP_POSTS", 200, "Maximum number of missed posts fetched per channel.", ge=0, le=1000
    )

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return base_url(value, "https://chat.example.com")

    @field_validator("allowed_users", "allow_admin_from", "group_allow_admin_from")
    @classmethod
    def _user_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _ids(value, "user id (26 letters and digits, not the name)", wildcard=True)

    @field_validator("allowed_channels", "free_response_channels")
    @classmethod
    def _channel_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _ids(value, "channel id (26 letters and digits, not the name)", wildcard=False)

    def policy(self) -> Policy:
        """Return the rules for channels, without approvals at run time."""
        return Policy(
            chats=frozenset(self.allowed_channels),
            every_chat=not self.allowed_channels,
            require_mention=self.require_mention,
            free_chats=frozenset(self.free_response_channels),
            observe=self.observe_unmentioned,
            observe_server=self.observe_system,
            broadcast_addresses=self.broadcast_addresses,
            bots=self.allow_bots,
        )


def is_id(value: str) -> bool:
    """Return whether the value has the form of a Mattermost id: 26 lower-case letters and digits."""
    return _ID.fullmatch(value) is not None


def _ids(value: tuple[str, ...], what: str, *, wildcard: bool) -> tuple[str, ...]:
    for position, entry in enumerate(value, 1):
        if not is_id(entry) and not (wildcard and entry == "*"):
            raise ValueError(f"entry {position} is no {what}")
    return value
