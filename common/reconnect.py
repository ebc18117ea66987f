"""The one reconnection policy: what is tried again, and when."""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum

from .errors import Fatal, Retryable


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


def backoff(
    first: float = 2.0,
    factor: float = 2.0,
    cap: float = 60.0,
    jitter: float = 0.2,
    random: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Seconds to wait before each attempt in turn, for ever: growing up to `cap`, each off by up to `jitter` of itself.

    Start a new one only after a stream has proved itself: it stood for some seconds or delivered a byte.
    """
    delay = min(first, cap)
    while True:
        yield delay * (1 + jitter * (2 * random() - 1))
        delay = min(delay * factor, cap)


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
