"""Every recorded frame of Mattermost and what becomes of it: frame in, decision out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import Deleted, Edited, Posted, UserRemoved, to_inbound
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Decision,
    Dispatch,
    Ignore,
    Inbound,
    Observe,
    Origin,
    Reason,
    Rule,
    Unhandled,
)
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.mattermost_recorded import CHANNELS, ME, NAMES, RECORDED, USERS, event_in, frames

STRICT = Policy(
    chats=frozenset(channel for name, channel in CHANNELS.items() if not name.startswith("dm_")), require_mention=True
)
PEOPLE = frozenset(USERS[name] for name in ("admin", "alice", "bob"))
DIRECT = frozenset(channel for name, channel in CHANNELS.items() if name.startswith("dm_"))

Verdict = Decision | Unhandled | str
"""Of a message a decision; a word for what is no message, or none any more."""

VERDICTS: dict[str, list[Verdict]] = {
    "at_channel_at_here_at_all": [
        Observe("@channel deploy now", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@here deploy now", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@all deploy now", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@Channel upper", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("@channel @hermes both", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "bot_added_to_channel": [
        "hermes removed",
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        Observe("post right after admin added the bot", Rule.UNADDRESSED, Reason.UNADDRESSED),
        "hermes removed",
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        Observe("post right after mallory added the bot", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ],
    "bot_removed": [
        "hermes removed",
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        "hermes removed",
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
    ],
    "channel_mention_bot": [
        Dispatch("what is the status?", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("status please", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("so @hermes and @bob both", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "channel_no_mention": [
        Observe("just chatting here", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("hermes without at sign", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@bob hey", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
        Observe("@alice me", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ],
    "connect_bad_token_challenge": [],
    "connect_bad_token_header": [],
    "connect_handshake": [
        Unhandled("hello"),
        Unhandled("no event"),
        Unhandled("status_change"),
    ],
    "connect_header_auth": [
        Unhandled("hello"),
        Unhandled("status_change"),
    ],
    "deleted_post": [
        Dispatch("soon deleted", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("reply in doomed thread", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS),
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
    ],
    "dm_to_bot": [
        Dispatch("hello bot", Rule.DIRECT, Reason.DIRECT),
        Dispatch("hi from bob", Rule.DIRECT, Reason.DIRECT),
        Dispatch("with a mention in a DM", Rule.DIRECT, Reason.DIRECT),
        Dispatch("thread reply in DM", Rule.DIRECT, Reason.DIRECT),
    ],
    "edited_post": [
        Observe("original text", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("edited to add", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("original q", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("edited q", Rule.ADDRESSED, Reason.MENTIONED),
        "seen before",
        Dispatch("dm orig", Rule.DIRECT, Reason.DIRECT),
        Dispatch("dm edited", Rule.DIRECT, Reason.DIRECT),
    ],
    "file_upload": [
        Dispatch("file red.png", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file big.jpg", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file anim.gif", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file doc.pdf", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file voice.m4a", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file voice.ogg", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file voice.mp3", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file voice.webm", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file voice.wav", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file clip.mp4", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file notes.txt", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file page.html", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file noext", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file pic.svg", Rule.DIRECT, Reason.DIRECT),
        Dispatch("file fake.png", Rule.DIRECT, Reason.DIRECT),
        Dispatch("see image", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("no mention image", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("", Rule.DIRECT, Reason.DIRECT),
        Dispatch("two files", Rule.DIRECT, Reason.DIRECT),
        Dispatch("six files", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "group_message": [
        Observe("group without mention", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("group with mention", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("@channel group", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ],
    "me_message": [
        Dispatch("*waves at @hermes*", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("*nods at @hermes*", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "mention_in_code_block": [
        Observe("run `@hermes` ok", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("```\n@hermes do it\n```", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("~~~\n@hermes tilde\n~~~", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("    @hermes indented code", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("```\nx\n```\n@hermes real after fence", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("``@hermes``", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("`unclosed", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("```\nunclosed fence @hermes", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("text\n    @hermes lazy continuation", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "mention_prefix_of_other_user": [
        Observe("@hermes2 hi", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
        Observe("@hermes.fan hi", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
        Observe("@hermes-x hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("mail me at joe@hermes.io", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermes_x hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermesx hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermes.nobody hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("joe@hermes mail", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermes.fan hi (not in this channel)", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ],
    "mention_then_slash_command": [
        Dispatch("/sethome", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("/help", Rule.SELF_EVIDENT, Reason.COMMAND),
        Dispatch("/new", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("/status", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("/help", Rule.SELF_EVIDENT, Reason.COMMAND),
        Dispatch("/stop", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("/unknown hi", Rule.SELF_EVIDENT, Reason.COMMAND),
        Dispatch("/help", Rule.DIRECT, Reason.DIRECT),
        Dispatch("/help", Rule.DIRECT, Reason.DIRECT),
        Observe("@hermes ¯\\\\\\_(ツ)\\_/¯", Rule.AUTOMATED, Reason.BOT),
        Dispatch("echoed", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "mention_uppercase": [
        Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("hello", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "mention_with_punctuation": [
        Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("(@hermes)", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("x", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("hey.", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("@hermes!", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("@hermes?", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("@hermes's status", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch('"@hermes"', Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("@hermes...", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("next line", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("cc/@hermes", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("@hermes@bob", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@@hermes", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("é@hermes", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermesé", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("@hermes_", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("@hermes-", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("@hermes:smile:", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("-@hermes", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch(".@hermes", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("x.@hermes", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("a@hermes", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Observe("@hermes.com", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("@hermes/ops", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("＠hermes", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED),
        Observe("@her\u200bmes hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ],
    "other_bot_post": [
        Observe("@hermes from another bot", Rule.AUTOMATED, Reason.BOT),
        Observe("no mention from another bot", Rule.AUTOMATED, Reason.BOT),
    ],
    "own_post_echo": [
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
        Ignore(Rule.OWN, Reason.OWN),
        Unhandled("channel_viewed"),
    ],
    "private_channel": [
        Observe("no mention in secret", Rule.UNADDRESSED, Reason.UNADDRESSED),
        Dispatch("in secret", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "reaction_added": [
        Ignore(Rule.OWN, Reason.OWN),
        Unhandled("reaction_added"),
        Unhandled("reaction_removed"),
        Unhandled("reaction_added"),
    ],
    "reconnect_gap_plain": [
        Unhandled("hello"),
        Unhandled("no event"),
        Unhandled("status_change"),
        Dispatch("before the gap", Rule.ADDRESSED, Reason.MENTIONED),
        Unhandled("hello"),
        Unhandled("no event"),
        Unhandled("status_change"),
        Dispatch("after the gap", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "reconnect_reliable_resume": [
        Unhandled("hello"),
        Unhandled("status_change"),
        Unhandled("status_change"),
        Dispatch("reliable before", Rule.ADDRESSED, Reason.MENTIONED),
        Unhandled("status_change"),
        Dispatch("reliable gap 0", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("reliable gap 1", Rule.ADDRESSED, Reason.MENTIONED),
        Dispatch("reliable gap 2", Rule.ADDRESSED, Reason.MENTIONED),
        Unhandled("status_change"),
        Dispatch("reliable after", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "reconnect_reliable_unknown_id": [
        Unhandled("hello"),
        Unhandled("status_change"),
    ],
    "status_change": [
        Unhandled("status_change"),
        Unhandled("status_change"),
    ],
    "system_join_leave": [
        "bob removed",
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        "bob removed",
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
        Unhandled("user_added"),
        Ignore(Rule.AUTOMATED, Reason.SYSTEM),
    ],
    "thread_reply_to_bot_root": [
        Ignore(Rule.OWN, Reason.OWN),
        Dispatch("reply without mention", Rule.ADDRESSED, Reason.REPLY),
        Dispatch("reply with mention", Rule.ADDRESSED, Reason.MENTIONED),
    ],
    "typing": [
        Unhandled("typing"),
        Unhandled("typing"),
        Ignore(Rule.OWN, Reason.OWN),
        Unhandled("typing"),
    ],
    "webhook_post": [
        Observe("@hermes plain webhook", Rule.AUTOMATED, Reason.BOT),
        Observe("@hermes with override", Rule.AUTOMATED, Reason.BOT),
        Observe("no mention hook", Rule.AUTOMATED, Reason.BOT),
        Observe("pre @hermes\nT\natt @hermes body", Rule.AUTOMATED, Reason.BOT),
        Observe("@channel alert", Rule.AUTOMATED, Reason.BOT),
        Observe("@hermes custom type", Rule.AUTOMATED, Reason.BOT),
        Observe("@hermes spoof", Rule.AUTOMATED, Reason.BOT),
    ],
}


def judged(
    name: str, policy: Policy = STRICT, *, people: frozenset[str] = PEOPLE
) -> list[tuple[Inbound | None, Verdict]]:
    """Return what each frame of a recording is and its verdict. Our own posts are ours from their echo on."""
    ours: set[str] = set()
    seen: set[str] = set()
    results: list[tuple[Inbound | None, Verdict]] = []
    for line in frames(name):
        inbound = None
        verdict: Verdict
        match event_in(line):
            case Posted() | Edited() | Deleted() as event:
                known: dict[str, Any] = {"channel_type": "D" if event.post.channel_id in DIRECT else "O"}
                if isinstance(event, Posted):
                    known = {"channel_type": event.channel_type, "sender_name": event.sender_name}
                known["kind"] = {Posted: "posted", Edited: "edited", Deleted: "deleted"}[type(event)]
                inbound = to_inbound(event.post, ME, USERS.get, lambda user_id: NAMES.get(user_id, ""), **known).inbound
                inbound = replace(inbound, in_our_thread=inbound.chat.thread in ours)
                if inbound.origin is Origin.SELF:
                    ours.add(inbound.message_id)
                authority = Authority.ALLOWED if inbound.sender.id in people else Authority.STRANGER
                verdict = decide(inbound, ME, policy, authority=authority)
                if inbound.key in seen:
                    verdict = "seen before"
                seen.add(inbound.key)
            case UserRemoved(user_id=str(user_id)):
                verdict = f"{NAMES[user_id]} removed"
            case Unhandled() as unhandled:
                verdict = unhandled
            case other:
                raise AssertionError(other)
        results.append((inbound, verdict))
    return results


def verdicts(name: str, policy: Policy = STRICT, *, people: frozenset[str] = PEOPLE) -> list[Verdict]:
    return [verdict for _, verdict in judged(name, policy, people=people)]


def test_every_recording_has_stated_verdicts() -> None:
    assert set(VERDICTS) == set(RECORDED)


@pytest.mark.parametrize("name", VERDICTS)
def test_recording(name: str) -> None:
    assert verdicts(name) == VERDICTS[name]


@pytest.mark.parametrize("name", VERDICTS)
def test_of_a_chat_not_allowed_nothing_is_read(name: str) -> None:
    rules = {Rule.OWN, Rule.CONTENTLESS, Rule.AUTOMATED, Rule.CHAT_NOT_SERVED}
    for inbound, verdict in judged(name, Policy()):
        if inbound and inbound.chat.is_group and verdict != "seen before":
            assert isinstance(verdict, Ignore)
            assert verdict.rule in rules


@pytest.mark.parametrize("name", VERDICTS)
def test_in_groups_strangers_are_only_observed(name: str) -> None:
    for inbound, verdict in judged(name, people=frozenset()):
        assert inbound is None or not inbound.chat.is_group or not isinstance(verdict, Dispatch)


# -- Mattermost's alone


@pytest.mark.parametrize("name", ["webhook_post", "other_bot_post"])
def test_no_setting_makes_a_program_a_person(name: str) -> None:
    free = replace(STRICT, require_mention=False, broadcast_addresses=True)
    for verdict in verdicts(name, free):
        assert isinstance(verdict, Observe)
        assert verdict.rule is Rule.AUTOMATED


def test_broadcasts_address_us_where_configured() -> None:
    configured = replace(STRICT, broadcast_addresses=True)
    for verdict in verdicts("at_channel_at_here_at_all", configured):
        assert isinstance(verdict, Dispatch)
        assert verdict.rule is Rule.ADDRESSED
