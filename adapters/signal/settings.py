"""Settings of the Signal platform."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import ClassVar, Literal

from pydantic import field_validator

from ...common.core.people import as_aci, as_number
from ...common.core.policy import Policy
from ...common.settings.config import APPROVALS_TO, Entries, Flag, Instructions, Settings, base_url, setting
from ...common.settings.stock import Stock
from .stock import STOCK


class SignalSettings(Settings):
    """Settings of the Signal platform."""

    stock: ClassVar[Stock] = STOCK
    read_by_host: ClassVar[frozenset[str]] = frozenset(
        {"SIGNAL_ALLOW_ALL_USERS", "signal.allow_from", "signal.group_allow_from"}
    )

    http_url: str = setting("SIGNAL_HTTP_URL", ..., "Base URL of the signal-cli daemon.")
    account: str = setting("SIGNAL_ACCOUNT", ..., "The bot's account: its number in E.164 form, or its ACI.")
    allowed_users: Entries = setting(
        "SIGNAL_ALLOWED_USERS", (), "Numbers and ACIs of the people who may talk to the agent; `*` allows everyone."
    )
    group_allowed: Entries = setting(
        "SIGNAL_GROUP_ALLOWED_USERS",
        (),
        "Ids of the groups to serve; `*` serves all. Approved invitations add groups at run time.",
    )
    group_members: Literal["allowlist", "open"] = setting(
        "SIGNAL_GROUP_MEMBERS", "allowlist", "`open`: every member of a served group may talk to the agent there."
    )
    group_invite_policy: Literal["approved-only", "allow-all", "ignore"] = setting(
        "SIGNAL_GROUP_INVITE_POLICY",
        "approved-only",
        "Group invitations to accept: those of authorized people, all, or none.",
    )
    group_quit_unapproved: Flag = setting(
        "SIGNAL_GROUP_QUIT_UNAPPROVED",
        False,
        "Leave the group, or decline the invitation, when an invitation is not approved.",
    )
    approvals_to: Literal["chat", "admins"] = setting("SIGNAL_APPROVALS_TO", "chat", APPROVALS_TO)
    require_mention: Flag = setting(
        "SIGNAL_REQUIRE_MENTION", False, "In groups, require a mention of the bot or a reply to it."
    )
    observe_unmentioned: Flag = setting(
        "SIGNAL_OBSERVE_UNMENTIONED", True, "Show the agent, as background, the unaddressed messages before a mention."
    )
    persist_observed: Flag = setting(
        "SIGNAL_PERSIST_OBSERVED", False, "Keep observed text on disk, so that it survives a restart."
    )
    edited_requests: Literal["answer", "background"] = setting(
        "SIGNAL_EDITED_REQUESTS",
        "answer",
        "`answer`: answer a request again if its author edits it within 15 minutes; `background`: only note the edit.",
    )
    streaming: Flag = setting(
        "SIGNAL_STREAMING",
        False,
        "Let answers grow while the model writes, by edits of the message. Hermes streams to Signal only with "
        "`display.platforms.signal.streaming: true` and, since 0.22, `streaming.enabled: true` in `config.yaml`.",
    )
    reaction_context: Literal["own", "off"] = setting(
        "SIGNAL_REACTION_CONTEXT",
        "own",
        "Reactions to show the agent, as background: those to its own messages, or none.",
    )
    reaction_turns: Instructions = setting(
        "SIGNAL_REACTION_TURNS",
        {},
        "Reactions to the agent's messages that are requests, each with its instruction: a JSON object such as"
        ' `{"🔁": "do that again"}`.',
    )
    mention_aliases: Entries = setting(
        "SIGNAL_MENTION_ALIASES",
        (),
        "Words that address the bot in messages from the owner's other devices on the same account.",
    )
    sse_stale_seconds: float = setting(
        "SIGNAL_SSE_STALE_SECONDS", 60.0, "Seconds of silence after which the event stream is replaced.", ge=16, le=120
    )
    sse_streams: int = setting(
        "SIGNAL_SSE_STREAMS",
        1,
        "Event streams kept open at once; with 2, either can fail without a gap.",
        ge=1,
        le=2,
    )

    @field_validator("http_url")
    @classmethod
    def _http_url(cls, value: str) -> str:
        return base_url(value, "http://127.0.0.1:8080")

    @field_validator("account")
    @classmethod
    def _account(cls, value: str) -> str:
        account = as_aci(value.strip()) or as_number(value.strip())
        if account is None:
            raise ValueError("must be a number in E.164 form (a plus sign and digits) or an ACI")
        return account

    @field_validator("allowed_users", "allow_admin_from", "group_allow_admin_from")
    @classmethod
    def _people(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _each(value, _person_fault)

    @field_validator("group_allowed")
    @classmethod
    def _groups(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _each(value, _group_fault)

    def policy(self) -> Policy:
        """Return the rules for groups, without approvals at run time."""
        return Policy(
            chats=frozenset(self.group_allowed) - {"*"},
            every_chat="*" in self.group_allowed,
            require_mention=self.require_mention,
            observe=self.observe_unmentioned,
            answers_edits=self.edited_requests == "answer",
            aliases=self.mention_aliases,
            voice_addresses=True,
        )


def _each(value: tuple[str, ...], fault: Callable[[str], str | None]) -> tuple[str, ...]:
    """Return the entries unchanged. Raises ValueError that lists every invalid entry."""
    found = [(position, fault(entry)) for position, entry in enumerate(value, 1) if entry != "*"]
    if faults := [f"entry {position} {what}" for position, what in found if what]:
        raise ValueError("; ".join(faults))
    return value


def _person_fault(entry: str) -> str | None:
    if as_number(entry) or as_aci(entry):
        return None
    return "is neither a number in E.164 form nor an ACI (a UUID)"


def _group_fault(entry: str) -> str | None:
    if is_group_id(entry):
        return None
    if entry.startswith("group."):
        return "is bbernhard's form; use the id that signal-cli listGroups shows"
    return "is not a group id (base64 of 32 bytes, padding included)"


def is_group_id(value: str) -> bool:
    """Return True for a group id as signal-cli writes it: padded standard base64 of 32 (V2) or 16 (V1) bytes."""
    try:
        return len(base64.b64decode(value, validate=True)) in {16, 32}
    except (binascii.Error, ValueError):
        return False


def corrected_group_id(entry: str) -> str | None:
    """Return the group id that an unpadded, URL-safe or bbernhard-style spelling stands for; None for other text."""
    meant = entry
    if entry.startswith("group."):
        try:
            meant = base64.b64decode(entry.removeprefix("group."), validate=True).decode()
        except ValueError:
            return None
    meant = meant.replace("-", "+").replace("_", "/").rstrip("=")
    meant += "=" * (-len(meant) % 4)
    return meant if is_group_id(meant) else None
