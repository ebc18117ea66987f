"""The only reconnection policy: which failures are retried, and when."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable

from ..core.errors import CommonCode, ConnectionLost, Fatal, HardenedError, Retryable
from .stats import StreamStats

logger = logging.getLogger(__name__)

_LIMIT_SECONDS = 11.0


def is_retryable(exc: BaseException) -> bool:
    """Return True for a temporary failure, False for a refusal and for an unexpected exception, which is a bug."""
    return isinstance(exc, Retryable)


class RateLimit:
    """Allows at most `limit` requests in any `per` seconds, over all callers, after successes as after failures."""

    def __init__(self, limit: int = 3, per: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per = per
        self._clock = clock
        self._reserved: deque[float] = deque(maxlen=limit)

    def reserve(self, delay: float = 0.0) -> float:
        """Reserve a request `delay` seconds from now or as soon after as allowed; return the seconds to wait."""
        now = self._clock()
        at = now + delay
        if len(self._reserved) == self._reserved.maxlen:
            at = max(at, self._reserved[0] + self._per)
        self._reserved.append(at)
        return at - now


class Reconnection:
    """Waits between attempts, and decides when to stop trying. `name` is the network's, for logs and error codes."""

    def __init__(
        self,
        name: str,
        stats: StreamStats,
        give_up_after: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        # More than ten seconds: a request may go out later than reserved and must still be one of three in ten.
        self.rate_limit = RateLimit(per=_LIMIT_SECONDS, clock=clock)
        self._name = name
        self._stats = stats
        self._give_up_after = give_up_after
        self._clock = clock
        self._sleep = sleep
        self._last_failure: BaseException | None = None

    async def wait(self, delay: float) -> None:
        """Wait at least `delay` seconds. Raises ConnectionLost after `give_up_after` seconds without an open link."""
        wait = self.rate_limit.reserve(delay)
        since = self._stats.disconnected_since
        left = math.inf if since is None else since + self._give_up_after - self._clock()
        # Not beyond the deadline, so that a long back-off does not delay the report to the host.
        if wait > 0:
            await self._sleep(max(min(wait, left), 0.0))
        # Another link may have opened meanwhile.
        if wait >= left and self._stats.disconnected_since == since:
            raise ConnectionLost(f"no events for {self._give_up_after:.0f} s: {self._last_failure}")

    def raise_if_fatal(self, failure: BaseException) -> None:
        """Raise a failure that a retry does not remove; log and remember any other."""
        if not is_retryable(failure):
            raise failure
        self._last_failure = failure
        logger.warning("%s events interrupted: %s", self._name, failure)

    def final_error(self, reason: Exception) -> HardenedError:
        """Return the error that ended the stream, for the operator. A bug of ours becomes Fatal."""
        if not isinstance(reason, HardenedError):
            remedy = f"the listener failed ({type(reason).__name__}): restart the gateway and report this"
            bug = Fatal(CommonCode.STREAM_FAILED.of(self._name), remedy)
            bug.__cause__ = reason
            reason = bug
        logger.error("%s events stopped: %s", self._name, reason)
        return reason
