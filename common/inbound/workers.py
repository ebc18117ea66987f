"""One queue and one worker per chat: order is kept within a chat, and no chat waits for another."""

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

    `place` returns an item's author and rank; it is called only when a queue is crowded or an item is deferred.
    `close` cancels the handling that still runs.
    """

    def __init__(
        self, handle: Callable[[_Item], Awaitable[None]], place: Callable[[_Item], Place], length: int = LENGTH
    ) -> None:
        self._handle = handle
        self._place = place
        self._length = length
        self._chats: dict[str, _Chat[_Item]] = {}
        self._deferring: set[asyncio.Task[object]] = set()
        self._ready = asyncio.Event()
        self._draining = False
        self.shed = 0
        """Items dropped because a queue was full: no requests, or requests of people who may make none."""
        self.lost = 0
        """Requests dropped because a queue was full."""

    @property
    def chats(self) -> int:
        """Number of chats with items that wait or are being handled."""
        return len(self._chats)

    def busy(self, chat: str) -> bool:
        """Return whether an item of that chat would have to wait: others of it do, or work has not begun."""
        return chat in self._chats or not self._ready.is_set()

    @property
    def waiting(self) -> int:
        """Number of items that wait."""
        return sum(len(chat.queue) for chat in self._chats.values())

    def start(self) -> None:
        """Begin, or go on, handling items."""
        self._ready.set()

    def hold(self) -> None:
        """Begin with no other item until `start`; the items being handled finish."""
        self._ready.clear()

    def insert(self, chat: str, items: Iterable[_Item], order: Callable[[_Item], int]) -> None:
        """Queue items among those that wait already, sorted by `order`."""
        waiting = self._chats[chat].queue.remove_all() if chat in self._chats else []
        for item in sorted([*waiting, *items], key=order):
            self.submit(chat, item)

    def submit(self, chat: str, item: _Item) -> None:
        """Queue an item; never waits."""
        there = self._chats.get(chat)
        if there is None:
            there = self._chats[chat] = _Chat(FairQueue(self._place, self._length))
            there.worker = asyncio.create_task(self._work(chat, there))
        if gone := there.queue.push(item):
            self._count(gone)
        there.wake.set()

    def defer(self, chat: str, item: _Item, ready: Coroutine[Any, Any, object]) -> None:
        """Put `item` back until `ready` returns; the same author's later items wait behind it, nobody else's do.

        Call this from `handle`, with the item being handled. `drain` and `close` cancel `ready`; after `drain` the
        item is then handled without it.
        """
        there = self._chats[chat]
        author, gone = there.queue.hold(item)
        self._count(gone)
        task = asyncio.create_task(ready)
        self._deferring.add(task)
        task.add_done_callback(partial(self._resume, there, author))
        if self._draining:
            task.cancel()

    def _resume(self, there: _Chat[_Item], author: str, ready: asyncio.Task[object]) -> None:
        self._deferring.discard(ready)
        if not ready.cancelled() and (exc := ready.exception()) is not None:
            logger.error("a look-up that a message waited for failed: %s", type(exc).__name__)
        there.queue.release(author)
        there.wake.set()

    def _count(self, gone: Iterable[Place]) -> None:
        for place in gone:
            if place.is_turn:
                self.lost += 1
            else:
                self.shed += 1
            if (self.lost if place.is_turn else self.shed) == 1:
                kind = "messages to the agent" if place.is_turn else "background messages"
                logger.warning("a chat's queue is full: its oldest %s are dropped from now on", kind)

    async def idle(self) -> None:
        """Wait until every queue is empty."""
        while workers := self._workers():
            await asyncio.gather(*workers, return_exceptions=True)

    async def drain(self, seconds: float) -> None:
        """Wait until every queue is empty, for at most `seconds`. Deferred items are handled at once."""
        self._draining = True
        for task in self._deferring:
            task.cancel()
        try:
            await asyncio.wait_for(self.idle(), seconds)
        except TimeoutError:
            logger.warning("messages received last could not be handed over in time")

    async def close(self) -> None:
        """Cancel every worker and wait for it."""
        tasks = [*self._deferring, *self._workers()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _workers(self) -> list[asyncio.Task[None]]:
        return [there.worker for there in self._chats.values() if there.worker is not None]

    async def _work(self, chat: str, there: _Chat[_Item]) -> None:
        handled = 0
        try:
            while there.queue:
                await self._ready.wait()
                there.wake.clear()
                if (item := there.queue.pop()) is None:
                    await there.wake.wait()
                    continue
                try:
                    await self._handle(item)
                except Exception:
                    logger.exception("a message could not be handled")
                handled += 1
                if handled % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
        finally:
            del self._chats[chat]


@dataclass(slots=True)
class _Chat(Generic[_Item]):
    queue: FairQueue[_Item]
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when an item may have become the next one."""
    worker: asyncio.Task[None] | None = None
