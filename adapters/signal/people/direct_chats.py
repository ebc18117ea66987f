"""The chat ids of direct chats. Each chat keeps its first id."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from ....common.core.people import as_aci
from .directory import overflow


class DirectChats:
    """Keeps the first chat id of each person's direct chat.

    The host derives the session from it, so a number or ACI learnt later must not change it. `owner` returns the ACI
    of a number; `remember`, `forget` and `is_named` work as in the directory, but by alias.
    """

    def __init__(
        self,
        known: Iterable[tuple[str, str]] = (),
        *,
        owner: Callable[[str], str | None] = lambda _: None,
        remember: Callable[[str, str], None] = lambda *_: None,
        forget: Callable[[str], None] = lambda _: None,
        is_named: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._ids = OrderedDict(known)
        self._owner = owner
        self._remember = remember
        self._forget = forget
        self._is_named = is_named
        self._make_room()

    def id_for(self, aliases: tuple[str, ...]) -> str:
        """Return the chat id for the person with these aliases: at least one, the preferred one first."""
        aci = next((alias for alias in aliases if as_aci(alias)), None)
        ids = {alias: self._ids[alias] for alias in aliases if alias in self._ids}
        theirs = {alias: chat_id for alias, chat_id in ids.items() if self._is_theirs(chat_id, aci)}
        chat_id = next(iter(theirs.values()), aliases[0])
        # Every alias leads to the id: the next message may come with another one.
        for alias in aliases:
            if alias not in theirs:
                self._ids[alias] = chat_id
                self._remember(alias, chat_id)
        self._make_room()
        return chat_id

    def known_id(self, aliases: tuple[str, ...]) -> str:
        """Return the chat id for a person without fixing it: that of their next message may be another."""
        aci = next((alias for alias in aliases if as_aci(alias)), None)
        known = (self._ids[alias] for alias in aliases if alias in self._ids)
        return next((chat_id for chat_id in known if self._is_theirs(chat_id, aci)), aliases[0])

    def _is_theirs(self, chat_id: str, aci: str | None) -> bool:
        """Return True if the chat belongs to the person with that ACI. A number may have moved to somebody else."""
        return aci is None or (as_aci(chat_id) or self._owner(chat_id) or aci) == aci

    def _make_room(self) -> None:
        for alias in overflow(self._ids, self._is_named):
            del self._ids[alias]
            self._forget(alias)
