"""What a network's adapter supplies for questions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Network(Protocol):
    """What a network's adapter supplies."""

    async def post_prompt(self, chat_id: str, text: str, metadata: Any) -> str | None:
        """Send a question at once, in one message; return its id, None if it was not sent."""

    async def edit_prompt(self, chat_id: str, message_id: str, text: str) -> None:
        """Replace the text of a question. Never raises."""

    async def direct_chat(self, user_id: str) -> str | None:
        """Return the host's id of the direct chat with somebody, None if there can be none."""

    async def seed_prompt(self, message_id: str, names: Sequence[str]) -> None:
        """Put the reactions below a question that answer it, where the network lets a bot do that. Never raises."""
