"""What makes the host edit messages, and lets answers grow: a part of the adapters of networks that can edit."""

from __future__ import annotations

from typing import Any

from . import redelivery
from .growing import Growing


class Editing:
    """The members by which the host recognises an adapter that edits messages."""

    SUPPORTS_MESSAGE_EDITING = True
    REQUIRES_EDIT_FINALIZE = True
    """The host then announces the end of an answer also if it believes that all of it is shown."""
    MAX_MESSAGE_LENGTH = 10_000_000
    """The host leaves it to `send` and `edit_message` to split: its own cuts of a growing answer lose text before 0.21,
    and end code blocks."""
    _growing: Growing
    _answers: Any

    async def edit_message(self, chat_id: str, message_id: str, content: str, *, finalize: bool = False) -> Any:
        """Change one of the bot's own messages. An edit that comes too early is held back, unless it is the last."""
        if finalize and self._growing.grows(chat_id, message_id):
            # A host that crashes now takes the answer for one that was never sent.
            await redelivery.note(self._answers, chat_id, content)
        return await self._growing.edit(chat_id, message_id, content, last=finalize)
