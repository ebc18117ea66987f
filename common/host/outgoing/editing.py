"""Makes the host edit messages and lets answers grow, in the adapters of networks that can edit."""

from __future__ import annotations

from typing import Any, TypeVar

from . import redelivery

_MAX_MESSAGE_LENGTH = 10_000_000
"""The host leaves it to `send` and `edit_message` to split. Its own cuts of a growing answer end code blocks, and lose
text before 0.21."""
_Adapter = TypeVar("_Adapter", bound=type)


def editing(adapter: _Adapter) -> _Adapter:
    """Give a class of adapters the members by which the host recognises one that edits messages."""
    members = {
        "SUPPORTS_MESSAGE_EDITING": True,
        # The host then announces the end of an answer also if it believes that all of it is shown.
        "REQUIRES_EDIT_FINALIZE": True,
        "MAX_MESSAGE_LENGTH": _MAX_MESSAGE_LENGTH,
        "edit_message": _edit_message,
    }
    for name, member in members.items():
        setattr(adapter, name, member)
    return adapter


async def _edit_message(self: Any, chat_id: str, message_id: str, content: str, *, finalize: bool = False) -> Any:
    """Change one of the bot's own messages. An edit that comes too early is held back, unless it is the last."""
    if finalize and self._growing.grows(chat_id, message_id):
        # A host that crashes now takes the answer for one that was never sent.
        await redelivery.note(self._answers, chat_id, content)
    return await self._growing.edit(chat_id, message_id, content, last=finalize)
