"""Catching up: which posts of a channel were missed, in order and bounded."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.catchup import CatchUp
from hermes_hardened_adapters.common.state.cursors import Cursors
from hermes_hardened_adapters.common.state.store import Store

DAY = 24 * 3600 * 1000
NOW = 1_795_000_000_000
SINCE = NOW - 3_600_000


class Server:
    """A REST API with these posts of one channel."""

    def __init__(self, *posts: dict[str, Any]) -> None:
        self.posts = posts
        self.asked: list[int] = []
        self.since_is_broken = False

    async def posts_since(self, channel_id: str, since: int) -> dict[str, Any]:
        self.asked.append(since)
        return answer() if self.since_is_broken else answer(*self.posts)

    async def newest_posts(self, channel_id: str, per_page: int) -> dict[str, Any]:
        return answer(*self.posts[-per_page:])


def answer(*posts: dict[str, Any]) -> dict[str, Any]:
    return {"posts": {str(post["id"]): post for post in posts}}


def post(name: str, at: int, **changes: Any) -> dict[str, Any]:
    return {"id": name, "create_at": at, **changes}


def channel(last_post_at: object = NOW, **changes: object) -> dict[str, Any]:
    return {"id": "c", "last_post_at": last_post_at, **changes}


@pytest.fixture
def cursors(store: Store) -> Cursors:
    cursors = Cursors(store, "mattermost")
    cursors.advance("c", SINCE)
    return cursors


def names(posts: list[dict[str, Any]]) -> list[str]:
    return [post["id"] for post in posts]


async def test_posts_come_in_the_order_of_their_last_change_and_at_most_so_many(cursors: Cursors) -> None:
    server = Server(
        post("d", SINCE + 4),
        post("a", SINCE + 1),
        post("edited", SINCE - DAY, edit_at=SINCE + 3),
        post("deleted", SINCE - DAY, delete_at=SINCE + 2),
    )
    assert names(await CatchUp(server, cursors, 10, lambda: NOW).missed(channel(), edited=False)) == [
        *("a", "deleted", "edited", "d")
    ]
    assert names(await CatchUp(server, cursors, 2, lambda: NOW).missed(channel(), edited=False)) == ["edited", "d"]
    assert await CatchUp(server, cursors, 0, lambda: NOW).missed(channel(), edited=False) == []


async def test_a_channel_in_which_nothing_was_posted_is_asked_about_edits_only(cursors: Cursors) -> None:
    server = Server(post("edited", SINCE - 1, edit_at=SINCE + 1))
    catchup = CatchUp(server, cursors, 10, lambda: NOW)
    assert await catchup.missed(channel(SINCE), edited=False) == []
    assert server.asked == []
    assert names(await catchup.missed(channel(SINCE), edited=True)) == ["edited"]


async def test_nothing_older_than_a_day_is_asked_for(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    cursors.advance("c", NOW - 30 * DAY)
    server = Server()
    await CatchUp(server, cursors, 10, lambda: NOW).missed(channel(), edited=False)
    assert NOW - DAY - 60_000 < server.asked[0] <= NOW - DAY


async def test_a_server_that_answers_with_an_empty_page_is_asked_for_the_newest_posts(cursors: Cursors) -> None:
    server = Server(post("old", SINCE - DAY), post("new", SINCE + 1))
    server.since_is_broken = True
    assert names(await CatchUp(server, cursors, 10, lambda: NOW).missed(channel(), edited=False)) == ["new"]


async def test_the_first_run_has_missed_nothing(store: Store) -> None:
    server = Server(post("a", NOW))
    assert await CatchUp(server, Cursors(store, "mattermost"), 10, lambda: NOW).missed(channel(), edited=True) == []
    assert server.asked == []


@pytest.mark.parametrize("row", [{"id": 7, "last_post_at": NOW}, {"id": "c", "last_post_at": "soon"}, {"id": "c"}])
async def test_a_row_that_makes_no_sense_has_no_posts(cursors: Cursors, row: dict[str, Any]) -> None:
    server = Server(post("a", SINCE + 1))
    assert await CatchUp(server, cursors, 10, lambda: NOW).missed(row, edited=True) == []
    assert server.asked == []


def test_only_a_channel_younger_than_the_gap_has_all_its_posts_among_the_missed(cursors: Cursors) -> None:
    catchup = CatchUp(Server(), cursors, 2, lambda: NOW)
    one = [post("a", NOW)]
    assert catchup.has_all(channel(create_at=SINCE + 1), one)
    assert not catchup.has_all(channel(create_at=SINCE - DAY), one)
    assert not catchup.has_all(channel(create_at=SINCE + 1), [*one, post("b", NOW)])
    assert not catchup.has_all(channel(create_at=None), one)
