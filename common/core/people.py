"""Who is who: which phone number belongs to which stable identity, and whom the host therefore accepts.

On Signal a person has an ACI (stable), perhaps a number, perhaps a PNI. A PNI is never anybody's identity. Pairs are
learnt only from envelopes and from signal-cli's own contact store; a number belongs to one ACI until the operator
lists another himself, because numbers are reassigned to strangers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .authority import RIGHTS, Authority, Rights, of_person

_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)


def as_number(value: object) -> str | None:
    """An E.164 number, or None."""
    return value if isinstance(value, str) and _E164.fullmatch(value) else None


def as_aci(value: object) -> str | None:
    """A UUID in its canonical form (8-4-4-4-12 hexadecimal digits), in lower case, or None. `PNI:…` is none."""
    return value.lower() if isinstance(value, str) and _CANONICAL.fullmatch(value) else None


@dataclass(frozen=True)
class Lists:
    """The people the operator named, as he spelled them, in the order of precedence: admins before the allowed."""

    admins: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    def spellings(self, aliases: Iterable[str]) -> tuple[str, ...]:
        """The entries that name one of these identities."""
        places = {place for alias in aliases for place in self._places.get(alias, ())}
        return tuple(dict.fromkeys(self._entries[place] for place in sorted(places)))

    def numbers(self) -> tuple[str, ...]:
        """The phone numbers among the entries."""
        return tuple(dict.fromkeys(entry for entry in self._entries if as_number(entry)))

    @cached_property
    def _entries(self) -> tuple[str, ...]:
        return (*self.admins, *self.allowed)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """Where among the entries each identity stands."""
        places: dict[str, list[int]] = {}
        for place, entry in enumerate(self._entries):
            places.setdefault(as_aci(entry) or entry, []).append(place)
        return places


@dataclass(frozen=True, slots=True)
class Authorization:
    """A sender as the host shall know them: `user_id` is the alias it accepts, `allowed` its word on it."""

    user_id: str
    aci: str | None
    allowed: bool
    listed: bool
    """Named by the operator individually; a wildcard names nobody."""
    authority: Authority = Authority.STRANGER

    @property
    def rights(self) -> Rights:
        return RIGHTS[self.authority]


NOBODY = Authorization("", None, allowed=False, listed=False)
"""Somebody about whom nobody was asked."""


def authorization_of(
    aliases: Sequence[str],
    aci: str | None,
    lists: Lists,
    accepts: Callable[[str], bool | None],
    paired: Callable[[str], bool],
    *,
    is_open: bool,
) -> Authorization:
    """Ask the host (`accepts`) about the aliases until it accepts one: admin-listed, allow-listed, then as they come.

    `paired` is the host's word on the one it accepts; `is_open` tells a chat that is open to its members.
    """
    spelled = lists.spellings(aliases)
    user_id = next((alias for alias in dict.fromkeys((*spelled, *aliases)) if accepts(alias) is True), None)
    authority = of_person(
        accepted=user_id is not None,
        named=bool(spelled),
        paired=user_id is not None and not spelled and paired(user_id),
        admin=user_id in lists.admins,
        admins_named=bool(lists.admins),
        admitted=is_open,
    )
    return Authorization(user_id or next(iter(aliases), ""), aci, user_id is not None, bool(spelled), authority)
