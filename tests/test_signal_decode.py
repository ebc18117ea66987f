"""Signal's decoder against variants of recorded events, and against anything at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    MOST_MENTIONS,
    Address,
    Attachment,
    Inbound,
    Me,
    Origin,
    Rule,
    Unhandled,
)
from hermes_hardened_adapters.common.core.policy import Policy, decide
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, CAROL_ACI, GROUP, OWN_ACI, recorded_event
from tests.signal_recorded import ME, mentioning, survives, variant
from tests.waiting import cost


def decoded(event: dict[str, Any], me: Me = ME) -> Inbound:
    inbound = decode(json.dumps(event), ACCOUNT, me)
    assert isinstance(inbound, Inbound)
    return inbound


def test_all_that_is_known_of_a_group_message() -> None:
    inbound = decoded(recorded_event("group_text"))
    assert inbound.sender == Address(ALICE_ACI, ALICE)
    assert (inbound.sender_name, inbound.chat.id, inbound.chat.name) == ("Alice A", GROUP, "Test Group")
    assert inbound.key == f"{ALICE_ACI} 1795329305326"
    assert (inbound.message_id, inbound.sent_at, inbound.origin) == ("1795329305326", 1795329305326, Origin.PERSON)


def test_mention_offsets_are_utf16() -> None:
    inbound = decoded(recorded_event("group_mention_after_emoji"))
    assert [mention.span for mention in inbound.mentions] == [(5, 6), (11, 12)]
    assert [mention.name for mention in inbound.mentions] == ["member", "member"]


@pytest.mark.parametrize(
    "mention",
    [
        {"start": 600, "length": 1},
        {"start": -1, "length": 1},
        {"start": 1, "length": 1},
        {"start": 0, "length": 0},
        {"start": None, "length": None},
        {"start": 2**62, "length": 2**62},
        {},
    ],
)
def test_a_range_that_makes_no_sense_is_no_range(mention: dict[str, Any]) -> None:
    inbound = decoded(variant("group_text", message="👋👋", mentions=[{"number": ACCOUNT, "uuid": OWN_ACI, **mention}]))
    assert [m.span for m in inbound.mentions] == [None]


def test_a_mention_of_nobody_is_none() -> None:
    nobody = [
        {"number": None, "uuid": None, "start": 0, "length": 1},
        {"uuid": f"PNI:{OWN_ACI}", "start": 0, "length": 1},
    ]
    assert decoded(variant("group_text", mentions=nobody)).mentions == ()


def test_a_quote() -> None:
    quote = decoded(recorded_event("quote_of_bot")).quote
    assert quote is not None
    assert (quote.message_id, quote.author, quote.text) == (
        "1700000000000",
        Address(OWN_ACI, ACCOUNT),
        "bot said this",
    )


def test_an_edit_has_a_key_of_its_own() -> None:
    inbound = decoded(recorded_event("edit"))
    assert inbound.edits == "1700000000000"
    assert inbound.key == f"{ALICE_ACI} 1795329305341 1700000000000"


def test_a_deletion() -> None:
    assert decoded(recorded_event("remote_delete")).deletes == "1700000000000"


TARGET = {"targetAuthor": "+15550003333", "targetAuthorNumber": "+15550003333", "targetSentTimestamp": 1700000000000}


@pytest.mark.parametrize(
    ("deletion", "in_group", "deleted"),
    [
        (TARGET, True, "+15550003333 1700000000000"),
        ({**TARGET, "targetAuthorUuid": CAROL_ACI}, True, f"{CAROL_ACI} 1700000000000"),
        ({"targetAuthor": CAROL_ACI, "targetSentTimestamp": 1700000000000}, True, f"{CAROL_ACI} 1700000000000"),
        # Only groups have admins, and without an author it would delete a message of the sender's own.
        (TARGET, False, None),
        ({"targetSentTimestamp": 1700000000000}, True, None),
        ({**TARGET, "targetSentTimestamp": "soon"}, True, None),
        ([1], True, None),
        ("x", True, None),
    ],
)
def test_an_admins_deletion_names_the_author(deletion: object, in_group: bool, deleted: str | None) -> None:
    info = recorded_event("group_text")["envelope"]["dataMessage"]["groupInfo"]
    changes = {"remoteDelete": None, "adminDelete": deletion, **({"groupInfo": info} if in_group else {})}
    inbound = decoded(variant("remote_delete", **changes))
    assert (inbound.contentless, inbound.deleted_key) == ("deletion", deleted)


@pytest.mark.parametrize(
    "content_type", ["audio/aac", "Audio/AAC", "audio/ogg; codecs=opus", " AUDIO/mp4 ", "audio/mpeg;x"]
)
def test_audio_is_audio_however_it_is_written(content_type: str) -> None:
    inbound = decoded(variant("att_audio_voice_true", attachments=[{"contentType": content_type, "id": "v"}]))
    assert inbound.attachments[0].is_audio


@pytest.mark.parametrize("content_type", ["application/audio", "video/audio", "", None])
def test_what_is_no_audio(content_type: str | None) -> None:
    inbound = decoded(variant("att_audio_voice_true", attachments=[{"contentType": content_type, "id": "v"}]))
    assert not inbound.attachments[0].is_audio


def test_an_attachment_without_a_size() -> None:
    inbound = decoded(variant("att_image", attachments=[{"contentType": "image/png", "id": "i", "size": None}]))
    assert inbound.attachments == (Attachment("i", "image/png"),)


@pytest.mark.parametrize(
    ("name", "opens"),
    [("group_update_added", True), ("group_update_invited_pending", True), ("group_text", False), ("reaction", False)],
)
def test_what_opens_a_group(name: str, opens: bool) -> None:
    assert decoded(recorded_event(name)).opens_group is opens


@pytest.mark.parametrize(
    ("group", "opens"),
    [
        ({"type": "DELIVER", "revision": 0}, True),
        ({"type": "DELIVER", "revision": 7}, False),
        ({"type": "UPDATE", "revision": None}, True),
        ({"type": None, "revision": 0}, False),
    ],
)
def test_a_creation_is_delivered_with_revision_0(group: dict[str, Any], opens: bool) -> None:
    info = {"groupId": GROUP, "groupName": None, **group}
    assert decoded(variant("group_text", message=None, groupInfo=info)).opens_group is opens


@pytest.mark.parametrize(
    "other", [{"reaction": {"emoji": "x"}}, {"isExpirationUpdate": True}, {"sticker": {"packId": "a"}}]
)
def test_other_textless_things_open_no_group(other: dict[str, Any]) -> None:
    info = {"groupId": GROUP, "type": "UPDATE", "revision": 3}
    inbound = decoded(variant("group_text", message=None, groupInfo=info, **other))
    assert inbound.contentless
    assert not inbound.opens_group


def test_an_event_of_another_account_is_refused() -> None:
    event = recorded_event("dm_text")
    for account in ("+15550009999", None):
        assert decode(json.dumps(event | {"account": account}), ACCOUNT, ME) == Unhandled("other account")


def test_an_account_configured_by_its_aci() -> None:
    event = json.dumps(recorded_event("dm_text"))
    assert isinstance(decode(event, OWN_ACI, Me(OWN_ACI, ACCOUNT)), Inbound)
    assert decode(event, OWN_ACI, Me(OWN_ACI, None)) == Unhandled("other account")


def test_a_pni_is_nobody() -> None:
    event = recorded_event("dm_uuid_only")
    event["envelope"] |= {"source": f"PNI:{CAROL_ACI}", "sourceUuid": None, "sourceNumber": None}
    assert decode(json.dumps(event), ACCOUNT, ME) == Unhandled("no sender")


def test_our_own_plain_message_is_an_echo() -> None:
    event = recorded_event("dm_text")
    event["envelope"] |= {"source": OWN_ACI, "sourceUuid": OWN_ACI, "sourceNumber": None}
    assert decoded(event).origin is Origin.SELF


def test_a_sync_of_somebody_else_is_refused() -> None:
    event = recorded_event("sync_note_to_self")
    event["envelope"] |= {"source": ALICE, "sourceNumber": ALICE, "sourceUuid": ALICE_ACI}
    assert decode(json.dumps(event), ACCOUNT, ME) == Unhandled("foreign sync")


def test_what_the_owner_sent_to_another_person_is_not_for_us() -> None:
    event = recorded_event("sync_note_to_self")
    event["envelope"]["syncMessage"]["sentMessage"] |= {"destinationNumber": ALICE, "destinationUuid": ALICE_ACI}
    inbound = decoded(event)
    assert not inbound.to_self
    assert decide(inbound, ME, Policy(), authority=Authority.ALLOWED).rule is Rule.OWN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
RECORDED = [
    recorded_event(name)
    for name in (
        "group_mention_after_emoji",
        "quote_of_bot",
        "group_text",
        "att_image",
        "edit",
        "sync_group",
        "group_update_added",
    )
]


def test_what_is_no_utf8_is_replaced() -> None:
    """signal-cli never writes such bytes; one of them must not cost the message."""
    event = json.dumps(recorded_event("dm_text"), ensure_ascii=False).encode()
    inbound = decode(event.replace(b"hello", b"he\xffllo"), ACCOUNT, ME)
    assert isinstance(inbound, Inbound)
    assert "he\ufffdllo" in inbound.text


@given(st.text())
def test_any_text(data: str) -> None:
    survives(data)


@given(st.binary())
def test_any_bytes(data: bytes) -> None:
    survives(data)


@given(JSON)
def test_any_json(value: object) -> None:
    survives(json.dumps(value))
    survives(json.dumps({"envelope": value, "account": ACCOUNT}))


@settings(max_examples=400)
@given(st.data())
def test_any_value_anywhere_in_a_recorded_event(data: st.DataObject) -> None:
    event = json.loads(json.dumps(data.draw(st.sampled_from(RECORDED))))
    at: Any = event
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = data.draw(st.sampled_from(list(keys)))
        if isinstance(at[key], (dict, list)) and at[key] and data.draw(st.booleans()):
            at = at[key]
            continue
        at[key] = data.draw(JSON)
        break
    survives(json.dumps(event))


def test_mentions_in_a_long_text_are_found_at_the_cost_of_the_text() -> None:
    """Once each of them cost as much as the whole text before it."""
    few, many = (
        mentioning("🙂" * 200_000 + "\ufffc" * number, [(OWN_ACI, 400_000 + at) for at in range(number)])
        for number in (5, MOST_MENTIONS)
    )
    me = Me(OWN_ACI, ACCOUNT)
    inbound = decode(many, ACCOUNT, me)
    assert isinstance(inbound, Inbound)
    assert inbound.mentions[-1].span == (200_000 + MOST_MENTIONS - 1, 200_000 + MOST_MENTIONS)
    assert cost(lambda: decode(many, ACCOUNT, me)) < 10 * cost(lambda: decode(few, ACCOUNT, me))


def test_eight_times_the_mentions_cost_no_sixty_four_times_as_much() -> None:
    few, many = (mentioning("\ufffc" * size, [(OWN_ACI, at) for at in range(size)]) for size in (2_500, 20_000))
    me = Me(OWN_ACI, ACCOUNT)
    assert cost(lambda: decode(many, ACCOUNT, me)) < 24 * cost(lambda: decode(few, ACCOUNT, me))


@pytest.mark.parametrize(
    ("seconds", "expires_in"),
    [
        *((3_600, 3_600), (1, 1), (2**32, 2**32), (2**63, 2**32), (2.5, 3)),
        *((0, None), (-1, None), (True, None), ("60", None), (None, None), ([], None), ({}, None), (10**400, None)),
    ],
)
@pytest.mark.parametrize("name", ["dm_text", "edit", "sync_note_to_self"])
def test_the_timer_of_a_disappearing_message(name: str, seconds: object, expires_in: int | None) -> None:
    event = recorded_event(name)
    envelope = event["envelope"]
    message = envelope.get("syncMessage", {}).get("sentMessage") or envelope.get("editMessage") or envelope
    body = message.get("dataMessage", message)
    before = decoded(event)
    body |= {"expiresInSeconds": seconds, "viewOnce": seconds}
    inbound = decoded(event)
    assert inbound.expires_in == expires_in
    assert inbound.view_once == (seconds is True)
    assert (inbound.text, inbound.contentless, inbound.edits) == (before.text, before.contentless, before.edits)


def test_a_change_of_the_timer_says_nothing() -> None:
    inbound = decoded(recorded_event("expiration_update"))
    assert inbound.contentless == "expiry timer"
    assert inbound.expires_in
