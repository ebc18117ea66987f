"""The connected adapters, so that a thread of the agent can speak in its chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any
from weakref import ref

from ...tenancy.chats import Chat
from .. import profile

logger = logging.getLogger(__name__)

_connected: dict[tuple[str, str], tuple[ref[Any], asyncio.AbstractEventLoop]] = {}
"""Adapters and their loops, by profile and network. Each connect replaces the one before."""


def connected(adapter: Any) -> None:
    """Record an adapter that is connected. Called on its loop."""
    _connected[str(adapter.home), adapter.platform.value] = (ref(adapter), asyncio.get_running_loop())


def serves(chat: Chat) -> bool:
    """Return True if an adapter of ours serves a chat of the current profile."""
    return _adapter(chat) is not None


def start(chat: Chat, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Future[Any]:
    """Start work with a chat's adapter on its loop. Raises RuntimeError if none is connected."""
    if (found := _adapter(chat)) is None:
        raise RuntimeError("no adapter serves this chat")
    adapter, loop = found
    return asyncio.run_coroutine_threadsafe(work(adapter), loop)


def say(chat: Chat, text: str) -> None:
    """Send a line to a chat in the background. Never raises."""

    async def send(adapter: Any) -> None:
        try:
            await adapter.send(chat.chat_id, text, metadata=metadata(chat))
        except Exception as exc:
            logger.warning("a chat was not told of a refusal (%s)", type(exc).__name__)

    try:
        start(chat, send)
    except RuntimeError:
        logger.debug("no chat to tell")


def metadata(chat: Chat) -> dict[str, str] | None:
    """Return the host's metadata of what is sent to a chat."""
    return {"thread_id": chat.thread_id} if chat.thread_id else None


def _adapter(chat: Chat) -> tuple[Any, asyncio.AbstractEventLoop] | None:
    found = _connected.get((str(profile.home()), chat.platform))
    if found is None or (adapter := found[0]()) is None or found[1].is_closed():
        return None
    return adapter, found[1]
