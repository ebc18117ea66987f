"""The delays between attempts to connect or to write."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator


def backoff(
    first: float = 2.0,
    factor: float = 2.0,
    cap: float = 60.0,
    jitter: float = 0.2,
    random: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Yield the seconds to wait before each attempt, for ever: growing up to `cap`, each varied by `jitter` of itself.

    Start a new one only after a link has proved itself: it delivered a byte or was open for some seconds.
    """
    delay = min(first, cap)
    while True:
        yield delay * (1 + jitter * (2 * random() - 1))
        delay = min(delay * factor, cap)
