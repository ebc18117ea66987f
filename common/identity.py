"""Who is who: which phone number belongs to which stable identity, and whom the host therefore accepts.

On Signal a person has an ACI (stable), perhaps a number, perhaps a PNI. A PNI is never anybody's identity. Pairs are
learnt only from envelopes and from signal-cli's own contact store; a number belongs to one ACI until the operator
lists another himself, because numbers are reassigned to strangers.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

from .authority import RIGHTS, Authority, Rights, of_person
from .events import Address
from .wording import Foreign
from .wording import name as as_name

KEEP_PEOPLE = 20_000
"""Pairs, names and aliases of direct chats, each; who is listed or paired goes beyond it."""
_UNNAMED = Foreign()
_CANONICAL = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_E164 = re.compile(r"\+[1-9][0-9]{4,14}", re.ASCII)


def as_number(value: object) -> str | None:
    """An E.164 number, or None."""
    return value if isinstance(value, str) and _E164.fullmatch(value) else None


def as_aci(value: object) -> str | None:
    """A UUID in its canonical form (8-4-4-4-12 hexadecimal digits), in lower case, or None. `PNI:…` is none."""
    return value.lower() if isinstance(value, str) and _CANONICAL.fullmatch(value) else None


class Source(IntEnum):
    """Where a pair was learnt; the higher is the stronger."""

    CONTACTS = 1
    ENVELOPE = 2


class Learnt(IntEnum):
    """What became of a pair that was offered."""

    KNOWN = 0
    NEW = 1
    MOVED = 2
    """The number is another ACI's (said once): refused until the operator lists the new ACI or confirms the move."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A number and the ACI it belongs to. `moved_to` is the ACI that showed up with it later."""

    number: str
    uid: str
    source: Source
    moved_to: str | None = None


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
class Standing:
    """A sender as the host shall know them: `user_id` is the alias it accepts, `allowed` its word on it."""

    user_id: str
    uid: str | None
    allowed: bool
    listed: bool
    """Named by the operator individually; a wildcard names nobody."""
    authority: Authority = Authority.STRANGER

    @property
    def rights(self) -> Rights:
        return RIGHTS[self.authority]


def standing_of(
    aliases: Sequence[str],
    uid: str | None,
    lists: Lists,
    accepts: Callable[[str], bool | None],
    paired: Callable[[str], bool],
    *,
    is_open: bool,
) -> Standing:
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
    return Standing(user_id or next(iter(aliases), ""), uid, user_id is not None, bool(spelled), authority)


Named = Callable[[Sequence[str]], bool]
"""Whether somebody with these aliases is listed or paired, so that they are never forgotten."""


def overflow(entries: OrderedDict[str, Any], is_named: Callable[[str], bool]) -> Iterator[str]:
    """The oldest keys beyond `KEEP_PEOPLE`, for the caller to drop; those of named people are put last instead."""
    for _ in range(len(entries)):
        if len(entries) <= KEEP_PEOPLE:
            return
        oldest = next(iter(entries))
        if is_named(oldest):
            entries.move_to_end(oldest)
        else:
            yield oldest


