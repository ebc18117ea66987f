"""Usernames of a Mattermost server: cached look-ups from name to user id and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ....common.core.bounded import Bounded
from ....common.core.errors import HardenedError
from ..rest.client import MattermostClient

logger = logging.getLogger(__name__)

KEEP_NAMES = 20_000
FORGET_UNKNOWN_SECONDS = 300.0
"""Time after which a name that no user has is looked up again."""


class Usernames:
    """A bounded cache of usernames. Users are identified by id; names serve only display and mentions.

    `clock` is monotonic seconds.
    """

    def __init__(self, client: MattermostClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._ids: Bounded[str, str] = Bounded(KEEP_NAMES)
        self._names: dict[str, str] = {}
        self._unknown: Bounded[str, float] = Bounded(KEEP_NAMES)
        self._bots: Bounded[str, bool] = Bounded(KEEP_NAMES)

    def id_of(self, name: str) -> str | None:
        """Return the id of the user with that name (any case), None if it is unknown so far."""
        return self._ids.get(name.lower())

    def name_of(self, user_id: str | None) -> str:
        """Return the name of a user, empty if it is unknown so far."""
        return self._names.get(user_id or "", "")

    def learn(self, user_id: str, name: str) -> None:
        """Record a user's name. An earlier name of theirs is dropped."""
        # Otherwise a mention of the freed name would still be one of this user.
        old = self._names.get(user_id)
        if old is not None and old != name.lower():
            self._ids.pop(old, None)
        self._names[user_id] = name.lower()
        self._unknown.pop(name.lower(), None)
        if dropped := self._ids.put(name.lower(), user_id):
            self._names.pop(dropped[1], None)

    async def look_up(self, names: Iterable[str]) -> bool:
        """Look up unknown names on the server; return True if any user was found. Failures are logged and find none."""
        # Anybody can write @-names that no user has, so these are remembered, too.
        now = self._clock()
        wanted = [
            name for name in names if now - self._unknown.get(name, -FORGET_UNKNOWN_SECONDS) >= FORGET_UNKNOWN_SECONDS
        ]
        if not wanted:
            return False
        try:
            found = await self._client.users_by_names(wanted)
        except HardenedError as exc:
            logger.warning("usernames could not be looked up: %s", exc)
            return False
        learnt = self._learn_all(found)
        for name in wanted:
            if name not in self._ids:
                self._unknown.put(name, now)
        return learnt

    async def fetch_name(self, user_id: str) -> str:
        """Return the name of a user, looked up if it is unknown; empty if that fails."""
        if user_id not in self._names:
            await self._ask(user_id)
        return self.name_of(user_id)

    async def is_bot(self, user_id: str) -> bool:
        """Return True if the server marks the account as a bot, False if not or if the look-up fails."""
        if user_id not in self._bots:
            await self._ask(user_id)
        return self._bots.get(user_id, False)

    async def is_person(self, user_id: str) -> bool:
        """Return True if the server says that the account is no bot, False if it is one or the look-up fails."""
        if user_id not in self._bots:
            await self._ask(user_id)
        return not self._bots.get(user_id, True)

    async def _ask(self, user_id: str) -> None:
        try:
            self._learn_all(await self._client.users_by_ids([user_id]))
        except (HardenedError, ValueError) as exc:
            logger.warning("a user could not be looked up: %s", exc)

    def _learn_all(self, users: Iterable[Any]) -> bool:
        rows = [user for user in users if isinstance(user, dict)]
        for row in rows:
            user_id, name = row.get("id"), row.get("username")
            if isinstance(user_id, str) and isinstance(name, str) and name:
                self.learn(user_id, name)
                self._bots.put(user_id, row.get("is_bot") is True)
        return bool(rows)
