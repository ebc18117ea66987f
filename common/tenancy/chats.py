"""The chat that a piece of code works for, on any platform of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Operation(StrEnum):
    """The use of a context; the words are those of the `memory:scope` contract."""

    READ = "read"
    WRITE = "write"
    RECALL = "recall"


class Unknown(Exception):
    """The chat, or its context, cannot be told. Nothing is read and nothing is written then."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as the host knows it. Unknown parts are empty."""

    platform: str
    chat_id: str
    chat_type: str = ""
    """`dm`, `group`, `channel` or `thread`, as the host names it."""
    thread_id: str = ""
    user_id: str = ""
    session_id: str = ""
    session_key: str = ""
    profile: str = ""
    origin: Mapping[str, str] = field(default_factory=dict)
    """More of the host's source: `scope_id` (the team), `parent_chat_id`, `chat_name`, `user_id_alt`."""

    @property
    def key(self) -> str:
        """The name by which operators list the chat: platform and id."""
        return f"{self.platform}:{self.chat_id}"

    @property
    def names(self) -> tuple[str, ...]:
        """Every name by which an operator may list the chat, the most exact one first.

        A direct message also goes by its person, and a thread by its channel.
        """
        # Such a name could be that of another platform's chat.
        if not self.platform or ":" in self.platform:
            return ()
        person = (self.user_id, self.origin.get("user_id_alt", "")) if self.chat_type == "dm" else ()
        ids = filter(None, (self.chat_id, *person, self.origin.get("parent_chat_id", "")))
        return tuple(dict.fromkeys(f"{self.platform}:{each}" for each in ids))

    @property
    def is_shared(self) -> bool:
        """True if several people speak in the session: its key ends with none of them (gateway/session.py)."""
        people = tuple(f":{person}" for person in (self.user_id, self.origin.get("user_id_alt")) if person)
        return self.chat_type != "dm" and bool(self.session_key) and not self.session_key.endswith(people)

    @property
    def common_origin(self) -> dict[str, str]:
        """The part of `origin` that is the chat's, whoever speaks in it."""
        return {name: text for name, text in self.origin.items() if name != "user_id_alt"}

    def metadata(self) -> dict[str, str]:
        """Return what a policy function gets besides the ids. Shapes: texts, empty where unknown."""
        return {
            "chat_type": self.chat_type,
            "thread_id": self.thread_id,
            "parent_chat_id": self.origin.get("parent_chat_id", ""),
            "scope_id": self.origin.get("scope_id", ""),
            "chat_name": self.origin.get("chat_name", ""),
            "user_id_alt": self.origin.get("user_id_alt", ""),
            "session_key": self.session_key,
            "profile": self.profile,
        }
