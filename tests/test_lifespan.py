"""Opening and closing as a whole: nothing is opened after closing, and everything opened is closed."""

from __future__ import annotations

import asyncio

import pytest
from hermes_hardened_adapters.common.core.errors import Closed, ConnectionLost
from hermes_hardened_adapters.common.stream.lifespan import Lifespan


async def never() -> None:
    await asyncio.Event().wait()


async def test_what_was_opened_is_closed_the_last_first() -> None:
    lifespan, closed = Lifespan(), []

    async def opening() -> str:
        lifespan.resources.callback(closed.append, "first")
        lifespan.resources.callback(closed.append, "second")
        return "opened"

    assert await lifespan.run(opening()) == "opened"
    assert closed == []
    await lifespan.close()
    await lifespan.close()
    assert closed == ["second", "first"]


async def test_an_opening_that_fails_raises_and_what_it_opened_is_closed() -> None:
    lifespan, closed = Lifespan(), []

    async def opening() -> None:
        lifespan.resources.callback(closed.append, "first")
        raise ConnectionLost("refused")

    with pytest.raises(ConnectionLost, match="refused"):
        await lifespan.run(opening())
    await lifespan.close()
    assert closed == ["first"]


async def test_closing_interrupts_an_opening() -> None:
    lifespan, closed = Lifespan(), []
    begun = asyncio.Event()

    async def opening() -> None:
        lifespan.resources.callback(closed.append, "first")
        begun.set()
        await never()

    running = asyncio.create_task(lifespan.run(opening()))
    await begun.wait()
    await lifespan.close()
    with pytest.raises(Closed, match="while connecting"):
        await running
    assert closed == ["first"]


async def test_after_closing_nothing_is_opened() -> None:
    lifespan, opened = Lifespan(), []
    await lifespan.close()

    async def opening() -> None:
        opened.append("anything")

    with pytest.raises(Closed, match="closed already"):
        await lifespan.run(opening())
    assert opened == []


async def test_a_caller_that_is_cancelled_is_not_told_of_a_close() -> None:
    lifespan = Lifespan()
    running = asyncio.create_task(lifespan.run(never()))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await lifespan.close()


async def test_background_work_ends_with_it() -> None:
    lifespan, ended = Lifespan(), asyncio.Event()
    begun = asyncio.Event()

    async def work() -> None:
        try:
            begun.set()
            await never()
        finally:
            ended.set()

    lifespan.start_background(work())
    await begun.wait()
    assert not ended.is_set()
    await lifespan.close()
    assert ended.is_set()


async def test_background_work_that_fails_is_logged_by_its_class_alone(caplog: pytest.LogCaptureFixture) -> None:
    lifespan = Lifespan()

    async def work() -> None:
        raise ValueError("somebody's words")

    lifespan.start_background(work())
    await asyncio.sleep(0.01)
    await lifespan.close()
    assert "failed: ValueError" in caplog.text
    assert "somebody's words" not in caplog.text
