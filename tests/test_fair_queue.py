"""The queue of a crowded chat against a plain list: who makes room, and in which order the others come."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from hermes_hardened_adapters.common.core.authority import RIGHTS, Authority
from hermes_hardened_adapters.common.inbound.fair_queue import FairQueue, Place
from hypothesis import given, settings
from hypothesis import strategies as st

LENGTH = 140
CROWDED = 60

Item = tuple[int, Place]

people = st.builds(Place, st.sampled_from("ABCDE"), st.sampled_from(Authority), st.booleans())
bursts = st.tuples(st.just("push"), st.lists(st.tuples(people, st.integers(1, 60)), min_size=1, max_size=4))
acts = st.one_of(
    bursts,
    st.tuples(st.just("pop"), st.integers(1, 40)),
    st.tuples(st.just("hold"), st.none()),
    st.tuples(st.just("let go"), st.sampled_from("ABCDE")),
    st.tuples(st.just("insert"), st.none()),
)


@dataclass
class Plain:
    """The same queue, slow: items in order, and whose are held."""

    queue: FairQueue[Item] = field(default_factory=lambda: FairQueue(lambda item: item[1], LENGTH, CROWDED))
    waiting: deque[Item] = field(default_factory=deque)
    held: dict[str, deque[Item]] = field(default_factory=dict)
    crowded: bool = False
    number: int = 0
    last: Item | None = None

    def everything(self) -> list[Item]:
        return [*(item for held in self.held.values() for item in held), *self.waiting]

    def push(self, place: Place) -> None:
        self.number += 1
        self.waiting.append((self.number, place))
        self.gone(self.queue.push((self.number, place)), place)

    def gone(self, places: list[Place], new: Place) -> None:
        """What went was to go, and nothing else has to."""
        became_crowded = not self.crowded and len(self.everything()) > CROWDED
        self.crowded |= became_crowded
        assert self.crowded or not places
        for place in places:
            there = self.everything()
            of_rank = Counter(other for _, other in there if rank(other) == rank(place))
            if beyond_share(there, place):
                assert became_crowded or owner(place) == owner(new)
                assert not place.is_request or not any(p == Place(*owner(place), False) for _, p in there)
            else:
                assert len(there) > LENGTH
                assert rank(place) == min(rank(other) for _, other in there)
                assert of_rank[place] == max(of_rank.values())
            self.remove_oldest(place)
        there = self.everything()
        assert len(self.queue) == len(there) <= LENGTH
        assert not self.crowded or not beyond_share(there, new)

    def remove_oldest(self, place: Place) -> None:
        queues = [*self.held.values(), self.waiting]
        item = min((item for queue in queues for item in queue if item[1] == place), key=lambda item: item[0])
        next(queue for queue in queues if item in queue).remove(item)

    def pop(self) -> None:
        expected = None
        while self.waiting and expected is None:
            item = self.waiting.popleft()
            if (held := self.held.get(item[1].author)) is not None:
                held.append(item)
            else:
                expected = item
        assert self.queue.pop() == expected
        self.last = expected or self.last
        self.crowded &= bool(self.everything())
        assert len(self.queue) == len(self.everything())

    def hold(self) -> None:
        """As a worker would: the item it just took is put off."""
        self.pop()
        if self.last is not None and self.last[1].author not in self.held:
            (number, place), self.last = self.last, None
            self.held[place.author] = deque([(number, place)])
            author, gone = self.queue.hold((number, place))
            assert author == place.author
            self.gone(gone, place)

    def release(self, author: str) -> None:
        self.waiting.extendleft(reversed(self.held.pop(author, deque())))
        self.queue.release(author)

    def insert(self) -> None:
        taken = self.queue.remove_all()
        assert taken == list(self.waiting)
        self.waiting.clear()
        self.crowded = False
        for _, place in taken:
            self.push(place)


def rank(place: Place) -> tuple[Authority, bool]:
    return place.authority, place.is_request


def owner(place: Place) -> tuple[str, Authority]:
    return place.author, place.authority


def beyond_share(there: list[Item], place: Place) -> bool:
    return sum(owner(other) == owner(place) for _, other in there) > RIGHTS[place.authority].waiting


@settings(deadline=None, max_examples=60)
@given(st.lists(acts, max_size=20))
def test_the_queue_is_a_list_in_which_the_right_ones_make_room(story: list[tuple[str, object]]) -> None:
    plain = Plain()
    for act, argument in story:
        match act, argument:
            case "push", list():
                for place, times in argument:
                    for _ in range(times):
                        plain.push(place)
            case "pop", int():
                for _ in range(argument):
                    plain.pop()
            case "hold", _:
                plain.hold()
            case "let go", str():
                plain.release(argument)
            case "insert", _:
                plain.insert()
    for author in tuple(plain.held):
        plain.release(author)
    while plain.everything():
        plain.pop()
    assert plain.queue.pop() is None


@given(st.lists(st.integers(0, 30), min_size=200, max_size=300))
@settings(deadline=None, max_examples=20)
def test_no_crowd_of_lower_authority_pushes_a_request_out(crowd: list[int]) -> None:
    """However many they are: 31 strangers, programs and members, all asking, around requests of two who are allowed."""
    queue: FairQueue[Item] = FairQueue(lambda item: item[1], LENGTH, CROWDED)
    asking = [Place(f"Alice {number % 2}", Authority(Authority.ALLOWED + number % 2), True) for number in range(10)]
    requests = [(-number, place) for number, place in enumerate(asking, 1)]
    lower = [Authority.STRANGER, Authority.PROGRAM, Authority.MEMBER]
    for number, author in enumerate(crowd):
        if number % 20 == 0 and number < 200:
            queue.push(requests[number // 20])
        queue.push((number, Place(str(author), lower[author % 3], True)))
    left = []
    while (item := queue.pop()) is not None:
        left.append(item)
    assert [item for item in left if item[0] < 0] == requests
    assert len(left) <= LENGTH
