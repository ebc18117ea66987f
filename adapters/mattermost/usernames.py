"""Who is who on a Mattermost server: names to user ids and back, asked for when needed and remembered for a while."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ...common.core.bounded import Bounded
from ...common.core.errors import HardenedError

logger = logging.getLogger(__name__)

KEEP_NAMES = 20_000
FORGET_UNKNOWN_SECONDS = 300.0
"""How long a name nobody bears is not asked for again."""


class Users(Protocol):
    """The calls of `MattermostClient` used here."""

    async def users_by_names(self, names: Iterable[str]) -> list[dict[str, Any]]: ...

    async def users_by_ids(self, ids: Iterable[str]) -> list[dict[str, Any]]: ...


class People:
    """A bounded cache of user names. A user's id is his identity; his name is for display and for mentions only."""

    def __init__(self, users: Users, clock: Callable[[], float]) -> None:
        self._users = users
        self._clock = clock
        self._ids: Bounded[str, str] = Bounded(KEEP_NAMES)
        self._names: dict[str, str] = {}
        self._unknown: Bounded[str, float] = Bounded(KEEP_NAMES)
        self._bots: Bounded[str, bool] = Bounded(KEEP_NAMES)

    def id_of(self, name: str) -> str | None:
        """The id of the user with that name (any case), as far as it is known."""
        return self._ids.get(name.lower())

    def name_of(self, user_id: str | None) -> str:
        """The name of a user, empty while it is not known."""
        return self._names.get(user_id or "", "")

    def learn(self, user_id: str, name: str) -> None:
        """Take note of a user's name; the one he had before is nobody's now."""
        old = self._names.get(user_id)
        if old is not None and old != name.lower():
            self._ids.pop(old, None)
        self._names[user_id] = name.lower()
        self._unknown.pop(name.lower(), None)
        if dropped := self._ids.put(name.lower(), user_id):
            self._names.pop(dropped[1], None)

    async def look_up(self, names: Iterable[str]) -> bool:
        """Ask the server for names not known yet; whether that taught anything. A failure teaches nothing."""
        now = self._clock()
        wanted = [
            name for name in names if now - self._unknown.get(name, -FORGET_UNKNOWN_SECONDS) >= FORGET_UNKNOWN_SECONDS
        ]
        if not wanted:
            return False
        try:
            found = await self._users.users_by_names(wanted)
        except HardenedError as exc:
            logger.warning("user names could not be looked up: %s", exc)
            return False
        learnt = self._learn_all(found)
        for name in wanted:
            if name not in self._ids:
                self._unknown.put(name, now)
        return learnt

    async def meet(self, user_id: str) -> str:
        """The name of a user, asked for when it is not known; empty when the server does not tell."""
        if user_id not in self._names:
            await self._ask(user_id)
        return self.name_of(user_id)

    async def is_bot(self, user_id: str) -> bool:
        """The server's word that an account is a bot's; no while it cannot be asked."""
        if user_id not in self._bots:
            await self._ask(user_id)
        return self._bots.get(user_id, False)

    async def _ask(self, user_id: str) -> None:
        try:
            self._learn_all(await self._users.users_by_ids([user_id]))
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
