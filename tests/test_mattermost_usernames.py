"""Usernames of the server: looked up once, forgotten with their user's next name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hermes_hardened_adapters.adapters.mattermost.lookups import usernames as module
from hermes_hardened_adapters.adapters.mattermost.lookups.usernames import FORGET_UNKNOWN_SECONDS, Usernames
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient

from tests.fakes.clock import Time
from tests.fakes.mattermost_server import ALICE, BOB, TOKEN, FakeMattermostServer


@pytest.fixture
async def names(server: FakeMattermostServer, clock: Time) -> AsyncIterator[Usernames]:
    async with MattermostClient(server.url, TOKEN) as client:
        yield Usernames(client, clock)


async def test_a_name_is_looked_up_once(names: Usernames, server: FakeMattermostServer) -> None:
    assert names.id_of("bob") is None
    assert await names.look_up(["bob"])
    assert (names.id_of("Bob"), names.name_of(BOB)) == (BOB, "bob")
    assert await names.fetch_name(BOB) == "bob"
    assert len(server.calls) == 1


async def test_a_name_of_nobodys_is_not_looked_up_again_for_a_while(
    names: Usernames, server: FakeMattermostServer, clock: Time
) -> None:
    assert not await names.look_up(["nobody"])
    asked = len(server.calls)
    assert not await names.look_up(["nobody"])
    assert len(server.calls) == asked
    server.add_user("nobody")
    await clock.sleep(FORGET_UNKNOWN_SECONDS)
    assert await names.look_up(["nobody"])


async def test_a_user_who_is_renamed_leaves_the_old_name_to_others(names: Usernames) -> None:
    names.learn(BOB, "bob")
    names.learn(BOB, "Robert")
    assert (names.id_of("bob"), names.id_of("robert"), names.name_of(BOB)) == (None, BOB, "robert")
    names.learn(ALICE, "bob")
    assert names.id_of("bob") == ALICE


async def test_whom_the_server_cannot_be_asked_about_has_no_name_and_is_no_bot(server: FakeMattermostServer) -> None:
    async with MattermostClient(server.url, "another token") as client:
        names = Usernames(client, Time())
        assert await names.fetch_name(BOB) == ""
        assert not await names.is_bot(BOB)
        assert not await names.look_up(["bob"])


async def test_the_oldest_names_are_forgotten(names: Usernames, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEEP_NAMES", 2)
    few = Usernames(names._client, Time())
    for number in range(4):
        few.learn(f"id{number}", f"name{number}")
    assert [few.id_of(f"name{number}") for number in range(4)] == [None, None, "id2", "id3"]
    assert [few.name_of(f"id{number}") for number in range(4)] == ["", "", "name2", "name3"]
