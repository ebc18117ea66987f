"""Every recorded event of Signal and what becomes of it: frame in, decision out."""

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
from tests.signal_recorded import ME

STRICT = Policy(chats=frozenset({GROUP}), require_mention=True)
LINES = "line1\nline2\r\nline3\ttab\u2028ls\u2029ps\x85nel\x0bvt\x1cfs"
CONTACT = (
    '(contact: "Erin Example", organisation "Example Ltd", phone "+15550009999", e-mail "erin\uff20example.com",'
    ' address "1 Main Street, 12345, Springfield")'
)
LOCATION = 'https://maps.google.com/maps?q=52.52%2C13.405\n(place: "Alexanderplatz")'

Verdict = Decision | Unhandled | str
"""Of a message a decision; a word for what is no message, or none any more."""

VERDICTS: dict[str, list[Verdict]] = {
    "att_audio_voice_false": [Dispatch("", Rule.DIRECT, Reason.DIRECT)],
    "att_audio_voice_true": [Dispatch("", Rule.DIRECT, Reason.DIRECT)],
    "att_image": [Dispatch("look", Rule.DIRECT, Reason.DIRECT)],
    "big_200k": [Dispatch("x" * 200_000, Rule.DIRECT, Reason.DIRECT)],
    "contact": [Dispatch(CONTACT, Rule.DIRECT, Reason.DIRECT)],
    "dm_newlines": [Dispatch(LINES, Rule.DIRECT, Reason.DIRECT)],
    "dm_number_only": [Dispatch("hi, number only", Rule.DIRECT, Reason.DIRECT)],
    "dm_text": [Dispatch("hello", Rule.DIRECT, Reason.DIRECT)],
    "dm_unidentified": [Dispatch("sealed sender", Rule.DIRECT, Reason.DIRECT)],
    "dm_uuid_only": [Dispatch("hi from a hidden number", Rule.DIRECT, Reason.DIRECT)],
    "edit": [Dispatch("corrected text", Rule.DIRECT, Reason.DIRECT)],
    "exc_decrypt_failed": [Unhandled("not decrypted: ProtocolInvalidMessageException")],
    "expiration_update": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "group_mention_after_emoji": [Dispatch("👋 hi @Hermes and @Carol!", Rule.ADDRESSED, Reason.MENTIONED)],
    "group_mention_bot": [Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)],
    "group_mention_bot_uuid_only": [Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)],
    "group_mention_command": [Dispatch("/sethome", Rule.ADDRESSED, Reason.MENTIONED)],
    "group_text": [Observe("hello group", Rule.UNADDRESSED, Reason.UNADDRESSED)],
    "group_text_uuid_only": [Observe("hello group", Rule.UNADDRESSED, Reason.UNADDRESSED)],
    "group_update_added": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "group_update_invited_pending": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "group_update_new_group": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "location": [Dispatch(LOCATION, Rule.DIRECT, Reason.DIRECT)],
    "poll_create": [
        Observe('(poll: "Lunch?"; one answer of: 1. "Pizza", 2. "Sushi")', Rule.UNADDRESSED, Reason.UNADDRESSED)
    ],
    "poll_terminate": [Observe("(ended a poll of their own)", Rule.UNADDRESSED, Reason.UNADDRESSED)],
    "poll_vote": [Observe("(voted for 2 in a poll)", Rule.UNADDRESSED, Reason.UNADDRESSED)],
    "profile_key_update": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "quote_of_bot": [Dispatch("replying", Rule.DIRECT, Reason.DIRECT)],
    "reaction": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "receipt_delivery": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "receipt_read": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "remote_delete": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "sticker": [Dispatch("(sticker)", Rule.DIRECT, Reason.DIRECT)],
    "story_text": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
    "sync_group": [Observe("sent from my phone to the group", Rule.OWN, Reason.OWN_DEVICE)],
    "sync_note_to_self": [Dispatch("note to self", Rule.DIRECT, Reason.DIRECT)],
    "sync_read": [Ignore(Rule.OWN, Reason.OWN)],
    "typing_start": [Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)],
}


def judged(
    name: str, policy: Policy = STRICT, *, me: Me = ME, authority: Authority = Authority.ALLOWED
) -> list[tuple[Inbound | None, Verdict]]:
    """Return what each event of a recording is and its verdict."""
    names = {OWN_ACI: "Hermes", CAROL_ACI: "Carol"}
    results: list[tuple[Inbound | None, Verdict]] = []
    for line in recorded(name).decode().split("\n"):
        if line.startswith("data:"):
            inbound = decode(line[5:], ACCOUNT, me, lambda address: names.get(address.id or "", ""))
            if isinstance(inbound, Unhandled):
                results.append((None, inbound))
            else:
                results.append((inbound, decide(inbound, me, policy, authority=authority)))
    return results


