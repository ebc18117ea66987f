"""The bounded queue of one chat, in which nobody can crowd out others. Pure.

Items leave in the order of their arrival, except those of an author on hold: they wait, in order, until the author is
released, and then leave next.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ..core.authority import RIGHTS, Authority

LENGTH = 1_000
"""The most items that may wait in one chat."""
CROWDED = 100
"""Above this number of items, and until the queue is empty, an author's share is limited (`Rights.waiting`)."""

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Place:
    """An item's author and kind, which determine what is dropped first."""

    author: str
    authority: Authority
    is_request: bool

    @property
    def is_turn(self) -> bool:
        """True for a request whose author has the right to a turn."""
        return self.is_request and RIGHTS[self.authority].turn


class FairQueue(Generic[_Item]):
    """A queue that drops items when it is full.

    It drops the items of the lowest authority first, of these the ones that are no requests, and of these the oldest
    item of the author with the most items. `place` is called at most once for each item, and only while the queue is
    crowded or an author is on hold.
    """

    def __init__(self, place: Callable[[_Item], Place], length: int = LENGTH, crowded: int = CROWDED) -> None:
        self._place = place
        self._length = length
        self._crowded = min(length, crowded)
        self._waiting: OrderedDict[_Entry[_Item], None] = OrderedDict()
        self._held: dict[str, OrderedDict[_Entry[_Item], None]] = {}
        self._held_count = 0
        self._ranks: dict[tuple[Authority, bool], _Rank[_Item]] = {}
        """Every item by rank and author while the queue is crowded; otherwise empty."""

    def __len__(self) -> int:
        return len(self._waiting) + self._held_count

    def push(self, item: _Item) -> list[Place]:
        """Append an item; return the places of the items dropped for it."""
        entry = _Entry(item)
        self._waiting[entry] = None
        return self._admit(entry)

    def pop(self) -> _Item | None:
        """Remove and return the next item; None if all items left are on hold."""
        while self._waiting:
            entry, _ = self._waiting.popitem(last=False)
            # Items of an author on hold stay among the others until they are due: `hold` takes constant time.
            if self._held and (held := self._held.get(self._placed(entry).author)) is not None:
                held[entry] = None
                self._held_count += 1
                continue
            if self._ranks:
                place = self._placed(entry)
                self._take((place.authority, place.is_request), place.author)
            return entry.item
        return None

    def hold(self, item: _Item) -> tuple[str, list[Place]]:
        """Put an item back before all others of its author, and put the author on hold.

        Return the author, and the places of the items dropped for the item.
        """
        entry = _Entry(item)
        author = self._placed(entry).author
        held = self._held.setdefault(author, OrderedDict())
        held[entry] = None
        held.move_to_end(entry, last=False)
        self._held_count += 1
        return author, self._admit(entry, first=True)

    def release(self, author: str) -> None:
        """End an author's hold; their items leave next."""
        held = self._held.pop(author, None) or OrderedDict()
        self._held_count -= len(held)
        # Each goes to the front, so the last one goes first.
        for entry in reversed(held):
            self._waiting[entry] = None
            self._waiting.move_to_end(entry, last=False)

    def remove_all(self) -> list[_Item]:
        """Remove and return, in order, all items that are not on hold."""
        items = [entry.item for entry in self._waiting]
        self._waiting.clear()
        # Items on hold stay, without a rank until the queue is crowded again.
        self._ranks.clear()
        return items

    def _placed(self, entry: _Entry[_Item]) -> Place:
        if entry.place is None:
            entry.place = self._place(entry.item)
        return entry.place

    def _admit(self, entry: _Entry[_Item], *, first: bool = False) -> list[Place]:
        """File an item under its rank and author if the queue is crowded, and drop what exceeds the limits."""
        if self._ranks:
            entries: Iterable[_Entry[_Item]] = (entry,)
        elif len(self) > self._crowded:
            # All items get a rank now, those on hold before the younger ones that wait.
            entries, first = [one for held in self._held.values() for one in held], False
            entries += self._waiting
        else:
            return []
        authors = dict.fromkeys(self._note(one, first=first) for one in entries)
        dropped = [place for author, authority in authors for place in self._drop_excess(author, authority)]
        while len(self) > self._length:
            # Ranks sort by authority, and background comes before requests.
            rank = min(self._ranks)
            dropped.append(self._drop(rank, self._ranks[rank].most()))
        return dropped

    def _note(self, entry: _Entry[_Item], *, first: bool) -> tuple[str, Authority]:
        place = self._placed(entry)
        rank = self._ranks.setdefault((place.authority, place.is_request), _Rank())
        rank.add(place.author, entry, first=first)
        return place.author, place.authority

    def _drop_excess(self, author: str, authority: Authority) -> list[Place]:
        """Drop the items that exceed an author's share, requests last; return their places."""
        ranks = [rank for rank in ((authority, False), (authority, True)) if rank in self._ranks]
        excess = sum(self._ranks[rank].count(author) for rank in ranks) - RIGHTS[authority].waiting
        dropped: list[Place] = []
        for rank in ranks:
            if excess > len(dropped):
                count = min(excess - len(dropped), self._ranks[rank].count(author))
                dropped += [self._drop(rank, author) for _ in range(count)]
        return dropped

    def _drop(self, rank: tuple[Authority, bool], author: str) -> Place:
        entry = self._take(rank, author)
        if entry in self._waiting:
            del self._waiting[entry]
        else:
            del self._held[author][entry]
            self._held_count -= 1
        return self._placed(entry)

    def _take(self, rank: tuple[Authority, bool], author: str) -> _Entry[_Item]:
        # An author's items of one rank leave in order, so this is the entry that `pop` has just removed.
        entry = self._ranks[rank].take(author)
        # `_admit` takes the lowest rank, so none may be empty.
        if not self._ranks[rank]:
            del self._ranks[rank]
        return entry


@dataclass(eq=False, slots=True)
class _Entry(Generic[_Item]):
    item: _Item
    place: Place | None = None


class _Rank(Generic[_Item]):
    """The items of one authority and kind (requests or not) by author. All operations take constant time."""

    def __init__(self) -> None:
        self._authors: dict[str, deque[_Entry[_Item]]] = {}
        self._with_count: dict[int, dict[str, None]] = {}
        self._most = 0

    def __bool__(self) -> bool:
        return bool(self._authors)

    def add(self, author: str, entry: _Entry[_Item], *, first: bool) -> None:
        """Add an item after the author's others, or before them."""
        entries = self._authors.setdefault(author, deque())
        entries.appendleft(entry) if first else entries.append(entry)
        self._count(author, len(entries) - 1, len(entries))

    def take(self, author: str) -> _Entry[_Item]:
        """Remove and return an author's first item."""
        entries = self._authors[author]
        entry = entries.popleft()
        if not entries:
            del self._authors[author]
        self._count(author, len(entries) + 1, len(entries))
        return entry

    def count(self, author: str) -> int:
        return len(self._authors.get(author, ()))

    def most(self) -> str:
        """Return the author with the most items."""
        return next(iter(self._with_count[self._most]))

    def _count(self, author: str, before: int, after: int) -> None:
        if before:
            del self._with_count[before][author]
            if not self._with_count[before]:
                del self._with_count[before]
        if after:
            self._with_count.setdefault(after, {})[author] = None
        # A count changes by one: when nobody has the old maximum any more, this author has the new one.
        if after > self._most or self._most not in self._with_count:
            self._most = after
