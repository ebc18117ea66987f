"""One queue and one worker per chat: order is kept within a chat, and no chat waits for another."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

logger = logging.getLogger(__name__)

QUEUE_LENGTH = 1_000
"""Per chat. When it is full the oldest expendable item goes, then the oldest of all; each is counted."""
_IN_A_ROW = 16
"""Items of one chat that are handled before every other task has had its turn."""
_DRAIN_SECONDS = 1.0

_Item = TypeVar("_Item")


class ChatWorkers(Generic[_Item]):
    """Hands items to `handle`, one at a time per chat. `close` cancels what still runs.

    `expendable` tells items that are nobody's request; it is asked only when there is no room.
    """

    def __init__(
        self, handle: Callable[[_Item], Awaitable[None]], expendable: Callable[[_Item], bool] = lambda _: False
    ) -> None:
        self._handle = handle
        self._expendable = expendable
        self._queues: dict[str, deque[_Item]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ready = asyncio.Event()
        self.shed = 0
        """Expendable items dropped for want of room."""
        self.lost = 0
        """Others dropped for want of room."""

    @property
    def chats(self) -> int:
        """Chats with items that wait or are being handled."""
        return len(self._queues)

    def busy(self, chat: str) -> bool:
        """Whether something of that chat waits or is being handled, or would have to wait."""
        return chat in self._queues or not self._ready.is_set()

    @property
    def waiting(self) -> int:
        """Items that nobody handles yet."""
        return sum(map(len, self._queues.values()))

    def start(self) -> None:
        """Begin to work; items submitted earlier have waited."""
        self._ready.set()

    def hold(self) -> None:
        """Let what is being handled finish and begin with nothing new until `start`."""
        self._ready.clear()

    def insert(self, chat: str, items: Iterable[_Item], order: Callable[[_Item], int]) -> None:
        """Queue items among those that wait already, where `order` puts them."""
        queue = self._queues.get(chat)
        waiting = list(queue) if queue else []
        if queue:
            queue.clear()
        for item in sorted([*waiting, *items], key=order):
            self.submit(chat, item)

    def submit(self, chat: str, item: _Item) -> None:
        """Queue an item; never waits."""
        queue = self._queues.setdefault(chat, deque())
        queue.append(item)
        if len(queue) > QUEUE_LENGTH:
            self._shed(queue)
        if chat not in self._tasks:
            self._tasks[chat] = asyncio.create_task(self._work(chat, queue))

    def _shed(self, queue: deque[_Item]) -> None:
        oldest = next((index for index, item in enumerate(queue) if self._expendable(item)), None)
        if oldest is not None:
            del queue[oldest]
            self.shed += 1
        else:
            queue.popleft()
            self.lost += 1
        if self.shed + self.lost == 1 or (oldest is None and self.lost == 1):
            what = "background talk" if oldest is not None else "messages to the agent"
            logger.warning("a chat's queue is full: its oldest %s is dropped from now on", what)

    async def idle(self) -> None:
        """Wait until every queue is empty."""
        while tasks := list(self._tasks.values()):
            await asyncio.gather(*tasks, return_exceptions=True)

    async def drain(self) -> None:
        """Wait until every queue is empty, but not for long."""
        try:
            await asyncio.wait_for(self.idle(), _DRAIN_SECONDS)
        except TimeoutError:
            logger.warning("messages received last could not be handed over in time")

    async def close(self) -> None:
        """Cancel every worker and wait for it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self, chat: str, queue: deque[_Item]) -> None:
        handled = 0
        try:
            while queue:
                await self._ready.wait()
                try:
                    await self._handle(queue.popleft())
                except Exception:
                    logger.exception("a message could not be handled")
                handled += 1
                if handled % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            del self._queues[chat], self._tasks[chat]
