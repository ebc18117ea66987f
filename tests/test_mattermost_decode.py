"""Mattermost's decoder against variants of recorded frames, and against anything at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import (
    Decoded,
    Deleted,
    Edited,
    LeftTeam,
    Posted,
    UserRemoved,
    UserUpdated,
    added_by,
    parse_post,
    to_inbound,
)
from hermes_hardened_adapters.common.core.events import Address, Attachment, Chat, Me, Origin, Unhandled
from hermes_hardened_adapters.common.core.wording import Foreign
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mattermost_recorded import (
    CHANNELS,
    HERMES,
    ME,
    NAMES,
    RECORDED,
    USERS,
    event_in,
    frame,
    frames,
    packed,
    survives,
    variant,
)

ALICE, ADMIN, BOB = USERS["alice"], USERS["admin"], USERS["bob"]
OPS = CHANNELS["ops"]
TEAM = str(frame("channel_mention_bot", 2)["data"]["team_id"])
IN_OPS = Chat(OPS, Foreign("Ops"), team=TEAM)


def decoded(event: dict[str, Any], me: Me = ME, **known: Any) -> Decoded:
    parsed = event_in(packed(event))
    assert isinstance(parsed, Posted | Edited | Deleted), parsed
    if isinstance(parsed, Posted):
        known = {
            "channel_type": parsed.channel_type,
            "channel_name": parsed.channel_name,
            "sender_name": parsed.sender_name,
            "team_id": parsed.team_id,
        } | known
    else:
        known = {"channel_type": "O", "kind": "edited" if isinstance(parsed, Edited) else "deleted"} | known
    return to_inbound(parsed.post, me, USERS.get, lambda user_id: NAMES.get(user_id, ""), **known)


def test_all_that_is_known_of_a_post() -> None:
    result = decoded(frame("channel_mention_bot", 2))
    inbound = result.inbound
    assert (result.channel_id, result.channel_type, result.unknown_names) == (OPS, "O", ())
    assert (inbound.key, inbound.message_id, inbound.sent_at) == (*["jgcfmp1t4jry9xukibca374tdr"] * 2, 1795328855175)
    assert (inbound.chat, inbound.sender, inbound.sender_name) == (IN_OPS, Address(ALICE), "alice")
    assert [(m.address, m.name, m.span) for m in inbound.mentions] == [
        (Address(HERMES), "hermes", (3, 10)),
        (Address(BOB), "bob", (15, 19)),
    ]
    assert (inbound.origin, inbound.contentless, inbound.broadcast) == (Origin.PERSON, None, False)


@pytest.mark.parametrize(
    ("channel_type", "chat"),
    [("O", IN_OPS), ("P", IN_OPS), ("G", IN_OPS), ("D", Chat()), ("", IN_OPS)],
)
def test_only_a_direct_channel_is_a_direct_message(channel_type: str, chat: Chat) -> None:
    assert decoded(frame("channel_no_mention"), channel_type=channel_type).inbound.chat == chat


@pytest.mark.parametrize(
    ("team", "known"), [(TEAM, TEAM), ("", None), (None, None), (5, None), ([TEAM], None), ("a team", None)]
)
def test_a_channel_is_of_a_team_that_has_the_form_of_an_id(team: object, known: str | None) -> None:
    posted = frame("channel_mention_bot", 2)
    posted["data"]["team_id"] = team
    assert decoded(posted).inbound.chat == Chat(OPS, Foreign("Ops"), team=known)
    assert decoded(posted, channel_type="D").inbound.chat == Chat()


def test_a_reply_is_in_the_thread_of_its_root_whose_owner_only_the_server_knows() -> None:
    reply = frame("thread_reply_to_bot_root", 1)
    root = reply["data"]["post"]["root_id"]
    assert decoded(reply).inbound.chat.thread == root
    assert not decoded(reply).inbound.in_our_thread
    assert not decoded(frame("channel_no_mention"), Me(HERMES, sent={""})).inbound.in_our_thread


def test_versions_of_a_post_have_keys_of_their_own() -> None:
    post_id = frame("edited_post")["data"]["post"]["id"]
    original, edit, pin = (decoded(frame("edited_post", index)).inbound for index in (0, 1, 4))
    assert (original.key, edit.key, pin.key) == (post_id, f"{post_id} 1795328919345", edit.key)
    assert (original.edits, edit.edits) == (None, post_id)
    deletion = decoded(frame("deleted_post", 2)).inbound
    assert (deletion.key, deletion.deletes) == (f"{deletion.message_id} deleted", deletion.message_id)
    assert (deletion.text, deletion.mentions, deletion.contentless) == ("", (), "deletion")


def test_pinning_is_no_new_version() -> None:
    assert decoded(variant("edited_post", 4, edit_at=0)).inbound.contentless == "pin"


def test_posts_as_the_rest_api_has_them() -> None:
    row = frame("channel_mention_bot")["data"]["post"]
    known: Any = {"user_id_of": USERS.get, "name_of": lambda _: "", "channel_type": "P"}
    edited, deleted, old, junk = (
        parse_post(row | changes)
        for changes in ({"edit_at": 5}, {"delete_at": 5}, {"delete_at": 5, "original_id": "x"}, {"id": "../me"})
    )
    assert edited
    assert deleted
    assert old
    assert junk is None
    assert parse_post([]) is None
    inbound = to_inbound(edited, ME, **known).inbound
    assert (inbound.key, inbound.edits, inbound.text) == (row["id"], None, row["message"])
    inbound = to_inbound(deleted, ME, **known).inbound
    assert (inbound.deletes, inbound.text, inbound.contentless) == (row["id"], "", "deletion")
    inbound = to_inbound(old, ME, **known).inbound
    assert (inbound.deletes, inbound.contentless) == (None, "old version")


@pytest.mark.parametrize(
    ("changes", "origin"),
    [
        ({}, Origin.PERSON),
        ({"type": "me"}, Origin.PERSON),
        ({"type": "me", "props": {"override_icon_url": ""}}, Origin.PERSON),
        ({"type": "slack_attachment", "props": {"attachments": []}}, Origin.PERSON),
        ({"props": {"disable_group_highlight": True, "mentionHighlightDisabled": True}}, Origin.PERSON),
        ({"props": {"from_webhook": "true"}}, Origin.PROGRAM),
        ({"props": {"from_webhook": "false"}}, Origin.PROGRAM),
        ({"props": {"from_bot": "true"}}, Origin.PROGRAM),
        ({"props": {"from_plugin": True}}, Origin.PROGRAM),
        ({"props": {"override_username": "alice"}}, Origin.PROGRAM),
        ({"props": {"override_icon_url": ""}}, Origin.PROGRAM),
        ({"type": "me", "props": {"override_icon_url": "x"}}, Origin.PROGRAM),
        ({"type": "me", "props": {"override_icon_url": "", "from_webhook": "true"}}, Origin.PROGRAM),
        ({"type": "custom_alert"}, Origin.PROGRAM),
        ({"type": "system_generic"}, Origin.SERVER),
        ({"user_id": HERMES}, Origin.SELF),
        ({"user_id": HERMES, "props": {"from_webhook": "true"}}, Origin.SELF),
        ({"user_id": HERMES, "type": "system_join_channel"}, Origin.SERVER),
    ],
)
def test_who_wrote_it(changes: dict[str, Any], origin: Origin) -> None:
    assert decoded(variant("channel_mention_bot", **changes)).inbound.origin is origin


def test_a_hooks_post_is_not_named_after_its_owner() -> None:
    by_owner = decoded(variant("webhook_post", 1, props={"from_webhook": "true", "override_username": 7}))
    assert decoded(frame("webhook_post", 1)).inbound.sender_name == by_owner.inbound.sender_name == "alice"
    assert decoded(variant("webhook_post", 0, props={"from_webhook": "x"}), sender_name="").inbound.sender_name == ""


def test_the_text_of_message_attachments() -> None:
    inbound = decoded(frame("webhook_post", 3)).inbound
    assert inbound.text == "pre @hermes\nT\natt @hermes body"
    assert len(inbound.mentions) == 2
    attached = [{"fallback": "f"}, {"text": "  ", "fallback": "g"}, 7, {"text": "t", "fallback": "no"}, {"title": 1}]
    assert decoded(variant("webhook_post", 3, props={"attachments": attached})).inbound.text == "f\ng\nt"
    assert decoded(variant("webhook_post", 3, props={"attachments": {"text": "t"}})).inbound.contentless == "empty"
    assert decoded(variant("webhook_post", 3, message="said")).inbound.text == "said"


def test_files() -> None:
    [image] = decoded(frame("file_upload")).inbound.attachments
    assert image == Attachment("kgwpe8z4n7ytbbp9e98gcoza9a", "image/png", "red.png", 119)
    [notes] = decoded(frame("file_upload", 10)).inbound.attachments
    assert (notes.content_type, notes.filename) == ("text/plain", "notes.txt")
    [noext] = decoded(frame("file_upload", 12)).inbound.attachments
    assert noext.content_type == ""
    assert len(decoded(frame("file_upload", 20)).inbound.attachments) == 6


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        {},
        [],
        {"files": None},
        {"files": [{"id": "../x"}]},
        {"files": {"id": 1}},
        {"files": [{"id": "a" * 26}, 7]},
    ],
)
def test_files_without_what_the_server_tells_of_them(metadata: object) -> None:
    inbound = decoded(variant("file_upload", 0, metadata=metadata)).inbound
    assert inbound.attachments == (Attachment("kgwpe8z4n7ytbbp9e98gcoza9a", ""),)


@pytest.mark.parametrize("size", [-1, "many", None, 2.5, [1]])
def test_a_size_that_makes_no_sense_is_none(size: object) -> None:
    files = [{"id": "a" * 26, "name": "", "mime_type": "Audio/OGG; codecs=opus", "size": size}]
    inbound = decoded(variant("file_upload", 0, metadata={"files": files}, file_ids=["a" * 26, "b" * 26])).inbound
    assert inbound.attachments == (Attachment("a" * 26, "audio/ogg"), Attachment("b" * 26, ""))
    assert inbound.attachments[0].is_audio


def test_a_mention_is_shown_as_it_was_typed() -> None:
    inbound = decoded(variant("channel_mention_bot", message="so @HERMES and &#64;bob & &#64;hermes2")).inbound
    assert [mention.name for mention in inbound.mentions] == ["HERMES", "bob", "hermes2"]
    assert decoded(variant("channel_mention_bot", message="@nobody `@code`")).unknown_names == ("nobody",)


def test_who_added_us() -> None:
    [*_, by_admin, _, _, _, by_mallory, _] = [event_in(line) for line in frames("bot_added_to_channel")]
    assert isinstance(by_admin, Posted)
    assert isinstance(by_mallory, Posted)
    assert added_by(by_admin.post, ME) == (CHANNELS["random-talk"], ADMIN)
    assert added_by(by_mallory.post, ME) == (CHANNELS["random-talk"], USERS["mallory"])
    for changes in (
        {"type": ""},
        {"type": "system_join_channel"},
        {"props": None},
        {"props": {"addedUserId": BOB, "userId": ADMIN}},
        {"props": {"addedUserId": HERMES, "userId": ALICE}},
        {"props": {"addedUserId": HERMES}},
    ):
        post = parse_post(by_admin.post.model_dump() | changes)
        assert post
        assert added_by(post, ME) is None
    assert added_by(by_admin.post, Me()) is None


USER_ID, TEAM_ID = "a" * 26, "b" * 26


@pytest.mark.parametrize(
    ("event", "data", "broadcast", "meaning"),
    [
        ("user_added", {"user_id": USER_ID}, {}, Unhandled("user_added")),
        (
            "user_removed",
            {"channel_id": OPS, "remover_id": "r"},
            {"user_id": USER_ID},
            UserRemoved(OPS, USER_ID),
        ),
        ("user_removed", {"user_id": USER_ID}, {"channel_id": OPS}, UserRemoved(OPS, USER_ID)),
        ("user_removed", {"channel_id": OPS}, {"user_id": ""}, UserRemoved(OPS, None)),
        ("leave_team", {"user_id": USER_ID, "team_id": TEAM_ID}, {}, LeftTeam(USER_ID)),
        ("user_updated", {"user": {"id": USER_ID, "username": "n"}}, {}, UserUpdated(USER_ID, "n")),
        ("ephemeral_message", {"post": "{}"}, {}, Unhandled("ephemeral_message")),
        ("user_updated", {"user": []}, {}, Unhandled("malformed user_updated")),
        ("posted", {"post": "{"}, {}, Unhandled("malformed posted")),
        ("posted", None, None, Unhandled("malformed posted")),
    ],
)
def test_events(event: str, data: object, broadcast: object, meaning: object) -> None:
    assert event_in(json.dumps({"event": event, "data": data, "broadcast": broadcast, "seq": 3})) == meaning


def test_an_event_without_its_number_is_none() -> None:
    for seq in (None, True, "x"):
        assert event_in(json.dumps({"event": "leave_team", "data": {}, "seq": seq})) == Unhandled("malformed")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
EVENTS = [frame(name, index) for name in RECORDED for index, line in enumerate(frames(name)) if '"event"' in line]


@given(st.text(st.characters(exclude_categories=())))
def test_any_text(data: str) -> None:
    survives(data)


@given(st.sampled_from(["hello", "posted", "post_edited", "user_added", "user_removed", "leave_team"]), JSON)
def test_any_json(event: str, value: object) -> None:
    survives(json.dumps(value))
    survives(json.dumps({"event": event, "data": value, "broadcast": value, "seq": 1}))
    survives(json.dumps({"event": event, "data": {"post": json.dumps(value)}, "seq": 1}))


@settings(max_examples=400)
@given(st.data())
def test_any_value_anywhere_in_a_recorded_frame(data: st.DataObject) -> None:
    event = json.loads(json.dumps(data.draw(st.sampled_from(EVENTS))))
    at: Any = event
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(at[key], (dict, list)) and at[key] and data.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = data.draw(JSON)
        break
    survives(packed(event) if isinstance(event.get("data"), dict) else json.dumps(event))
