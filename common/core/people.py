"""The operator's lists of people, and a sender's authorization by the host under one of their aliases. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .authority import RIGHTS, Authority, Rights, of_person

_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)


def as_number(value: object) -> str | None:
    """Return the value if it is an E.164 number, else None."""
    return value if isinstance(value, str) and _E164.fullmatch(value) else None


def as_aci(value: object) -> str | None:
    """Return a UUID in canonical form (8-4-4-4-12 hexadecimal digits) in lower case, else None; also for `PNI:…`."""
    return value.lower() if isinstance(value, str) and _CANONICAL.fullmatch(value) else None


@dataclass(frozen=True)
class Lists:
    """The people whom the operator listed, spelled as in the settings, in order of precedence: admins first."""

    admins: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()

    def spellings(self, aliases: Iterable[str]) -> tuple[str, ...]:
        """Return the entries that name one of these aliases."""
        places = {place for alias in aliases for place in self._places.get(alias, ())}
        return tuple(dict.fromkeys(self._entries[place] for place in sorted(places)))

    def numbers(self) -> tuple[str, ...]:
        """Return the phone numbers among the entries."""
        return tuple(dict.fromkeys(entry for entry in self._entries if as_number(entry)))

    @cached_property
    def _entries(self) -> tuple[str, ...]:
        return (*self.admins, *self.allowed)

    @cached_property
    def _places(self) -> dict[str, list[int]]:
        """The positions of each alias among the entries."""
        places: dict[str, list[int]] = {}
        for place, entry in enumerate(self._entries):
            places.setdefault(as_aci(entry) or entry, []).append(place)
        return places


@dataclass(frozen=True, slots=True)
class Authorization:
    """The host's verdict on a person in a chat.

    `user_id` is the alias under which the host accepts them, or their first alias. `allowed` is True if it accepts one.
    """

    user_id: str
    aci: str | None
    allowed: bool
    listed: bool
    """True if the operator listed the person individually; a wildcard lists nobody."""
    authority: Authority = Authority.STRANGER

    @property
    def rights(self) -> Rights:
        return RIGHTS[self.authority]


NOBODY = Authorization("", None, allowed=False, listed=False)
"""The placeholder for an author about whom the host has not been asked."""


def authorization_of(
    aliases: Sequence[str],
    aci: str | None,
    lists: Lists,
    accepts: Callable[[str], bool | None],
    paired: Callable[[str], bool],
    *,
    is_open: bool,
) -> Authorization:
    """Ask the host (`accepts`) about the aliases until it accepts one: admin-listed, allow-listed, then the others.

    `paired` returns whether the host paired an alias. `is_open` is True for a chat that is open to its members.
    """
    # The operator's own spelling comes first, because the host compares plain strings.
    spelled = lists.spellings(aliases)
    # None, from a host that cannot say, counts as a refusal.
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
