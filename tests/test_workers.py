"""One worker a chat: order within, independence between, and nothing without a bound."""

from __future__ import annotations

import asyncio

import pytest
from hermes_hardened_adapters.common.core.authority import RIGHTS, Authority
from hermes_hardened_adapters.common.inbound.fair_queue import CROWDED, LENGTH, Place
from hermes_hardened_adapters.common.inbound.workers import ChatWorkers


def anybody(item: object) -> Place:
    """For queues in which there is room."""
    return Place("Alice", Authority.ALLOWED, is_request=True)


async def test_order_is_kept_within_a_chat_and_no_chat_waits_for_another() -> None:
    done: list[str] = []
    gate = asyncio.Event()

    async def handle(item: str) -> None:
        if item == "a1":
            await gate.wait()
        done.append(item)

    workers = ChatWorkers(handle, anybody)
    for item in ("a1", "b1", "a2", "b2"):
        workers.submit(item[0], item)
    workers.start()
    await asyncio.sleep(0.01)
    assert done == ["b1", "b2"]
    gate.set()
    await workers.idle()
    assert done == ["b1", "b2", "a1", "a2"]
    await workers.close()


async def test_a_chat_whose_messages_never_wait_still_lets_others_have_their_turn() -> None:
    done: list[str] = []

    async def handle(item: str) -> None:
        done.append(item)

    workers = ChatWorkers(handle, anybody)
    workers.start()
    for number in range(500):
        workers.submit("busy", f"busy {number}")
    workers.submit("other", "other")
    await workers.idle()
    assert len(done) == 501
    assert done.index("other") < 50


async def test_nothing_is_worked_on_before_the_start() -> None:
    done: list[str] = []

    async def handle(item: str) -> None:
        done.append(item)

    workers = ChatWorkers(handle, anybody)
    workers.submit("a", "a1")
    await asyncio.sleep(0.01)
    assert done == []
    assert workers.busy("b")
    workers.start()
    assert workers.busy("a")
    assert not workers.busy("b")
    await workers.idle()
    assert done == ["a1"]
    assert not workers.busy("a")


async def test_one_that_fails_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    async def handle(item: str) -> None:
        if item == "bad":
            raise ValueError
        done.append(item)

    workers = ChatWorkers(handle, anybody)
    workers.start()
    for item in ("bad", "good"):
        workers.submit("a", item)
    await workers.idle()
    assert done == ["good"]
    assert "could not be handled" in caplog.text


async def test_a_full_queue_sheds_what_is_no_request_first_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    done: list[int] = []

    async def handle(item: int) -> None:
        done.append(item)

    def place(item: int) -> Place:
        return Place("Alice", Authority.ALLOWED, is_request=item not in {1, 2})

    workers = ChatWorkers(handle, place, length=3)
    for item in range(7):
        workers.submit("a", item)
    assert (workers.shed, workers.lost) == (2, 2)
    workers.start()
    await workers.idle()
    assert done == [4, 5, 6]
    assert caplog.text.count("background messages") == 1
    assert caplog.text.count("messages to the agent") == 1


async def test_a_flood_of_one_takes_nobodys_place_and_is_looked_at_once_a_message() -> None:
    """Alice asks, a stranger shouts 10,000 times, Alice asks again; 1,500 requests of hers show what she may do."""
    places = 0

    async def handled(items: list[str]) -> tuple[list[str], ChatWorkers[str]]:
        done: list[str] = []

        async def handle(item: str) -> None:
            done.append(item)

        def place(item: str) -> Place:
            nonlocal places
            places += 1
            author = item.partition(" ")[0]
            return Place(author, Authority.ALLOWED if author == "Alice" else Authority.STRANGER, is_request=True)

        workers = ChatWorkers(handle, place)
        for item in items:
            workers.submit("a", item)
        workers.start()
        await workers.idle()
        return done, workers

    requests = [f"Alice {number}" for number in range(LENGTH + 500)]
    done, workers = await handled(requests)
    assert (done, workers.shed, workers.lost) == (requests[500:], 0, 500)
    places = 0
    flood = [f"Mallory {number}" for number in range(10_000)]
    done, workers = await handled(["Alice first", *flood, "Alice last"])
    share = RIGHTS[Authority.STRANGER].waiting
    assert done == ["Alice first", *flood[-share:], "Alice last"]
    assert (workers.shed, workers.lost) == (len(flood) - share, 0)
    assert places == len(flood) + 2
    places = 0
    await handled(flood[:CROWDED])
    assert places == 0


