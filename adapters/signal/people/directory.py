"""The directory of phone numbers, ACIs and display names.

A person on Signal has a stable ACI and may have a number and a PNI. A PNI never identifies a sender. Pairs come only
from envelopes and from signal-cli's contact store. A number keeps its ACI until the operator confirms another one,
because phone companies reassign numbers to other people.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import IntEnum
from typing import Any

from ....common.core.events import Address
from ....common.core.people import Authorization, Lists, as_aci, as_number, authorization_of
from ....common.core.wording import Foreign
from ....common.core.wording import name as as_name
from ....common.state.identities import Pair, Source

KEEP_PEOPLE = 20_000
"""Maximum number each of pairs, names and direct chat aliases. Those of listed and paired people are kept beyond it."""
_UNNAMED = Foreign()


class Learnt(IntEnum):
    """The result of offering a pair to the directory."""

    KNOWN = 0
    NEW = 1
    MOVED = 2
    """The number had another ACI. Returned once; refused until the operator lists the new ACI or confirms the move."""


Named = Callable[[Sequence[str]], bool]
"""Returns True if a person with these aliases is listed or paired, and therefore never dropped."""


def overflow(entries: OrderedDict[str, Any], is_named: Callable[[str], bool]) -> Iterator[str]:
    """Yield the oldest keys beyond `KEEP_PEOPLE`. The caller drops each; keys of named people move to the end."""
    # At most one round, in case every person is named.
    for _ in range(len(entries)):
        if len(entries) <= KEEP_PEOPLE:
            return
        oldest = next(iter(entries))
        if is_named(oldest):
            entries.move_to_end(oldest)
        else:
            yield oldest


class Directory:
    """A bounded store of pairs and names that never drops people for whom `is_named` is true.

    Calls `remember` with every pair to store on disk, and `forget` with the number of every pair to delete.
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
            self._numbers.setdefault(pair.aci, []).append(pair.number)
        self._names: OrderedDict[str, Foreign] = OrderedDict()
        self._remember = remember
        self._forget = forget
        self._is_named = is_named
        self._make_room()

    def learn(self, number: str | None, aci: str | None, source: Source) -> Learnt:
        """Record that a number and an ACI belong together. Never replaces the ACI of a known number."""
        if number is None or aci is None:
            return Learnt.KNOWN
        known = self._pairs.get(number)
        if known is None:
            self._put(Pair(number, aci, source))
            return Learnt.NEW
        if known.aci == aci:
            if source > known.source:
                self._put(Pair(number, aci, source, known.moved_to))
            return Learnt.KNOWN
        # The contact store may still have the old pair after an envelope has shown the new one.
        if source < known.source:
            return Learnt.KNOWN
        if known.moved_to == aci:
            return Learnt.KNOWN
        self._put(Pair(number, known.aci, known.source, aci))
        return Learnt.MOVED

    def moved(self) -> list[tuple[str, str]]:
        """Return the numbers that were seen with another ACI, each with that ACI."""
        return [(pair.number, pair.moved_to) for pair in self._pairs.values() if pair.moved_to]

    def confirm(self, number: str, aci: str) -> None:
        """Replace the ACI of a moved number by the new one, which the operator confirmed to be the same person."""
        pair = self._pairs.get(number)
        if pair is None or pair.moved_to != aci:
            return
        self._numbers[pair.aci].remove(number)
        self._pairs[number] = Pair(number, aci, Source.ENVELOPE)
        self._numbers.setdefault(aci, []).append(number)

    def _put(self, pair: Pair) -> None:
        self._pairs[pair.number] = pair
        numbers = self._numbers.setdefault(pair.aci, [])
        if pair.number not in numbers:
            numbers.append(pair.number)
        self._remember(pair)
        self._make_room()

    def _make_room(self) -> None:
        for number in overflow(self._pairs, self.is_named):
            aci = self._pairs.pop(number).aci
            self._numbers[aci].remove(number)
            if not self._numbers[aci]:
                del self._numbers[aci]
            self._forget(number)

    def is_named(self, alias: str) -> bool:
        """Return True if the person with that number or ACI is listed or paired."""
        number = as_number(alias)
        return self._is_named(self.aliases(Address(as_aci(alias) or self.aci_of(number), number)))

    def has_moved(self, number: str | None) -> bool:
        """Return True if the number was seen with another ACI that is not confirmed."""
        pair = self._pairs.get(number or "")
        return pair is not None and pair.moved_to is not None

    def aci_of(self, number: str | None) -> str | None:
        pair = self._pairs.get(number or "")
        return pair.aci if pair else None

    def complete(self, address: Address) -> Address:
        """Return the address with the missing number or ACI, and without a number that belongs to another ACI.

        Return an empty address for a moved number alone: it may stand for its old owner or its new one.
        """
        if address.id is None and self.has_moved(address.number):
            return Address()
        aci = address.id or self.aci_of(address.number)
        if address.number and self.aci_of(address.number) in {None, aci}:
            return Address(aci, address.number)
        numbers = self._numbers.get(aci or "")
        return Address(aci, numbers[0] if numbers else None)

    def aliases(self, address: Address) -> tuple[str, ...]:
        """Return all confirmed aliases of the person at that address: numbers first, then the ACI."""
        whole = self.complete(address)
        numbers = [whole.number, *self._numbers.get(whole.id or "", ())]
        return tuple(dict.fromkeys(alias for alias in (*numbers, whole.id) if alias))

    def authorize(
        self,
        address: Address,
        lists: Lists,
        accepts: Callable[[str], bool | None],
        paired: Callable[[str], bool] = lambda _: False,
        *,
        is_open: bool = False,
    ) -> Authorization:
        """Return the authorization of the person at that address. Other arguments are those of `authorization_of`."""
        aci = self.complete(address).id
        return authorization_of(self.aliases(address), aci, lists, accepts, paired, is_open=is_open)

    def name_of(self, address: Address) -> Foreign:
        """Return the display name, never a number or an id; empty if none is known."""
        aci = address.id or self.aci_of(address.number)
        return self._names.get(aci or "") or self._names.get(address.number or "") or _UNNAMED

    def name(self, address: Address, name: str) -> None:
        """Record a display name."""
        if key := address.id or address.number:
            self._names[key] = as_name(name)
        for forgotten in overflow(self._names, self.is_named):
            del self._names[forgotten]

    def unresolved(self, lists: Lists) -> tuple[str, ...]:
        """Return the listed numbers whose ACI is not known."""
        return tuple(number for number in lists.numbers() if number not in self._pairs)
