"""What an intake hands to its adapter: a message that was decided upon, with all the host will be told of it."""

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
    """A message the host shall get. `chat_id` is the host's id of the chat."""

    inbound: Inbound
    decision: Dispatch | Observe
    authorization: Authorization
    chat_id: str
    chat_name: Foreign
    author: Foreign
    """Display name, empty where none is known."""
    quote_is_ours: bool = False
    quote_is_trusted: bool = False
    """The quoted author is authorized to talk to the agent."""

    @property
    def admitted(self) -> bool:
        """The host does not accept the author, who has a turn all the same."""
        return not self.authorization.allowed and self.authorization.authority is not Authority.STRANGER

    @property
    def buffer(self) -> str:
        """Where what is observed of this conversation is kept."""
        return buffer_of(self.chat_id, self.inbound.chat)


Commit = Callable[[], Awaitable[None]]
"""To be awaited right before a message is handed over: after it, not even a crash lets one for the agent in again."""


def buffer_of(chat_id: str, chat: Chat) -> str:
    """The observation buffer of a chat, or of one thread in it."""
    return f"{chat_id} {chat.thread}" if chat.thread else chat_id


def apply_edit(
    observed: Observations, inbound: Inbound, decision: Dispatch | Observe, buffer: str
) -> Dispatch | Observe | None:
    """A new version replaces what is still in the buffer (then None); one that cannot is shown as what it is."""
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
