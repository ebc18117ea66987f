"""The last step before the host: a decided message, with everything that the host gets of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ..core.authority import Authority
from ..core.events import Chat, Dispatch, Inbound, Observe, Reaction, message_key
from ..core.people import Authorization
from ..core.wording import Foreign
from .observation import Observations


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for the host. `chat_id` and `chat_type` are the host's, `author` is a display name, perhaps empty."""

    inbound: Inbound
    decision: Dispatch | Observe
    authorization: Authorization
    chat_id: str
    chat_type: str
    chat_name: Foreign
    author: Foreign
    quote_is_ours: bool = False
    quote_is_trusted: bool = False
    """The quoted author is authorized to talk to the agent."""

    @property
    def admitted(self) -> bool:
        """True if the host does not accept the author, but an open group gives them a turn."""
        return not self.authorization.allowed and self.authorization.authority is not Authority.STRANGER

    @property
    def buffer(self) -> str:
        """The key of the observation buffer of this conversation."""
        return buffer_of(self.chat_id, self.inbound.chat)


@dataclass(frozen=True, slots=True)
class Change:
    """An edit or a deletion by somebody whom the host accepts as `user_id`. Chat id and type are the host's."""

    inbound: Inbound
    user_id: str
    chat_id: str
    chat_type: str


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction to a message of ours, or its removal. Chat id and type are the host's, `author` is a display name."""

    inbound: Inbound
    reaction: Reaction
    authorization: Authorization
    chat_id: str
    chat_type: str
    author: Foreign

    @property
    def buffer(self) -> str:
        """The key of the observation buffer of this conversation."""
        return buffer_of(self.chat_id, self.inbound.chat)


Commit = Callable[[], Awaitable[bool]]
"""Call this right before the hand-over: once it returns, not even a crash dispatches the message twice. It returns
False for a message that was deleted meanwhile and must not be handed over."""
Deliver = Callable[[Delivery, Commit], Awaitable[None]]
"""Hands a message to the host."""
Report = Callable[[Change], Awaitable[None]]
"""Tells the host's other plugins of a change. Never raises."""
Awaits = Callable[[str, str], frozenset[str]]
"""Returns the user ids of those in a chat whom the bot asked a question of which a text is one of the choices."""
React = Callable[[Reacted], Awaitable[str | None]]
"""Takes a reaction to a message of ours. Returns the request that it is, None if it is none."""
TakeBack = Callable[[str], None]
"""Takes a deleted message, by its `message_key`, out of the places in which it waits for the agent."""


def buffer_of(chat_id: str, chat: Chat) -> str:
    """Return the key of the observation buffer of a chat, or of one thread in it."""
    return f"{chat_id} {chat.thread}" if chat.thread else chat_id


def apply_edit(
    observed: Observations, inbound: Inbound, decision: Dispatch | Observe, buffer: str
) -> Dispatch | Observe | None:
    """Replace the old version in the buffer by an observed new one and return None.

    Return any other decision, for a new version marked as edited. A request removes its old version from the buffer.
    """
    if inbound.edits is None:
        return decision
    old = message_key(inbound.sender, inbound.edits)
    if isinstance(decision, Observe):
        if observed.edit(buffer, old, decision.text, inbound.expires_in):
            return None
    else:
        observed.delete(buffer, old)
    # A mark before a slash command would turn it into plain text.
    marked = decision.text if decision.text.startswith("/") else f"(edited) {decision.text}"
    return replace(decision, text=marked)
