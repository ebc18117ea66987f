"""Lifespan that closing can interrupt, so that nothing is opened behind the back of what has closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from ..core.errors import Closed

_T = TypeVar("_T")

logger = logging.getLogger(__name__)


class Lifespan:
    """Runs what opens things onto `resources`; `close` ends it if it still runs and closes everything. One use."""

    def __init__(self) -> None:
        self.resources = AsyncExitStack()
        self._task: asyncio.Task[Any] | None = None
        self._closed = False

    async def run(self, opening: Coroutine[Any, Any, _T]) -> _T:
        """What the coroutine returns or raises; Closed when `close` was faster."""
        if self._closed:
            opening.close()
            raise Closed("closed already")
        task = self._task = asyncio.create_task(opening)
        try:
            result: _T = await task
        except asyncio.CancelledError:
            if self._closed:
                raise Closed("closed while connecting") from None
            raise
        return result

    def start_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something until `close`; what it raises is a bug, and logged."""
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
        task.add_done_callback(_complain)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.resources.push_async_callback(end)

    async def close(self) -> None:
        """Close everything that was opened. Idempotent."""
        self._closed = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.resources.aclose()


def _complain(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.error("%s failed: %s", task.get_name(), type(exc).__name__)
