"""Mattermost's wire models: an id that is none, a time that is none, a part that makes no sense."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.wire import Broadcast, FileInfo, Post, PostedData
from pydantic import ValidationError

from tests.mattermost_recorded import frame

POST: dict[str, Any] = frame("channel_mention_bot")["data"]["post"]


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "../me"},
        {"id": "A" * 26},
        {"id": "a" * 26 + "\n"},
        {"user_id": None},
        {"channel_id": 7},
        {"root_id": "x"},
        {"create_at": -1},
        {"create_at": 2**53},
        {"message": None},
    ],
)
def test_what_identifies_a_post_has_to_make_sense(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Post.model_validate(POST | changes)
    assert POST["message"] not in str(caught.value)


@pytest.mark.parametrize(
    "changes", [{"props": []}, {"file_ids": ["x"]}, {"metadata": {"files": 7}}, {"update_at": "now"}, {"new": 1}]
)
def test_what_only_adds_to_a_post_costs_no_post(changes: dict[str, Any]) -> None:
    post = Post.model_validate(POST | changes)
    assert (post.id, post.message) == (POST["id"], POST["message"])
    for name in changes:
        value = getattr(post, name, None)
        assert value is None or (name == "metadata" and value.files is None)


def test_a_post_inside_a_frame_is_json_in_json() -> None:
    data = PostedData.model_validate({"post": json.dumps(POST), "channel_type": "O", "mentions": "not json"})
    assert (data.post.id, data.mentions) == (POST["id"], None)


def test_sizes_and_broadcasts_that_make_no_sense_are_none() -> None:
    assert FileInfo.model_validate({"id": "a" * 26, "size": -1}).size is None
    assert Broadcast.model_validate({"user_id": "", "channel_id": 5}) == Broadcast()
