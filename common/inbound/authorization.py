"""Whom the host accepts, asked by everything that decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core.events import Address
from ..core.people import Standing


@dataclass(frozen=True, slots=True)
class HostWord:
    """The host's word on people."""

    accepts: Callable[[str, str, str], bool | None]
    """It accepts (user id, chat type, chat id)."""
    paired: Callable[[str], bool] = lambda _: False
    """It was paired with that user id."""


Ask = Callable[[Address, str, str], Standing]
"""Who somebody is to the host: (person, chat type, chat id)."""

KEEP_SECONDS = 1.0


class Standings:
    """Who people are to the host, where it accepts them, for a second: it reads all its lists for every question.

    The host judges each message once more that it is handed, so what it takes back counts at once all the same.
    `clock` is monotonic seconds.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._since = clock()
        self._accepted: dict[tuple[Address, str, str], Standing] = {}

    def of(self, person: Address, chat_type: str, chat_id: str) -> Standing:
        """Who that person is, in that chat."""
        now = self._clock()
        if now - self._since >= KEEP_SECONDS:
            self._since = now
            self.forget()
        question = (person, chat_type, chat_id)
        standing = self._accepted.get(question)
        if standing is None:
            standing = self._ask(*question)
            if standing.allowed:
                self._accepted[question] = standing
        return standing

    def forget(self) -> None:
        """Something else is known of somebody now."""
        self._accepted.clear()
