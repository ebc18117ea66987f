"""The one reconnection policy: what is tried again, and when."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Protocol

from ..core.errors import ConnectionLost, Fatal, HardenedError, Retryable

logger = logging.getLogger(__name__)

_PACE_SECONDS = 11.0


class Decision(Enum):
    RETRY = "retry"
    STOP = "stop"


def classify(exc: BaseException) -> Decision:
    """Whether a listener that failed so is worth another attempt; what is neither known kind is a bug and is raised."""
    match exc:
        case Retryable():
            return Decision.RETRY
        case Fatal():
            return Decision.STOP
    raise exc


class Pace:
    """No more than `limit` requests in any `per` seconds, whoever asks and however well the last one went."""

    def __init__(self, limit: int = 3, per: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._per = per
        self._clock = clock
        self._booked: deque[float] = deque(maxlen=limit)

    def book(self, delay: float = 0.0) -> float:
        """Book a request `delay` seconds from now or as soon after as the pace allows; returns the seconds to wait."""
        now = self._clock()
        at = now + delay
        if len(self._booked) == self._booked.maxlen:
            at = max(at, self._booked[0] + self._per)
        self._booked.append(at)
        return at - now


class Listening(Protocol):
    """What `Reconnection` looks at: since when (clock seconds) nothing has stood, None while something does."""

    deaf_since: float | None


class Reconnection:
    """Waits between attempts and decides when there has been enough of them. `name` is the network's."""

    def __init__(
        self,
        name: str,
        stats: Listening,
        give_up_after: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        # A request may go out later than booked and still be one of three in ten seconds.
        self.pace = Pace(per=_PACE_SECONDS, clock=clock)
        self._name = name
        self._stats = stats
        self._give_up_after = give_up_after
        self._clock = clock
        self._sleep = sleep
        self._last_failure: Exception | None = None

    async def wait(self, delay: float) -> None:
        """Back off; raises ConnectionLost instead when that would be deaf for too long."""
        wait = self.pace.book(delay)
        deaf_since = self._stats.deaf_since
        left = math.inf if deaf_since is None else deaf_since + self._give_up_after - self._clock()
        if wait > 0:
            await self._sleep(max(min(wait, left), 0.0))
        if wait >= left and self._stats.deaf_since == deaf_since:
            raise ConnectionLost(f"no events for {self._give_up_after:.0f} s: {self._last_failure}")

    def judge(self, failure: Exception) -> None:
        """Go on after what may pass, raise what does not."""
        if classify(failure) is Decision.STOP:
            raise failure
        self._last_failure = failure
        logger.warning("%s events interrupted: %s", self._name, failure)

    def epitaph(self, reason: Exception) -> HardenedError:
        """Why listening ended, as an error for the operator. A bug of ours never leaves a silent listener."""
        if not isinstance(reason, HardenedError):
            remedy = f"the listener failed ({type(reason).__name__}): restart and report it"
            bug = Fatal(f"{self._name}_stream_failed", remedy)
            bug.__cause__ = reason
            reason = bug
        logger.error("%s events end: %s", self._name, reason)
        return reason
