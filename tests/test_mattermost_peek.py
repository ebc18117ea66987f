"""Mattermost's peek: it shows a post in a channel as `decode` would, and leaves everything else to `decode`."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.peek import peek
from hermes_hardened_adapters.adapters.mattermost.sequence import frame_of

from tests.mattermost_recorded import HERMES, ME, frame, frames, packed, survives, variant


@pytest.mark.parametrize("name", ["channel_mention_bot", "channel_no_mention"])
def test_a_post_in_a_channel_is_seen_at_a_glimpse(name: str) -> None:
    for text in frames(name):
        said = frame_of(text)
        assert said
        assert peek(said, ME)
        survives(text)


@pytest.mark.parametrize(
    "event",
    [
        frame("dm_to_bot"),
        frame("bot_added_to_channel", 2),
        variant("channel_no_mention", message=" "),
        variant("channel_no_mention", user_id=HERMES),
        variant("channel_no_mention", type="system_join_channel"),
        variant("channel_no_mention", delete_at=1),
        variant("channel_no_mention", original_id="a" * 26),
        variant("channel_no_mention", id="no id"),
        frame("channel_no_mention") | {"seq": None},
        frame("channel_no_mention") | {"event": "post_edited"},
    ],
)
def test_everything_else_has_to_be_read_whole(event: dict[str, Any]) -> None:
    said = frame_of(packed(event))
    assert said
    assert peek(said, ME) is None