async def test_what_was_missed_goes_where_it_belongs() -> None:
    done: list[str] = []

    async def handle(item: str) -> None:
        done.append(item)

    workers = ChatWorkers(handle, anybody)
    workers.start()
    workers.submit("a", "a1")
    await workers.idle()
    workers.hold()
    workers.submit("a", "a2")
    workers.submit("a", "a5")
    await asyncio.sleep(0.01)
    workers.insert("a", ["a4", "a3"], lambda item: int(item[1:]))
    workers.insert("b", ["b1"], lambda item: int(item[1:]))
    await asyncio.sleep(0.01)
    assert done == ["a1"]
    workers.start()
    await workers.idle()
    assert done == ["a1", "a2", "a3", "a4", "a5", "b1"]


def by_letter(item: str) -> Place:
    return Place(item[0], Authority.STRANGER, is_request=True)


class Desk:
    """Handles everything at once but what needs a look-up first, which it puts off; `look_up` ends when told to."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.found = asyncio.Event()
        self.workers: ChatWorkers[str] = ChatWorkers(self._handle, by_letter)

    async def _handle(self, item: str) -> None:
        if item.endswith("?"):
            self.workers.defer("chat", item[:-1], self.look_up())
        else:
            self.done.append(item)

    async def look_up(self) -> None:
        await self.found.wait()

    async def until_handled(self, *items: str) -> None:
        async with asyncio.timeout(5):
            while self.done != list(items):
                await asyncio.sleep(0)


async def test_who_is_looked_up_waits_in_order_and_nobody_else_does() -> None:
    desk = Desk()
    desk.workers.start()
    for item in ("a1?", "b1", "a2", "c1?", "b2", "a3"):
        desk.workers.submit("chat", item)
    await desk.until_handled("b1", "b2")
    assert (desk.workers.waiting, desk.workers.chats, desk.workers.busy("chat")) == (4, 1, True)
    idle = asyncio.create_task(desk.workers.idle())
    desk.found.set()
    desk.workers.submit("chat", "b3")
    await asyncio.wait_for(idle, 5)
    assert [item for item in desk.done if item[0] == "a"] == ["a1", "a2", "a3"]
    assert sorted(desk.done[2:]) == ["a1", "a2", "a3", "b3", "c1"]
    assert (desk.workers.waiting, desk.workers.chats) == (0, 0)


async def test_a_look_up_that_fails_lets_the_message_go_on(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk()

    async def fail() -> None:
        raise OSError

    desk.look_up = fail  # type: ignore[method-assign]
    desk.workers.start()
    desk.workers.submit("chat", "a1?")
    await asyncio.wait_for(desk.workers.idle(), 5)
    assert desk.done == ["a1"]
    assert "OSError" in caplog.text


async def test_what_waits_for_a_look_up_has_its_share_of_the_room() -> None:
    desk = Desk()
    share = RIGHTS[Authority.STRANGER].waiting
    desk.workers.start()
    desk.workers.submit("chat", "a0?")
    await asyncio.sleep(0)
    for number in range(CROWDED):
        desk.workers.submit("chat", f"a{number + 1}")
    desk.workers.submit("chat", "b0")
    await desk.until_handled("b0")
    assert desk.workers.waiting == share
    assert desk.workers.shed == CROWDED + 1 - share
    desk.found.set()
    await desk.workers.idle()
    assert desk.done[1:] == [f"a{number + 1}" for number in range(CROWDED - share, CROWDED)]


async def test_at_a_stop_nothing_waits_for_a_look_up_any_more() -> None:
    desk = Desk()
    desk.workers.start()
    for item in ("a1?", "b1", "a2", "b2?"):
        desk.workers.submit("chat", item)
    await desk.until_handled("b1")
    await desk.workers.drain(5)
    assert sorted(desk.done) == ["a1", "a2", "b1", "b2"]
    desk.workers.submit("chat", "c1?")
    await desk.workers.drain(5)
    assert desk.done[-1] == "c1"
    await desk.workers.close()


async def test_a_stop_takes_no_longer_than_it_may(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(_: str) -> None:
        await asyncio.Event().wait()

    workers = ChatWorkers(handle, anybody)
    workers.start()
    workers.submit("a", "x")
    await asyncio.wait_for(workers.drain(0.05), 5)
    assert "could not be delivered in time" in caplog.text
    await workers.close()


async def test_closing_cancels_what_runs() -> None:
    async def handle(_: str) -> None:
        await asyncio.Event().wait()

    workers = ChatWorkers(handle, anybody)
    workers.start()
    workers.submit("a", "x")
    await asyncio.sleep(0)
    await asyncio.wait_for(workers.close(), 1)
    await workers.idle()
