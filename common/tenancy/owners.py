"""The owners of files that Hermes keeps for chats: each file belongs to the chat that it was named to."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from enum import Enum, auto
from typing import NamedTuple

from ..core.bounded import Bounded
from .chats import Chat


class Kind(Enum):
    """A kind of files that Hermes keeps for chats."""

    MEDIA = auto()
    """Files received or generated, under names that nobody guesses."""
    WEB = auto()
    """Pages, under names made of their addresses: the next chat that fetches one has it written anew."""
    DELEGATION = auto()
    """Records of what sub-agents do and say."""
    RESULT = auto()
    """Results of tools that were too long to show, each named by the id of its call."""


NAMED_BY: Mapping[Kind, tuple[str, ...]] = {
    Kind.MEDIA: ("",),
    Kind.WEB: ("web_", "browser_"),
    Kind.DELEGATION: ("delegate_task",),
    Kind.RESULT: (),
}
"""The beginnings of names of tools whose answers name new files of a kind. Nobody gets a file by another's answer."""


def named_by(tool: str) -> frozenset[Kind]:
    """Return the kinds of which the answers of a tool name new files."""
    return frozenset(kind for kind, beginnings in NAMED_BY.items() if tool.startswith(beginnings))


def outlives_owner(kind: Kind) -> bool:
    """Return True if every chat may have a file whose owner is not known, as after a restart."""
    return kind is Kind.MEDIA


class Owner(NamedTuple):
    """An owner. `chat` is None for what no chat may have, `since` is a time of the system's clock."""

    chat: Chat | None
    since: float


class Owners:
    """The owners of files and of calls, the latest `limit` ones. Safe for threads."""

    def __init__(self, limit: int) -> None:
        self._owners: Bounded[tuple[str, str], Owner] = Bounded(limit)
        self._lock = threading.Lock()

    def get(self, place: str, name: str) -> Owner | None:
        """Return the owner of what has this name in a place, None if it is not known."""
        with self._lock:
            return self._owners.get((place, name))

    def named(self, place: str, name: str, owner: Owner, *, anew: bool = False) -> None:
        """Note to whom a name was said. The first one keeps it, unless it stands for something new."""
        with self._lock:
            if anew or (place, name) not in self._owners:
                self._owners.put((place, name), owner)

    def claimed(self, place: str, name: str, owner: Owner) -> None:
        """Note who uses a name that somebody else may choose as well; what two chats use, neither may have."""
        with self._lock:
            known = self._owners.get((place, name))
            if known is None:
                self._owners.put((place, name), owner)
            elif not _is_same(known.chat, owner.chat):
                self._owners.put((place, name), Owner(None, known.since))


def _is_same(one: Chat | None, other: Chat | None) -> bool:
    if one is None or other is None:
        return one is other
    return (one.key, one.thread_id, one.user_id) == (other.key, other.thread_id, other.user_id)
