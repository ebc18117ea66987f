"""Threads of ours: those we began, for ever, and those we answered in, for seven days."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hermes_hardened_adapters.adapters.mattermost.lookups.threads import OURS_FOR_MILLISECONDS, Threads
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient

from tests.fakes.mattermost_server import ALICE, HERMES, OPS, TOKEN, FakeMattermostServer

NOW = 1_795_000_000_000
ROOT = "a" * 26


@pytest.fixture
async def client(server: FakeMattermostServer) -> AsyncIterator[MattermostClient]:
    async with MattermostClient(server.url, TOKEN) as client:
        yield client


async def test_an_answer_of_ours_counts_for_seven_days_and_a_root_for_ever(client: MattermostClient) -> None:
    threads = Threads(client)
    threads.record_own_post(ROOT, NOW, is_root=False)
    threads.record_own_post(ROOT, NOW - 5, is_root=False)
    assert await threads.is_ours(ROOT, HERMES, NOW + OURS_FOR_MILLISECONDS - 1)
    assert not await threads.is_ours(ROOT, HERMES, NOW + OURS_FOR_MILLISECONDS)
    threads.record_own_post(ROOT, NOW, is_root=True)
    threads.record_own_post(ROOT, NOW, is_root=False)
    assert await threads.is_ours(ROOT, HERMES, NOW + 100 * OURS_FOR_MILLISECONDS)


async def test_an_unknown_thread_is_fetched_once(client: MattermostClient, server: FakeMattermostServer) -> None:
    ours = server.store(HERMES, OPS, "root", create_at=NOW)
    theirs = server.store(ALICE, OPS, "root", create_at=NOW)
    threads = Threads(client)
    for _ in range(2):
        assert await threads.is_ours(ours["id"], HERMES, NOW + 2 * OURS_FOR_MILLISECONDS)
        assert not await threads.is_ours(theirs["id"], HERMES, NOW)
    assert len(server.calls) == 2


async def test_a_thread_that_cannot_be_fetched_is_not_ours_and_asked_for_again(
    client: MattermostClient, server: FakeMattermostServer
) -> None:
    threads = Threads(client)
    for _ in range(2):
        assert not await threads.is_ours(ROOT, HERMES, NOW)
    assert len(server.calls) == 2
