"""Whom the host accepts, asked by everything that decides."""

from __future__ import annotations

import time
from collections.abc import Callable

Accepts = Callable[[str, str, str], bool | None]
"""The host's word on (user id, chat type, chat id)."""

KEEP_SECONDS = 1.0


class Remembered:
    """The host's word, where it accepts, for a second: it reads all its lists anew for every question.

    The host judges each message once more that it is handed, so what it takes back counts at once all the same.
    `clock` is monotonic seconds.
    """

    def __init__(self, accepts: Accepts, clock: Callable[[], float] = time.monotonic) -> None:
        self._accepts = accepts
        self._clock = clock
        self._since = clock()
        self._accepted: set[tuple[str, str, str]] = set()

    def __call__(self, user_id: str, chat_type: str, chat_id: str) -> bool | None:
        now = self._clock()
        if now - self._since >= KEEP_SECONDS:
            self._since = now
            self._accepted.clear()
        question = (user_id, chat_type, chat_id)
        if question in self._accepted:
            return True
        word = self._accepts(*question)
        if word is True:
            self._accepted.add(question)
        return word
