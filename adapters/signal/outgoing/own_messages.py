"""The bot's own messages that change later: questions, and answers that grow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from ....common.core.errors import HardenedError, Unanswered
from ....common.core.pacing import Pace
from ....common.host.outgoing.growing import Grown, Piece, without_counters

logger = logging.getLogger(__name__)

_PROMPT_SECONDS = 8.0
"""Time for sending a question: after 15 s the host asks a second time."""


class Sender(Protocol):
    """What the adapter supplies. Its coroutines raise HardenedError."""

    async def send_one(self, chat_id: str, text: str, *, patience: float, **params: Any) -> str | None:
        """Send one message; return its timestamp, None if unknown. `patience`: seconds to wait for rate limits."""

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Delete a message for everybody."""

    def quote(self, chat_id: str, message_id: str | None, number: int) -> dict[str, Any]:
        """Return the parameters that make the message of that number quote what the answer is to."""

    def parts(self, text: str) -> list[str]:
        """Return the messages of a text."""


class OwnMessages:
    """The bot's own messages of one account: see `Network` and `Messages`.

    `direct_chat` returns the host's id of the direct chat with a person, None if it is not known.
    """

    # Apps show about ten edits of a message; each one travels as a message of its own.
    pace = Pace(2.0, growth=1.5, most=8)

    def __init__(self, sender: Sender, direct_chat: Callable[[str], str | None]) -> None:
        self._sender = sender
        self._direct_chat = direct_chat

    # -- questions

    async def post_prompt(self, chat_id: str, text: str, metadata: Any) -> str | None:
        """See `Network`. A message of a limited rate is not waited for: the host then asks in its own way."""
        try:
            async with asyncio.timeout(_PROMPT_SECONDS):
                return await self._send(chat_id, text)
        except (HardenedError, TimeoutError) as exc:
            logger.warning("Signal: a question was not sent: %s", type(exc).__name__)
            return None

    async def edit_prompt(self, chat_id: str, message_id: str, text: str) -> None:
        """See `Network`."""
        try:
            await self._send(chat_id, text, editTimestamp=int(message_id))
        except (HardenedError, ValueError) as exc:
            logger.warning("Signal: the outcome of a question is not shown: %s", type(exc).__name__)

    async def direct_chat(self, user_id: str) -> str | None:
        """See `Network`."""
        return self._direct_chat(user_id)

    async def seed_prompt(self, message_id: str, names: Sequence[str]) -> None:
        """Do nothing: an account has one reaction a message, which says nothing about the others."""

    # -- answers that grow

    def layout(self, text: str) -> list[str]:
        """Return the messages of a text, cut where a finished answer is."""
        return without_counters(self._sender.parts(text))

    async def ending(self, texts: list[str], pieces: Sequence[Piece]) -> list[str]:
        """Change nothing: a message's text mentions nobody on Signal."""
        return texts

    async def create(self, grown: Grown, text: str) -> str:
        """Send a further message."""
        quote = self._sender.quote(grown.chat_id, grown.reply_to, len(grown.pieces))
        return await self._send(grown.chat_id, text, **quote) or ""

    async def change(self, grown: Grown, piece: Piece, text: str) -> str:
        """Edit a message; return the timestamp of the edit, which the next one has to name."""
        # An edit without its quote would remove that.
        quote = self._sender.quote(grown.chat_id, grown.reply_to, grown.pieces.index(piece))
        try:
            edited = await self._send(grown.chat_id, text, editTimestamp=int(piece.id), **quote)
        except Unanswered as exc:
            logger.warning("Signal: an edit is in doubt: %s", exc)
            edited = None
        return edited or piece.id

    async def withdraw(self, chat_id: str, message_id: str) -> None:
        """Delete a message for everybody."""
        await self._sender.delete(chat_id, message_id)

    def error_kind(self, exc: Exception) -> str | None:
        """Return None: the host has no word for this network's errors."""
        return None

    async def _send(self, chat_id: str, text: str, **params: Any) -> str | None:
        return await self._sender.send_one(chat_id, text, patience=_PROMPT_SECONDS, **params)
