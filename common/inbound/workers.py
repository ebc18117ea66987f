"""One queue and one worker for each chat: a chat's messages stay in order, and no chat waits for another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, TypeVar

from .fair_queue import LENGTH, FairQueue, Place

logger = logging.getLogger(__name__)

_IN_A_ROW = 16
"""Items of one chat that are handled before other tasks get a turn."""

_Item = TypeVar("_Item")


class ChatWorkers(Generic[_Item]):
    """Hands items to `handle`, one at a time for each chat. At most `length` items of a chat wait.

    `place` returns an item's author and kind; it is called only when a queue is crowded or an item is deferred.
    """

    def __init__(
        self, handle: Callable[[_Item], Awaitable[None]], place: Callable[[_Item], Place], length: int = LENGTH
    ) -> None:
        self._handle = handle
        self._place = place
        self._length = length
        self._chats: dict[str, _Worker[_Item]] = {}
        self._deferring: set[asyncio.Task[object]] = set()
        self._ready = asyncio.Event()
        self._draining = False
        self.shed = 0
        """Items dropped because a queue was full, except turns of the agent."""
        self.lost = 0
        """Turns of the agent dropped because a queue was full."""

    @property
    def chats(self) -> int:
        """Number of chats with items that wait or are being handled."""
        return len(self._chats)

    def busy(self, chat: str) -> bool:
        """Return True if an item of that chat would have to wait: others of it do, or handling has not started."""
        return chat in self._chats or not self._ready.is_set()

    @property
    def waiting(self) -> int:
        """Number of items that wait."""
        return sum(len(chat.queue) for chat in self._chats.values())

    def start(self) -> None:
        """Start or resume the handling of items."""
        self._ready.set()

    def hold(self) -> None:
        """Start no other item until `start` is called; the items being handled finish."""
        self._ready.clear()

    def insert(self, chat: str, items: Iterable[_Item], order: Callable[[_Item], int]) -> None:
        """Queue items among those that wait already, sorted by `order`."""
        waiting = self._chats[chat].queue.remove_all() if chat in self._chats else []
        for item in sorted([*waiting, *items], key=order):
            self.submit(chat, item)

    def submit(self, chat: str, item: _Item) -> None:
        """Queue an item; never waits."""
        worker = self._chats.get(chat)
        if worker is None:
            worker = self._chats[chat] = _Worker(FairQueue(self._place, self._length))
            worker.task = asyncio.create_task(self._work(chat, worker))
        if dropped := worker.queue.push(item):
            self._count(dropped)
        worker.wake.set()

    def defer(self, chat: str, item: _Item, ready: Coroutine[Any, Any, object]) -> None:
        """Put `item` back until `ready` returns. Later items of the same author wait behind it, other people's do not.

        Call this from `handle`, with the item being handled. `drain` and `close` cancel `ready`; after `drain` the
        item is then handled without it.
        """
        worker = self._chats[chat]
        author, dropped = worker.queue.hold(item)
        self._count(dropped)
        task = asyncio.create_task(ready)
        self._deferring.add(task)
        task.add_done_callback(partial(self._resume, worker, author))
        if self._draining:
            task.cancel()

    def _resume(self, worker: _Worker[_Item], author: str, ready: asyncio.Task[object]) -> None:
        self._deferring.discard(ready)
        if not ready.cancelled() and (exc := ready.exception()) is not None:
            logger.error("a lookup that a message waited for failed: %s", type(exc).__name__)
        worker.queue.release(author)
        worker.wake.set()

    def _count(self, dropped: Iterable[Place]) -> None:
        for place in dropped:
            if place.is_turn:
                self.lost += 1
            else:
                self.shed += 1
            # Only the first of each kind is logged, so that a flood does not flood the log.
            if (self.lost if place.is_turn else self.shed) == 1:
                kind = "messages to the agent" if place.is_turn else "background messages"
                logger.warning("a chat's queue is full: its oldest %s are dropped from now on", kind)

    async def idle(self) -> None:
        """Wait until every queue is empty, also of items that are submitted meanwhile."""
        while workers := self._workers():
            await asyncio.gather(*workers, return_exceptions=True)

    async def drain(self, seconds: float) -> None:
        """Wait until every queue is empty, for at most `seconds`. Deferred items are handled at once."""
        self._draining = True
        # A lookup may take longer than the host waits; the messages are handled with what is known.
        for task in self._deferring:
            task.cancel()
        try:
            await asyncio.wait_for(self.idle(), seconds)
        except TimeoutError:
            logger.warning("the last messages received could not be delivered in time")

    async def close(self) -> None:
        """Cancel every worker and lookup, in the middle of an item as well, and wait for their end."""
        tasks = [*self._deferring, *self._workers()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _workers(self) -> list[asyncio.Task[None]]:
        return [worker.task for worker in self._chats.values() if worker.task is not None]

    async def _work(self, chat: str, worker: _Worker[_Item]) -> None:
        handled = 0
        try:
            while worker.queue:
                await self._ready.wait()
                worker.wake.clear()
                if (item := worker.queue.pop()) is None:
                    await worker.wake.wait()
                    continue
                try:
                    await self._handle(item)
                except Exception:
                    # One message must not stop its chat.
                    logger.exception("a message could not be handled")
                handled += 1
                # A handler that never really waits would keep all other chats from running.
                if handled % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            # Nothing is awaited between the check for an empty queue and this, so no item can be left behind.
            del self._chats[chat]


@dataclass(slots=True)
class _Worker(Generic[_Item]):
    queue: FairQueue[_Item]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an item may have become the next one."""
    task: asyncio.Task[None] | None = None
