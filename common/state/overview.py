"""Which groups and channels the bot serves, and why: what settings, invitations and the operator's orders come to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ..core.errors import StateError
from ..core.policy import Policy
from .allowlist import Entry, Status


@dataclass(frozen=True, slots=True)
class LiveChat:
    """A group or channel as the network shows it now. `membership` is "member", "pending", "out" or "unknown"."""

    id: str
    name: str
    membership: str


@dataclass(frozen=True, slots=True)
class ChatRow:
    """What became of one group or channel. `name` and `membership` are empty where the network could not be asked."""

    network: str
    id: str
    name: str
    membership: str
    served: bool
    because: str


def overview(network: str, policy: Policy, live: Iterable[LiveChat], entries: Mapping[str, Entry]) -> list[ChatRow]:
    """Every group or channel the network, the settings or the state file know, the served ones first, by name."""
    chats = {chat.id: chat for chat in live}
    found = []
    for chat_id in {*chats, *entries, *policy.chats} - {"*"}:
        chat = chats.get(chat_id, LiveChat(chat_id, "", ""))
        served, because = _why(chat_id, policy, entries.get(chat_id))
        found.append(ChatRow(network, chat_id, chat.name, chat.membership, served, because))
    return sorted(found, key=lambda row: (not row.served, row.name.lower(), row.id))


def find(spelled: str, rows: Iterable[ChatRow], pseudonym: Callable[[str], str]) -> ChatRow | None:
    """The one with that id, or with that pseudonym in the trace; raises StateError where several bear it."""
    rows = list(rows)
    found = [row for row in rows if row.id == spelled] or [row for row in rows if pseudonym(row.id) == spelled]
    if len(found) > 1:
        raise StateError(f"{spelled} is ambiguous, {len(found)} groups or channels are called so: give the whole id")
    return found[0] if found else None


def _why(chat_id: str, policy: Policy, entry: Entry | None) -> tuple[bool, str]:
    status = entry.status if entry else None
    if entry and status is Status.REVOKED:
        return False, f"revoked {entry.account()}"
    if chat_id in policy.chats:
        return True, "listed in the settings"
    if entry and status is Status.BARRED:
        return False, f"not approved, opened {entry.account()}"
    if policy.every_chat:
        return True, "the settings allow all"
    if entry and status is Status.GRANTED:
        return True, f"approved {entry.account()}"
    if entry and status is Status.APPROVED:
        return True, f"invited {entry.account()}"
    return False, "not approved"
