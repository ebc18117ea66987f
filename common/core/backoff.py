"""How long to wait before each attempt."""

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
    """Seconds to wait before each attempt in turn, for ever: growing up to `cap`, each off by up to `jitter` of itself.

    Start a new one only after a stream has proved itself: it stood for some seconds or delivered a byte.
    """
    delay = min(first, cap)
    while True:
        yield delay * (1 + jitter * (2 * random() - 1))
        delay = min(delay * factor, cap)
