"""How an adapter tells the host that it is dead and why, so that no status says connected while it is deaf."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from ..core.errors import Closed, ConnectionLost, Fatal, HardenedError

logger = logging.getLogger(__name__)


class HostStatus:
    """Speaks for one adapter instance. The host makes a new one when it tries again."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self._platform: str = adapter.platform.value
        self._notifying: asyncio.Task[None] | None = None

    def refused(self, exc: HardenedError, *, worked_before: bool) -> None:
        """Set the error the host shows. What worked once is tried again, whatever is wrong with it now."""
        if isinstance(exc, Closed):
            logger.info("%s: %s", self._platform, exc)
        elif isinstance(exc, Fatal):
            self._set(exc.code, exc.remedy, retryable=exc.heals or worked_before)
        else:
            what = "unreachable" if isinstance(exc, ConnectionLost) else "failed"
            self._set(f"{self._platform}_{what}", str(exc), retryable=True)

    def died(self, exc: HardenedError) -> None:
        """The listener ended: the host is told, disconnects this instance and tries with another."""
        self.refused(exc, worked_before=True)
        # Owned by nobody whom the host's answer, disconnect(), would cancel.
        self._notifying = asyncio.create_task(self._adapter._notify_fatal_error())

    def _set(self, code: str, message: str, *, retryable: bool) -> None:
        self._adapter._set_fatal_error(code, message, retryable=retryable)
        logger.error("%s is not connected (%s): %s", self._platform, code, message)
