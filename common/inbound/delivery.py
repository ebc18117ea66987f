"""A message on its last step: decided upon, with everything the host will be given of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ..core.authority import Authority
from ..core.events import Chat, Dispatch, Inbound, Observe, message_key
from ..core.people import Authorization
from ..core.wording import Foreign
from .observation import Observations


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message for the host. `chat_id` and `chat_type` are the host's."""

    inbound: Inbound
    decision: Dispatch | Observe
    authorization: Authorization
    chat_id: str
    chat_type: str
    chat_name: Foreign
    author: Foreign
    """Display name, empty if none is known."""
    quote_is_ours: bool = False
    quote_is_trusted: bool = False
    """The quoted author is authorized to talk to the agent."""

    @property
    def admitted(self) -> bool:
        """The host does not accept the author, but an open group gives them a turn."""
        return not self.authorization.allowed and self.authorization.authority is not Authority.STRANGER

    @property
    def buffer(self) -> str:
        """Key of the observation buffer of this conversation."""
        return buffer_of(self.chat_id, self.inbound.chat)


Commit = Callable[[], Awaitable[None]]
"""Awaited right before a message is handed over: afterwards not even a crash dispatches it twice."""
Deliver = Callable[[Delivery, Commit], Awaitable[None]]
"""Hands a message to the host."""


def buffer_of(chat_id: str, chat: Chat) -> str:
    """Return the key of the observation buffer of a chat, or of one thread in it."""
    return f"{chat_id} {chat.thread}" if chat.thread else chat_id


def apply_edit(
    observed: Observations, inbound: Inbound, decision: Dispatch | Observe, buffer: str
) -> Dispatch | Observe | None:
    """Put a new version in the place of the old one where that is still buffered, and return None.

    A version that replaces nothing is marked as edited. A request takes its old version out of the buffer.
    """
    if inbound.edits is None:
        return decision
    old = message_key(inbound.sender, inbound.edits)
    if isinstance(decision, Observe):
        if observed.edit(buffer, old, decision.text):
            return None
    else:
        observed.delete(buffer, old)
    marked = decision.text if decision.text.startswith("/") else f"(edited) {decision.text}"
    return replace(decision, text=marked)
