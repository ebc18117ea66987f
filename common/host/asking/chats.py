"""The latest adapter of each account: it speaks for earlier ones, and for a thread of the agent in its chat."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, NamedTuple
from weakref import ref

from ...tenancy.chats import Chat
from .. import profile

logger = logging.getLogger(__name__)

_latest: dict[tuple[str, str], _Latest] = {}
"""By profile and network: adapters are made anew on every reconnect."""


class _Latest(NamedTuple):
    adapter: ref[Any]
    loop: asyncio.AbstractEventLoop | None = None
    """None until it is connected."""


def made(adapter: Any) -> tuple[str, str]:
    """Record a new adapter and return the key of its account."""
    key = str(adapter.home), adapter.platform.value
    _latest[key] = _Latest(ref(adapter))
    return key


def connected(adapter: Any) -> None:
    """Record an adapter that is connected. Called on its loop."""
    _latest[str(adapter.home), adapter.platform.value] = _Latest(ref(adapter), asyncio.get_running_loop())


def latest(key: tuple[str, str]) -> Any:
    """Return the latest adapter of an account, None if it is gone."""
    found = _latest.get(key)
    return found and found.adapter()


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
    found = _latest.get((str(profile.home()), chat.platform))
    if found is None or (adapter := found.adapter()) is None or found.loop is None or found.loop.is_closed():
        return None
    return adapter, found.loop
