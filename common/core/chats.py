"""Groups and channels: their status on the runtime allowlist, the outcomes of invitations, the list of served ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from .errors import StateError
from .policy import Policy


class Status(StrEnum):
    """The status of a group or channel, as it is stored."""

    KNOWN = "known"
    """The chat exists, but nobody with the right to invite has invited the bot."""
    BLOCKED = "barred"
    """Somebody without the right to invite opened it: not served until a person with that right invites the bot, or an
    admin approves."""
    APPROVED = "approved"
    """A person with the right to invite invited the bot."""
    GRANTED = "granted"
    """The operator approved it, until they revoke it."""
    REVOKED = "revoked"
    """The operator revoked it, whatever settings and invitations say."""


class Outcome(StrEnum):
    """The outcome of an act that brought the bot into a group or channel, as the trace shows it."""

    APPROVED = "approved"
    """The chat is on the runtime allowlist from now on."""
    APPROVED_BEFORE = "approved before"
    """A new invitation into a group that is served already."""
    NOT_APPROVED = "not approved"
    """The actor may not invite the bot."""
    IGNORED = "ignored by policy"
    REMOVED = "removed"
    """The bot was taken out of the group."""
    LISTED = "listed"
    """Mattermost: somebody without the right to invite added the bot to a channel that the settings list."""
    ALREADY_IN = "no joining"
    """Signal: the bot was in the group before, so the event is no invitation."""
    ACTOR_NOT_IN_GROUP = "actor is no member"
    """Signal: the list of members does not confirm the actor."""
    NOT_INVITED = "not invited"
    """Signal: the bot is neither member nor invited any more."""
    UNCONFIRMED = "unconfirmed"
    """Signal: the group could not be fetched, or the invitation could not be accepted."""


SERVED = frozenset({Status.APPROVED, Status.GRANTED})


@dataclass(frozen=True, slots=True)
class Entry:
    """A chat's status, the author of that status (empty for nobody), its Unix time and its reason."""

    status: Status
    by: str
    at: float
    why: str

    def origin(self) -> str:
        """Return the author, the day and the reason of the status as text."""
        day = datetime.fromtimestamp(self.at).astimezone().strftime("%d %b %Y")
        return f"by {self.by or 'nobody'}, {day}" + (f": {self.why}" if self.why else "")


def with_status(wanted: Iterable[Status], statuses: Mapping[str, Status]) -> frozenset[str]:
    """Return the chats that have one of the wanted statuses."""
    wanted = frozenset(wanted)
    return frozenset(chat_id for chat_id, status in statuses.items() if status in wanted)


def in_force(policy: Policy, entries: Mapping[str, Entry]) -> Policy:
    """Return the settings' policy combined with the approvals, blocks and revocations made at run time."""
    statuses = {chat_id: entry.status for chat_id, entry in entries.items()}
    # Nobody can block what the operator lists in the settings.
    blocked = with_status({Status.BLOCKED}, statuses) - policy.chats
    return policy.with_chats(with_status(SERVED, statuses), barred=blocked | with_status({Status.REVOKED}, statuses))


@dataclass(frozen=True, slots=True)
class LiveChat:
    """A group or channel as the network shows it now. `membership` is "member", "pending", "out" or "unknown"."""

    id: str
    name: str
    membership: str


@dataclass(frozen=True, slots=True)
class ChatRow:
    """A group or channel in the operator's overview, with the reason why the bot serves it or not.

    `name` and `membership` are empty if the network could not be asked.
    """

    network: str
    id: str
    name: str
    membership: str
    served: bool
    because: str


def overview(network: str, policy: Policy, live: Iterable[LiveChat], entries: Mapping[str, Entry]) -> list[ChatRow]:
    """Return every group or channel known to the network, the settings or the state file: served ones first, by name.

    `policy` is the policy of the settings alone.
    """
    chats = {chat.id: chat for chat in live}
    rows = []
    for chat_id in {*chats, *entries, *policy.chats} - {"*"}:
        chat = chats.get(chat_id, LiveChat(chat_id, "", ""))
        served, because = _reason(chat_id, policy, entries.get(chat_id))
        rows.append(ChatRow(network, chat_id, chat.name, chat.membership, served, because))
    return sorted(rows, key=lambda row: (not row.served, row.name.lower(), row.id))


def find(wanted: str, rows: Iterable[ChatRow], pseudonym: Callable[[str], str]) -> ChatRow | None:
    """Return the row with that id or that pseudonym, None without a match; raise StateError if several match."""
    rows = list(rows)
    found = [row for row in rows if row.id == wanted] or [row for row in rows if pseudonym(row.id) == wanted]
    if len(found) > 1:
        raise StateError(f"{wanted} is ambiguous, {len(found)} groups or channels match: give the whole id")
    return found[0] if found else None


def _reason(chat_id: str, policy: Policy, entry: Entry | None) -> tuple[bool, str]:
    status = entry.status if entry else None
    if entry and status is Status.REVOKED:
        return False, f"revoked {entry.origin()}"
    if chat_id in policy.chats:
        return True, "listed in the settings"
    if entry and status is Status.BLOCKED:
        return False, f"not approved, opened {entry.origin()}"
    if policy.every_chat:
        return True, "the settings allow all"
    if entry and status is Status.GRANTED:
        return True, f"approved {entry.origin()}"
    if entry and status is Status.APPROVED:
        return True, f"invited {entry.origin()}"
    return False, "not approved"
