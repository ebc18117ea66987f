"""One queue and one worker per chat: order is kept within a chat, and no chat waits for another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

QUEUE_LENGTH = 1_000
"""Per chat; when it is full the oldest waiting item is shed and counted."""

_Item = TypeVar("_Item")


class ChatWorkers(Generic[_Item]):
    """Hands items to `handle`, one at a time per chat. `close` cancels what still runs."""

    def __init__(self, handle: Callable[[_Item], Awaitable[None]]) -> None:
        self._handle = handle
        self._queues: dict[str, deque[_Item]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready = asyncio.Event()
        self.shed = 0

    def start(self) -> None:
        """Begin to work; items submitted earlier have waited."""
        self._ready.set()

    def hold(self) -> None:
        """Let what is being handled finish and begin with nothing new until `start`."""
        self._ready.clear()

    def insert(self, chat: str, items: Iterable[_Item], order: Callable[[_Item], int]) -> None:
        """Queue items among those that wait already, where `order` puts them."""
        queue = self._queues.get(chat, ())
        merged = sorted([*queue, *items], key=order)
        if isinstance(queue, deque):
            queue.clear()
        for item in merged:
            self.submit(chat, item)

    def submit(self, chat: str, item: _Item) -> None:
        """Queue an item; never waits."""
        queue = self._queues.setdefault(chat, deque())
        if len(queue) >= QUEUE_LENGTH:
            queue.popleft()
            self.shed += 1
            if self.shed == 1:
                logger.warning("a chat's queue is full: its oldest messages are dropped")
        queue.append(item)
        if chat not in self._tasks:
            self._tasks[chat] = asyncio.create_task(self._work(chat, queue))

    async def idle(self) -> None:
        """Wait until every queue is empty."""
        while tasks := list(self._tasks.values()):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def close(self) -> None:
        """Cancel every worker and wait for it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, chat: str, queue: deque[_Item]) -> None:
        try:
            while queue:
                await self._ready.wait()
                try:
                    await self._handle(queue.popleft())
                except Exception:
                    logger.exception("a message could not be handled")
        finally:
            del self._queues[chat], self._tasks[chat]
