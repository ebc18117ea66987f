"""Whom the host accepts, asked by everything that decides."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core.events import Address
from ..core.people import Authorization


@dataclass(frozen=True, slots=True)
class HostAccess:
    """The host's word on people."""

    accepts: Callable[[str, str, str], bool | None]
    """It accepts (user id, chat type, chat id)."""
    paired: Callable[[str], bool] = lambda _: False
    """It was paired with that user id."""


Ask = Callable[[Address, str, str], Authorization]
"""Who somebody is to the host: (person, chat type, chat id)."""

KEEP_SECONDS = 1.0


class AuthorizationCache:
    """Who people are to the host, where it accepts them, for a second: it reads all its lists for every question.

    The host judges each message once more that it is handed, so what it takes back counts at once all the same.
    `clock` is monotonic seconds.
    """

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask = ask
        self._clock = clock
        self._since = clock()
        self._accepted: dict[tuple[Address, str, str], Authorization] = {}

    def of(self, person: Address, chat_type: str, chat_id: str) -> Authorization:
        """Who that person is, in that chat."""
        now = self._clock()
        if now - self._since >= KEEP_SECONDS:
            self._since = now
            self.forget()
        question = (person, chat_type, chat_id)
        authorization = self._accepted.get(question)
        if authorization is None:
            authorization = self._ask(*question)
            if authorization.allowed:
                self._accepted[question] = authorization
        return authorization

    def forget(self) -> None:
        """Something else is known of somebody now."""
        self._accepted.clear()
