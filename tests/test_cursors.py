"""Catch-up cursors: how far the messages of each chat have been dealt with."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.state import cursors as cursors_module
from hermes_hardened_adapters.common.state.cursors import Cursors
from hermes_hardened_adapters.common.state.store import Store


async def test_where_channels_were_left_off_is_bounded(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors_module, "KEEP_CURSORS", 3)
    cursors = Cursors(store, "mattermost")
    for number in range(1, 6):
        cursors.advance(f"c{number}", number)
    again = Cursors(store, "mattermost")
    await store.flush()
    await again.load()
    for one in (cursors, again):
        assert [one.since(f"c{number}") for number in range(1, 6)] == [5, 5, 5, 4, 5]


async def test_the_first_run_has_missed_nothing_and_the_next_all_since(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    await cursors.load()
    assert cursors.since("c") is None
    cursors.begin_everywhere(100)
    cursors.begin_everywhere(200)
    await store.flush()
    again = Cursors(store, "mattermost")
    await again.load()
    assert again.since("c") == 100
    other = Cursors(store, "another")
    await other.load()
    assert other.since("c") is None


def test_a_cursor_never_goes_back(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    cursors.advance("c", 5)
    cursors.advance("c", 3)
    cursors.begin("c", 1)
    assert cursors.since("c") == 5


def test_a_chat_begins_just_before_its_first_message(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    cursors.begin("c", 5)
    assert cursors.since("c") == 4


def test_while_messages_may_be_missing_no_cursor_moves_past_them(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    cursors.advance("c", 1)
    cursors.advance("d", 1)
    cursors.hold()
    cursors.advance("c", 9)
    cursors.advance("d", 8)
    cursors.begin("new", 7)
    assert [cursors.since(chat) for chat in ("c", "d", "new")] == [1, 1, 1]
    cursors.settle("c")
    assert [cursors.since(chat) for chat in ("c", "d", "new")] == [9, 1, 1]
    cursors.advance("c", 10)
    assert cursors.since("c") == 10
    cursors.release()
    assert [cursors.since(chat) for chat in ("c", "d", "new")] == [10, 8, 10]


def test_a_second_gap_loses_nothing_of_the_first(store: Store) -> None:
    cursors = Cursors(store, "mattermost")
    cursors.advance("c", 1)
    cursors.hold()
    cursors.settle("c")
    cursors.hold()
    cursors.advance("c", 9)
    assert cursors.since("c") == 1
    cursors.release()
    assert cursors.since("c") == 9
