"""The lifespan of a connection: `close` interrupts an opening in progress, so that nothing is opened after it."""

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
    """Owns the background tasks of a connection, and the `resources` that the opening coroutine adds. For one use."""

    def __init__(self) -> None:
        self.resources = AsyncExitStack()
        self._task: asyncio.Task[Any] | None = None
        self._closed = False

    async def run(self, opening: Coroutine[Any, Any, _T]) -> _T:
        """Run the coroutine that opens the connection. Raises Closed when `close` is called before it ends."""
        if self._closed:
            opening.close()
            raise Closed("closed already")
        task = self._task = asyncio.create_task(opening)
        try:
            result: _T = await task
        except asyncio.CancelledError:
            # Our own `close` becomes an error; a cancellation of the caller stays one.
            if self._closed:
                raise Closed("closed while connecting") from None
            raise
        return result

    def start_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until `close`. An exception it raises is a bug and is logged."""
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", None))
        task.add_done_callback(_log_failure)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self.resources.push_async_callback(end)

    async def close(self) -> None:
        """Cancel an opening in progress and close everything that was opened. Idempotent."""
        self._closed = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            # `wait`, because the error of the opening belongs to the caller of `run`.
            await asyncio.wait({self._task})
        await self.resources.aclose()


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (exc := task.exception()) is not None:
        logger.error("%s failed: %s", task.get_name(), type(exc).__name__)
