"""Settings of the Mattermost platform."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import FilePath, SecretStr, field_validator

from ...common.core.policy import Policy
from ...common.settings.config import APPROVALS_TO, Entries, Flag, Instructions, Settings, base_url, setting
from ...common.settings.stock import Stock
from .stock import STOCK

_ID = re.compile(r"[a-z0-9]{26}")


class MattermostSettings(Settings):
    """Settings of the Mattermost platform."""

    stock: ClassVar[Stock] = STOCK

    url: str = setting("MATTERMOST_URL", ..., "Base URL of the server, including its path if it has one.")
    token: SecretStr = setting("MATTERMOST_TOKEN", ..., "Token of the bot account, or a personal access token.")
    ca_file: FilePath | None = setting("MATTERMOST_CA_FILE", None, "PEM file of a private certificate authority.")
    allowed_users: Entries = setting(
        "MATTERMOST_ALLOWED_USERS", (), "User ids of the people who may talk to the agent; `*` allows everyone."
    )
    allowed_channels: Entries = setting(
        "MATTERMOST_ALLOWED_CHANNELS", (), "Ids of the channels to serve. Empty: all channels the bot is in."
    )
    join_policy: Literal["approved-only", "allow-all", "ignore"] = setting(
        "MATTERMOST_JOIN_POLICY",
        "approved-only",
        "Who may add the bot to a channel; it leaves channels to which others add it. `ignore`: only the list of"
        " channels decides.",
    )
    approvals_to: Literal["chat", "admins"] = setting("MATTERMOST_APPROVALS_TO", "chat", APPROVALS_TO)
    require_mention: Flag = setting(
        "MATTERMOST_REQUIRE_MENTION", True, "In channels, require a mention of the bot or a reply to it."
    )
    free_response_channels: Entries = setting(
        "MATTERMOST_FREE_RESPONSE_CHANNELS", (), "Ids of channels where no mention is required."
    )
    broadcast_addresses: Flag = setting(
        "MATTERMOST_BROADCAST_ADDRESSES", False, "Treat @channel, @all and @here as mentions of the bot."
    )
    allow_bots: Literal["none", "mentions", "all"] = setting(
        "MATTERMOST_ALLOW_BOTS",
        "none",
        "Posts of bots and webhooks to dispatch (`mentions`: those that address the bot); never as commands.",
    )
    observe_unmentioned: Flag = setting(
        "MATTERMOST_OBSERVE_UNMENTIONED", True, "Show the agent, as background, the unaddressed posts before a mention."
    )
    observe_system: Flag = setting(
        "MATTERMOST_OBSERVE_SYSTEM", False, "Observe posts that the server writes, for example about who joined."
    )
    persist_observed: Flag = setting(
        "MATTERMOST_PERSIST_OBSERVED", False, "Keep observed text on disk, so that it survives a restart."
    )
    edited_requests: Literal["answer", "background"] = setting(
        "MATTERMOST_EDITED_REQUESTS",
        "answer",
        "`answer`: answer a request again if its author edits it within 15 minutes; `background`: only note the edit.",
    )
    reaction_context: Literal["own", "off"] = setting(
        "MATTERMOST_REACTION_CONTEXT",
        "own",
        "Reactions to show the agent, as background: those to its own posts, or none.",
    )
    reaction_turns: Instructions = setting(
        "MATTERMOST_REACTION_TURNS",
        {},
        "Reactions to the agent's posts that are requests, each with its instruction: a JSON object such as"
        ' `{"repeat": "do that again"}`.',
    )
    reply_mode: Literal["off", "thread"] = setting(
        "MATTERMOST_REPLY_MODE", "off", "`thread`: answer a channel post in its thread."
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
            answers_edits=self.edited_requests == "answer",
            observe_server=self.observe_system,
            broadcast_addresses=self.broadcast_addresses,
            bots=self.allow_bots,
            missed_for=int(self.catch_up_minutes * 60_000),
        )


def is_id(value: str) -> bool:
    """Return True if the value has the form of a Mattermost id: 26 lower-case letters and digits."""
    return _ID.fullmatch(value) is not None


def _ids(value: tuple[str, ...], what: str, *, wildcard: bool) -> tuple[str, ...]:
    for position, entry in enumerate(value, 1):
        if not is_id(entry) and not (wildcard and entry == "*"):
            raise ValueError(f"entry {position} is not a {what}")
    return value