def verdicts(
    name: str, policy: Policy = STRICT, *, me: Me = ME, authority: Authority = Authority.ALLOWED
) -> list[Verdict]:
    return [verdict for _, verdict in judged(name, policy, me=me, authority=authority)]


def inbound_of(name: str) -> Inbound:
    """Return the only message of a recording."""
    ((inbound, _),) = judged(name)
    assert inbound is not None
    return inbound


def test_every_recording_has_stated_verdicts() -> None:
    assert set(VERDICTS) == {path.stem for path in FIXTURES.glob("*.sse")}


@pytest.mark.parametrize("name", VERDICTS)
def test_recording(name: str) -> None:
    assert verdicts(name) == VERDICTS[name]


@pytest.mark.parametrize("name", VERDICTS)
def test_of_a_chat_not_allowed_nothing_is_read(name: str) -> None:
    for inbound, verdict in judged(name, Policy()):
        if inbound and inbound.chat.is_group:
            assert isinstance(verdict, Ignore)
            assert verdict.rule in {Rule.OWN, Rule.CONTENTLESS, Rule.CHAT_NOT_SERVED}
            if name.startswith(("group_mention", "group_text")):
                assert verdict == Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)


@pytest.mark.parametrize("name", VERDICTS)
def test_in_groups_strangers_are_only_observed(name: str) -> None:
    for inbound, verdict in judged(name, authority=Authority.STRANGER):
        assert inbound is None or not inbound.chat.is_group or not isinstance(verdict, Dispatch)


# -- Signal's alone


@pytest.mark.parametrize("name", ["group_mention_bot", "group_mention_command", "group_mention_after_emoji"])
def test_a_stranger_who_mentions_the_bot_is_only_observed(name: str) -> None:
    (result,) = verdicts(name, authority=Authority.STRANGER)
    assert isinstance(result, Observe)
    assert result.reason is Reason.UNVERIFIED


def test_without_observation_what_would_be_observed_is_ignored() -> None:
    silent = replace(STRICT, observe=False)
    assert verdicts("group_text", silent) == [Ignore(Rule.UNADDRESSED, Reason.UNADDRESSED)]
    stranger = verdicts("group_mention_bot", silent, authority=Authority.STRANGER)
    assert stranger == [Ignore(Rule.ADDRESSED, Reason.UNVERIFIED)]


def test_while_the_own_aci_is_unknown_a_mention_by_aci_is_not_taken_for_ours() -> None:
    unsure = Me(None, ACCOUNT)
    assert verdicts("group_mention_bot", me=unsure) == [Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED)]
    for policy in (STRICT, replace(STRICT, require_mention=False)):
        assert verdicts("group_mention_bot_uuid_only", policy, me=unsure) == [
            Observe("@Hermes hello", Rule.ADDRESSED_ELSEWHERE, Reason.IDENTITY_UNKNOWN)
        ]


def test_the_owners_group_message_is_a_request_behind_an_alias_only() -> None:
    sync = inbound_of("sync_group")
    aliased = replace(STRICT, aliases=("bot",), require_mention=False)
    assert [decide(sync, ME, aliased, authority=Authority.ALLOWED)] == VERDICTS["sync_group"]
    addressed = decide(replace(sync, text="Bot, /status"), ME, aliased, authority=Authority.ALLOWED)
    assert addressed == Dispatch("/status", Rule.OWN, Reason.OWN_DEVICE)
    for other in ("bottle this", "bot/ops", "a bot is here"):
        assert isinstance(decide(replace(sync, text=other), ME, aliased, authority=Authority.ALLOWED), Observe)


def test_the_echo_of_our_own_message_is_ignored() -> None:
    for name in ("sync_note_to_self", "sync_group"):
        sync = inbound_of(name)
        sent = Me(OWN_ACI, ACCOUNT, sent={sync.message_id})
        assert decide(sync, sent, STRICT, authority=Authority.ALLOWED) == Ignore(Rule.OWN, Reason.OWN)


def test_somebodys_message_is_not_taken_for_an_echo() -> None:
    text = inbound_of("dm_text")
    sent = Me(OWN_ACI, ACCOUNT, sent={text.message_id})
    assert isinstance(decide(text, sent, STRICT, authority=Authority.ALLOWED), Dispatch)
