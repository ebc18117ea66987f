"""Opening that closing can interrupt, so that nothing is opened behind the back of what has closed."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from .errors import Closed

_T = TypeVar("_T")


class Opening:
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

    async def close(self) -> None:
        """Close everything that was opened. Idempotent."""
        self._closed = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.wait({self._task})
        await self.resources.aclose()
