"""Every recorded event and what becomes of it: frame in, decision out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Decision,
    Dispatch,
    Ignore,
    Inbound,
    Me,
    Observe,
    Reason,
    Rule,
    Unhandled,
)
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.fakes.signal_daemon import ACCOUNT, CAROL_ACI, FIXTURES, GROUP, OWN_ACI, recorded

ME = Me(OWN_ACI, ACCOUNT)
STRICT = Policy(chats=frozenset({GROUP}), require_mention=True)
LINES = "line1\nline2\r\nline3\ttab\u2028ls\u2029ps\x85nel\x0bvt\x1cfs"

VERDICTS: dict[str, Decision | Unhandled] = {
    "att_audio_voice_false": Dispatch("", Rule.DIRECT, Reason.DIRECT),
    "att_audio_voice_true": Dispatch("", Rule.DIRECT, Reason.DIRECT),
    "att_image": Dispatch("look", Rule.DIRECT, Reason.DIRECT),
    "big_200k": Dispatch("x" * 200_000, Rule.DIRECT, Reason.DIRECT),
    "dm_newlines": Dispatch(LINES, Rule.DIRECT, Reason.DIRECT),
    "dm_number_only": Dispatch("hi, number only", Rule.DIRECT, Reason.DIRECT),
    "dm_text": Dispatch("hello", Rule.DIRECT, Reason.DIRECT),
    "dm_unidentified": Dispatch("sealed sender", Rule.DIRECT, Reason.DIRECT),
    "dm_uuid_only": Dispatch("hi from a hidden number", Rule.DIRECT, Reason.DIRECT),
    "edit": Dispatch("corrected text", Rule.DIRECT, Reason.DIRECT),
    "exc_decrypt_failed": Unhandled("not decrypted: ProtocolInvalidMessageException"),
    "expiration_update": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "group_mention_after_emoji": Dispatch("👋 hi @Hermes and @Carol!", Rule.ADDRESSED, Reason.MENTIONED),
    "group_mention_bot": Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED),
    "group_mention_bot_uuid_only": Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED),
    "group_mention_command": Dispatch("/sethome", Rule.ADDRESSED, Reason.MENTIONED),
    "group_text": Observe("hello group", Rule.UNADDRESSED, Reason.UNADDRESSED),
    "group_text_uuid_only": Observe("hello group", Rule.UNADDRESSED, Reason.UNADDRESSED),
    "group_update_added": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "group_update_invited_pending": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "group_update_new_group": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "profile_key_update": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "quote_of_bot": Dispatch("replying", Rule.DIRECT, Reason.DIRECT),
    "reaction": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "receipt_delivery": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "receipt_read": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "remote_delete": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "sticker": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "story_text": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
    "sync_group": Observe("sent from my phone to the group", Rule.OWN, Reason.OWN_DEVICE),
    "sync_note_to_self": Dispatch("note to self", Rule.DIRECT, Reason.DIRECT),
    "sync_read": Ignore(Rule.OWN, Reason.OWN),
    "typing_start": Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
}


def decoded(name: str, me: Me = ME) -> Inbound | Unhandled:
    names = {OWN_ACI: "Hermes", CAROL_ACI: "Carol"}
    data = next(line for line in recorded(name).decode().split("\n") if line.startswith("data:"))
    return decode(data[5:], ACCOUNT, me, lambda address: names.get(address.id or "", ""))


def verdict(
    name: str, me: Me = ME, policy: Policy = STRICT, *, authority: Authority = Authority.ALLOWED
) -> Decision | Unhandled:
    inbound = decoded(name, me)
    return inbound if isinstance(inbound, Unhandled) else decide(inbound, me, policy, authority=authority)


def test_every_recorded_event_has_a_stated_verdict() -> None:
    assert set(VERDICTS) == {path.stem for path in FIXTURES.glob("*.sse")}


@pytest.mark.parametrize("name", VERDICTS)
def test_recorded_event(name: str) -> None:
    assert verdict(name) == VERDICTS[name]


@pytest.mark.parametrize(
    "name", [name for name in VERDICTS if "group" in name and not name.startswith(("group_update", "sync"))]
)
def test_of_a_group_not_allowed_nothing_is_read(name: str) -> None:
    assert verdict(name, policy=Policy()) == Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)


@pytest.mark.parametrize("name", ["group_mention_bot", "group_mention_command", "group_mention_after_emoji"])
def test_a_stranger_who_mentions_the_bot_is_only_observed(name: str) -> None:
    result = verdict(name, authority=Authority.STRANGER)
    assert isinstance(result, Observe)
    assert result.reason is Reason.UNVERIFIED


def test_without_observation_what_would_be_observed_is_ignored() -> None:
    silent = replace(STRICT, observe=False)
    assert verdict("group_text", policy=silent) == Ignore(Rule.UNADDRESSED, Reason.UNADDRESSED)
    assert verdict("group_mention_bot", policy=silent, authority=Authority.STRANGER) == Ignore(
        Rule.ADDRESSED, Reason.UNVERIFIED
    )


def test_while_the_own_aci_is_unknown_a_mention_by_aci_is_not_taken_for_ours() -> None:
    unsure = Me(None, ACCOUNT)
    assert verdict("group_mention_bot", unsure) == Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)
    assert verdict("group_mention_bot_uuid_only", unsure) == Observe(
        "@Hermes hello", Rule.ADDRESSED_ELSEWHERE, Reason.IDENTITY_UNKNOWN
    )
    open_group = replace(STRICT, require_mention=False)
    assert verdict("group_mention_bot_uuid_only", unsure, open_group) == Observe(
        "@Hermes hello", Rule.ADDRESSED_ELSEWHERE, Reason.IDENTITY_UNKNOWN
    )


def test_the_owners_group_message_is_a_request_behind_an_alias_only() -> None:
    sync = decoded("sync_group")
    assert isinstance(sync, Inbound)
    aliased = replace(STRICT, aliases=("bot",), require_mention=False)
    assert decide(sync, ME, aliased, authority=Authority.ALLOWED) == VERDICTS["sync_group"]
    addressed = replace(sync, text="Bot, /status")
    assert decide(addressed, ME, aliased, authority=Authority.ALLOWED) == Dispatch(
        "/status", Rule.OWN, Reason.OWN_DEVICE
    )
    for other in ("bottle this", "bot/ops", "a bot is here"):
        assert isinstance(decide(replace(sync, text=other), ME, aliased, authority=Authority.ALLOWED), Observe)


def test_the_echo_of_our_own_message_is_ignored() -> None:
    for name in ("sync_note_to_self", "sync_group"):
        sync = decoded(name)
        assert isinstance(sync, Inbound)
        sent = Me(OWN_ACI, ACCOUNT, sent={sync.message_id})
        assert decide(sync, sent, STRICT, authority=Authority.ALLOWED) == Ignore(Rule.OWN, Reason.OWN)


def test_somebodys_message_is_not_taken_for_an_echo() -> None:
    text = decoded("dm_text")
    assert isinstance(text, Inbound)
    assert isinstance(
        decide(text, Me(OWN_ACI, ACCOUNT, sent={text.message_id}), STRICT, authority=Authority.ALLOWED), Dispatch
    )
