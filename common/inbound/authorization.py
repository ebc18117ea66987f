"""The host's authorization of people, cached for a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..core.events import Address
from ..core.people import Authorization


@dataclass(frozen=True, slots=True)
class HostAccess:
    """The host's judgement of people."""

    accepts: Callable[[str, str, str], bool | None]
    """Returns True if the host accepts (user id, chat type, chat id), None if it cannot say."""
    paired: Callable[[str], bool] = lambda _: False
    """Returns True if the host has paired the user id."""


Authorize = Callable[[Address, str, str], Authorization]
"""Returns the authorization of (person, chat type, chat id)."""

KEEP_SECONDS = 1.0


class AuthorizationCache:
    """Caches positive authorizations for one second, because the host re-reads its lists on every call.

    A permission that the host withdraws counts at once all the same: it judges every message again that it receives.
    `clock` is monotonic seconds.
    """

    def __init__(self, authorize: Authorize, clock: Callable[[], float] = time.monotonic) -> None:
        self._authorize = authorize
        self._clock = clock
        self._since = clock()
        self._accepted: dict[tuple[Address, str, str], Authorization] = {}

    def of(self, person: Address, chat_type: str, chat_id: str) -> Authorization:
        """Return the authorization of a person in a chat."""
        now = self._clock()
        if now - self._since >= KEEP_SECONDS:
            self._since = now
            self.forget()
        question = (person, chat_type, chat_id)
        authorization = self._accepted.get(question)
        if authorization is None:
            authorization = self._authorize(*question)
            # Refusals are not cached, so that a pairing or a new entry counts at once.
            if authorization.allowed:
                self._accepted[question] = authorization
        return authorization

    def forget(self) -> None:
        """Drop all entries, because more is known about somebody."""
        self._accepted.clear()
