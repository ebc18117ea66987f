"""The bot's own posts that change later: questions, and answers that grow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Protocol

from ....common.core.errors import HardenedError, Unanswered
from ....common.core.pacing import Pace
from ....common.host.outgoing.growing import Grown, Piece, without_counters
from ..connection import Connection
from ..mentions import pings
from ..rest.client import MattermostClient
from ..rest.failures import ApiError

logger = logging.getLogger(__name__)

_PROMPT_SECONDS = 8.0
"""Time for sending a question: after 15 s the host asks a second time."""


class Sender(Protocol):
    """What the adapter supplies. Its coroutines raise HardenedError or ValueError."""

    connection: Connection | None

    def client(self) -> MattermostClient:
        """Return the client. Raises ConnectionLost."""

    async def post(self, chat_id: str, text: str, reply_to: str | None, metadata: Any) -> str:
        """Post a text in the thread of its answer and return the post's id."""

    def posts(self, text: str) -> list[str]:
        """Return the posts of a text."""


class OwnMessages:
    """The bot's own posts of one account: see `Network` and `Messages`."""

    pace = Pace(1.0)

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    # -- questions

    async def post_prompt(self, chat_id: str, text: str, metadata: Any) -> str | None:
        """See `Network`."""
        try:
            async with asyncio.timeout(_PROMPT_SECONDS):
                return await self._sender.post(chat_id, text, None, metadata)
        except (HardenedError, ValueError, TimeoutError) as exc:
            logger.warning("Mattermost: a question was not sent: %s", type(exc).__name__)
            return None

    async def edit_prompt(self, chat_id: str, message_id: str, text: str) -> None:
        """See `Network`."""
        try:
            await self._patch(message_id, text)
        except (HardenedError, ValueError) as exc:
            logger.warning("Mattermost: the outcome of a question is not shown: %s", type(exc).__name__)

    async def direct_chat(self, user_id: str) -> str | None:
        """See `Network`."""
        try:
            return await self._sender.client().direct_channel(user_id)
        except (HardenedError, ValueError) as exc:
            logger.warning("Mattermost: an admin's direct channel was not found: %s", type(exc).__name__)
            return None

    async def seed_prompt(self, message_id: str, names: Sequence[str]) -> None:
        """See `Network`."""
        for name in names:
            try:
                await self._sender.client().react(message_id, name)
            except (HardenedError, ValueError) as exc:
                logger.info("Mattermost: a reaction was not put below a question: %s", type(exc).__name__)

    # -- answers that grow

    def layout(self, text: str) -> list[str]:
        """Return the posts of a text, cut where a finished answer is."""
        return without_counters(self._sender.posts(text))

    async def ending(self, texts: list[str], pieces: Sequence[Piece]) -> list[str]:
        """See `pings`."""
        if (connection := self._sender.connection) is None:
            return texts
        usernames, posted = connection.source.usernames, [piece.posted for piece in pieces]
        return await pings.ending(texts, posted, usernames.id_of, usernames.look_up, connection.source.me.id or "")

    async def create(self, grown: Grown, text: str) -> str:
        """Post in the answer's thread."""
        return await self._sender.post(grown.chat_id, text, grown.reply_to, grown.metadata)

    async def change(self, grown: Grown, piece: Piece, text: str) -> str:
        """Edit a post."""
        await self._patch(piece.id, text)
        return piece.id

    async def withdraw(self, chat_id: str, message_id: str) -> None:
        """Delete a post."""
        await self._sender.client().call("DELETE", f"/posts/{message_id}")

    def error_kind(self, exc: Exception) -> str | None:
        """Return the host's word for an error."""
        return error_kind(exc)

    async def _patch(self, post_id: str, text: str) -> None:
        """Edit a post. To repeat an edit in doubt does no harm."""
        try:
            await self._sender.client().patch_post(post_id, text)
        except Unanswered:
            await self._sender.client().patch_post(post_id, text)


def error_kind(exc: Exception) -> str | None:
    """Return the host's word for an error, None if it has none."""
    match exc:
        case ApiError(status=403):
            return "forbidden"
        case ApiError(status=404):
            return "not_found"
    return None