class Directory:
    """The pairs known so far, as far as there is room; whoever `is_named` is never forgotten.

    `remember` is called with every pair that is to be kept on disk, `forget` with the number of one that is not.
    """

    def __init__(
        self,
        pairs: Iterable[Pair] = (),
        *,
        remember: Callable[[Pair], None] = lambda _: None,
        forget: Callable[[str], None] = lambda _: None,
        is_named: Named = lambda _: False,
    ) -> None:
        self._pairs = OrderedDict((pair.number, pair) for pair in pairs)
        self._numbers: dict[str, list[str]] = {}
        for pair in self._pairs.values():
            self._numbers.setdefault(pair.uid, []).append(pair.number)
        self._names: OrderedDict[str, Foreign] = OrderedDict()
        self._remember = remember
        self._forget = forget
        self._is_named = is_named
        self._make_room()

    def learn(self, number: str | None, uid: str | None, source: Source) -> Learnt:
        """Take note that a number and an ACI belong together; never overwrites a pair with another ACI."""
        if number is None or uid is None:
            return Learnt.KNOWN
        known = self._pairs.get(number)
        if known is None:
            self._put(Pair(number, uid, source))
            return Learnt.NEW
        if known.uid == uid:
            if source > known.source:
                self._put(Pair(number, uid, source, known.moved_to))
            return Learnt.KNOWN
        if source < known.source:
            return Learnt.KNOWN
        if known.moved_to == uid:
            return Learnt.KNOWN
        self._put(Pair(number, known.uid, known.source, uid))
        return Learnt.MOVED

    def moved(self) -> list[tuple[str, str]]:
        """Numbers that turned up with another ACI, and that ACI."""
        return [(pair.number, pair.moved_to) for pair in self._pairs.values() if pair.moved_to]

    def confirm(self, number: str, uid: str) -> None:
        """The operator wrote down that a number which turned up with that ACI is still the same person's."""
        pair = self._pairs.get(number)
        if pair is None or pair.moved_to != uid:
            return
        self._numbers[pair.uid].remove(number)
        self._pairs[number] = Pair(number, uid, Source.ENVELOPE)
        self._numbers.setdefault(uid, []).append(number)

    def _put(self, pair: Pair) -> None:
        self._pairs[pair.number] = pair
        numbers = self._numbers.setdefault(pair.uid, [])
        if pair.number not in numbers:
            numbers.append(pair.number)
        self._remember(pair)
        self._make_room()

    def _make_room(self) -> None:
        for number in overflow(self._pairs, self.is_named):
            uid = self._pairs.pop(number).uid
            self._numbers[uid].remove(number)
            if not self._numbers[uid]:
                del self._numbers[uid]
            self._forget(number)

    def is_named(self, alias: str) -> bool:
        """Whether the person with that number or ACI is listed or paired."""
        number = as_number(alias)
        return self._is_named(self.aliases(Address(as_aci(alias) or self.uid_of(number), number)))

    def has_moved(self, number: str | None) -> bool:
        """Whether the number turned up with another ACI, and nobody has confirmed that yet."""
        pair = self._pairs.get(number or "")
        return pair is not None and pair.moved_to is not None

    def uid_of(self, number: str | None) -> str | None:
        pair = self._pairs.get(number or "")
        return pair.uid if pair else None

    def complete(self, address: Address) -> Address:
        """The address with what is known about it, and without a number that is somebody else's.

        A number alone is nobody once it has moved: it may be its old owner or its new one.
        """
        if address.uid is None and self.has_moved(address.number):
            return Address()
        uid = address.uid or self.uid_of(address.number)
        if address.number and self.uid_of(address.number) in {None, uid}:
            return Address(uid, address.number)
        numbers = self._numbers.get(uid or "")
        return Address(uid, numbers[0] if numbers else None)

    def aliases(self, address: Address) -> tuple[str, ...]:
        """Every identity the person at that address provably has: numbers first, then the ACI."""
        whole = self.complete(address)
        numbers = [whole.number, *self._numbers.get(whole.uid or "", ())]
        return tuple(dict.fromkeys(alias for alias in (*numbers, whole.uid) if alias))

    def standing(
        self,
        address: Address,
        lists: Lists,
        accepts: Callable[[str], bool | None],
        paired: Callable[[str], bool] = lambda _: False,
        *,
        is_open: bool = False,
    ) -> Standing:
        """The person at that address as the host shall know them; the rest as in `standing_of`."""
        uid = self.complete(address).uid
        return standing_of(self.aliases(address), uid, lists, accepts, paired, is_open=is_open)

    def name_of(self, address: Address) -> Foreign:
        """The display name, never a number or an id; empty where none is known."""
        uid = address.uid or self.uid_of(address.number)
        return self._names.get(uid or "") or self._names.get(address.number or "") or _UNNAMED

    def name(self, address: Address, name: str) -> None:
        """Take note of a display name."""
        if key := address.uid or address.number:
            self._names[key] = as_name(name)
        for forgotten in overflow(self._names, self.is_named):
            del self._names[forgotten]

    def unresolved(self, lists: Lists) -> tuple[str, ...]:
        """The listed numbers whose ACI is not known."""
        return tuple(number for number in lists.numbers() if number not in self._pairs)
