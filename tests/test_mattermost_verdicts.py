"""Every recorded frame and what becomes of it: frame in, decision out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.decode import Deleted, Edited, Posted, UserRemoved, to_inbound
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Decision, Dispatch, Inbound, Me, Observe, Origin, Unhandled
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.mattermost_recorded import CHANNELS, HERMES, NAMES, RECORDED, USERS, event_in, frames

STRICT = Policy(
    chats=frozenset(channel for name, channel in CHANNELS.items() if not name.startswith("dm_")), require_mention=True
)
PEOPLE = frozenset(USERS[name] for name in ("admin", "alice", "bob"))
DIRECT = frozenset(channel for name, channel in CHANNELS.items() if name.startswith("dm_"))

VERDICTS: dict[str, Sequence[str]] = {
    "at_channel_at_here_at_all": [
        "observe 10: @channel deploy now",
        "observe 10: @here deploy now",
        "observe 10: @all deploy now",
        "observe 10: @Channel upper",
        "dispatch 7: @channel @hermes both",
    ],
    "bot_added_to_channel": [
        "hermes removed",
        "not a post: user_added",
        "ignore 3",
        "observe 10: post right after admin added the bot",
        "hermes removed",
        "not a post: user_added",
        "ignore 3",
        "observe 10: post right after mallory added the bot",
    ],
    "bot_removed": [
        "hermes removed",
        "not a post: user_added",
        "ignore 3",
        "hermes removed",
        "not a post: user_added",
        "ignore 3",
    ],
    "channel_mention_bot": [
        "dispatch 7: what is the status?",
        "dispatch 7: status please",
        "dispatch 7: so @hermes and @bob both",
    ],
    "channel_no_mention": [
        "observe 10: just chatting here",
        "observe 10: hermes without at sign",
        "observe 6: @bob hey",
        "observe 6: @alice me",
    ],
    "connect_bad_token_challenge": [],
    "connect_bad_token_header": [],
    "connect_handshake": ["not a post: hello", "not a post: no event", "not a post: status_change"],
    "connect_header_auth": ["not a post: hello", "not a post: status_change"],
    "deleted_post": [
        "dispatch 7: soon deleted",
        "observe 10: reply in doomed thread",
        "ignore 2",
        "ignore 1",
        "ignore 1",
    ],
    "dm_to_bot": [
        "dispatch 5: hello bot",
        "dispatch 5: hi from bob",
        "dispatch 5: with a mention in a DM",
        "dispatch 5: thread reply in DM",
    ],
    "edited_post": [
        "observe 10: original text",
        "dispatch 7: edited to add",
        "dispatch 7: original q",
        "dispatch 7: edited q",
        "seen before",
        "dispatch 5: dm orig",
        "dispatch 5: dm edited",
    ],
    "file_upload": [
        "dispatch 5: file red.png",
        "dispatch 5: file big.jpg",
        "dispatch 5: file anim.gif",
        "dispatch 5: file doc.pdf",
        "dispatch 5: file voice.m4a",
        "dispatch 5: file voice.ogg",
        "dispatch 5: file voice.mp3",
        "dispatch 5: file voice.webm",
        "dispatch 5: file voice.wav",
        "dispatch 5: file clip.mp4",
        "dispatch 5: file notes.txt",
        "dispatch 5: file page.html",
        "dispatch 5: file noext",
        "dispatch 5: file pic.svg",
        "dispatch 5: file fake.png",
        "dispatch 7: see image",
        "observe 10: no mention image",
        "observe 10: ",
        "dispatch 5: ",
        "dispatch 5: two files",
        "dispatch 7: six files",
    ],
    "group_message": [
        "observe 10: group without mention",
        "dispatch 7: group with mention",
        "observe 10: @channel group",
    ],
    "me_message": ["dispatch 7: *waves at @hermes*", "dispatch 7: *nods at @hermes*"],
    "mention_in_code_block": [
        "observe 10: run `@hermes` ok",
        "observe 10: ```\n@hermes do it\n```",
        "observe 10: ~~~\n@hermes tilde\n~~~",
        "observe 10:     @hermes indented code",
        "dispatch 7: ```\nx\n```\n@hermes real after fence",
        "observe 10: ``@hermes``",
        "dispatch 7: `unclosed",
        "observe 10: ```\nunclosed fence @hermes",
        "dispatch 7: text\n    @hermes lazy continuation",
    ],
    "mention_prefix_of_other_user": [
        "observe 6: @hermes2 hi",
        "observe 6: @hermes.fan hi",
        "observe 10: @hermes-x hi",
        "observe 10: mail me at joe@hermes.io",
        "observe 10: @hermes_x hi",
        "observe 10: @hermesx hi",
        "observe 10: @hermes.nobody hi",
        "observe 10: joe@hermes mail",
        "observe 6: @hermes.fan hi (not in this channel)",
    ],
    "mention_then_slash_command": [
        "dispatch 7: /sethome",
        "dispatch 8: /help",
        "dispatch 7: /new",
        "dispatch 7: /status",
        "dispatch 8: /help",
        "dispatch 7: /stop",
        "dispatch 8: /unknown hi",
        "dispatch 5: /help",
        "dispatch 5: /help",
        "observe 3: @hermes ¯\\\\\\_(ツ)\\_/¯",
        "dispatch 7: echoed",
    ],
    "mention_uppercase": ["dispatch 7: hello"] * 2,
    "mention_with_punctuation": [
        "dispatch 7: hi",
        "dispatch 7: (@hermes)",
        "dispatch 7: x",
        "dispatch 7: hey.",
        "dispatch 7: @hermes!",
        "dispatch 7: @hermes?",
        "dispatch 7: @hermes's status",
        "dispatch 7: hi",
        'dispatch 7: "@hermes"',
        "dispatch 7: @hermes...",
        "dispatch 7: next line",
        "dispatch 7: cc/@hermes",
        "observe 10: @hermes@bob",
        "observe 10: @@hermes",
        "observe 10: é@hermes",
        "observe 10: @hermesé",
        "dispatch 7: @hermes_",
        "dispatch 7: @hermes-",
        "observe 10: @hermes:smile:",
        "dispatch 7: -@hermes",
        "dispatch 7: .@hermes",
        "dispatch 7: x.@hermes",
        "observe 10: a@hermes",
        "observe 10: @hermes.com",
        "dispatch 7: @hermes/ops",
        "observe 10: ＠hermes",
        "dispatch 7: hi",
        "observe 10: @her\u200bmes hi",
    ],
    "other_bot_post": ["observe 3: @hermes from another bot", "observe 3: no mention from another bot"],
    "own_post_echo": [
        "ignore 1",
        "ignore 1",
        "ignore 1",
        "ignore 1",
        "ignore 1",
        "ignore 1",
        "not a post: channel_viewed",
    ],
    "private_channel": ["observe 10: no mention in secret", "dispatch 7: in secret"],
    "reaction_added": [
        "ignore 1",
        "not a post: reaction_added",
        "not a post: reaction_removed",
        "not a post: reaction_added",
    ],
    "reconnect_gap_plain": [
        "not a post: hello",
        "not a post: no event",
        "not a post: status_change",
        "dispatch 7: before the gap",
        "not a post: hello",
        "not a post: no event",
        "not a post: status_change",
        "dispatch 7: after the gap",
    ],
    "reconnect_reliable_resume": [
        "not a post: hello",
        "not a post: status_change",
        "not a post: status_change",
        "dispatch 7: reliable before",
        "not a post: status_change",
        "dispatch 7: reliable gap 0",
        "dispatch 7: reliable gap 1",
        "dispatch 7: reliable gap 2",
        "not a post: status_change",
        "dispatch 7: reliable after",
    ],
    "reconnect_reliable_unknown_id": ["not a post: hello", "not a post: status_change"],
    "status_change": ["not a post: status_change"] * 2,
    "system_join_leave": [
        "bob removed",
        "ignore 3",
        "not a post: user_added",
        "ignore 3",
        "bob removed",
        "ignore 3",
        "not a post: user_added",
        "ignore 3",
    ],
    "thread_reply_to_bot_root": ["ignore 1", "dispatch 7: reply without mention", "dispatch 7: reply with mention"],
    "typing": ["not a post: typing", "not a post: typing", "ignore 1", "not a post: typing"],
    "webhook_post": [
        "observe 3: @hermes plain webhook",
        "observe 3: @hermes with override",
        "observe 3: no mention hook",
        "observe 3: pre @hermes\nT\natt @hermes body",
        "observe 3: @channel alert",
        "observe 3: @hermes custom type",
        "observe 3: @hermes spoof",
    ],
}


def in_short(decision: Decision) -> str:
    match decision:
        case Dispatch(text=text, rule=rule):
            return f"dispatch {rule}: {text}"
        case Observe(text=text, rule=rule):
            return f"observe {rule}: {text}"
        case _:
            return f"ignore {decision.rule}"


def inbounds(name: str, policy: Policy = STRICT, people: frozenset[str] = PEOPLE) -> list[tuple[Inbound | None, str]]:
    """What each frame of a recording is, and what becomes of it. Our own posts are ours from their echo on."""
    ours: set[str] = set()
    seen: set[str] = set()
    results: list[tuple[Inbound | None, str]] = []
    for line in frames(name):
        inbound = None
        match event_in(line):
            case Posted() | Edited() | Deleted() as event:
                known: dict[str, Any] = {"channel_type": "D" if event.post.channel_id in DIRECT else "O"}
                if isinstance(event, Posted):
                    known = {"channel_type": event.channel_type, "sender_name": event.sender_name}
                known["kind"] = {Posted: "posted", Edited: "edited", Deleted: "deleted"}[type(event)]
                me = Me(HERMES)
                inbound = to_inbound(event.post, me, USERS.get, lambda user_id: NAMES.get(user_id, ""), **known).inbound
                inbound = replace(inbound, in_our_thread=inbound.chat.thread in ours)
                if inbound.origin is Origin.SELF:
                    ours.add(inbound.message_id)
                decision = decide(
                    inbound,
                    me,
                    policy,
                    authority=Authority.ALLOWED if inbound.sender.id in people else Authority.STRANGER,
                )
                verdict = "seen before" if inbound.key in seen else in_short(decision)
                seen.add(inbound.key)
            case UserRemoved(user_id=str(user_id)):
                verdict = f"{NAMES[user_id]} removed"
            case Unhandled(kind=kind):
                verdict = f"not a post: {kind}"
            case other:
                raise AssertionError(other)
        results.append((inbound, verdict))
    return results


def verdicts(name: str, policy: Policy = STRICT, people: frozenset[str] = PEOPLE) -> list[str]:
    return [verdict for _, verdict in inbounds(name, policy, people)]


def test_every_recording_has_stated_verdicts() -> None:
    assert set(VERDICTS) == set(RECORDED)


@pytest.mark.parametrize("name", VERDICTS)
def test_recording(name: str) -> None:
    assert verdicts(name) == list(VERDICTS[name])


@pytest.mark.parametrize("name", RECORDED)
def test_of_a_channel_not_allowed_nothing_is_read(name: str) -> None:
    for inbound, verdict in inbounds(name, Policy()):
        if inbound and inbound.chat.is_group:
            assert verdict in {"ignore 1", "ignore 2", "ignore 3", "ignore 4", "seen before"}


@pytest.mark.parametrize("name", RECORDED)
def test_in_channels_strangers_are_only_observed(name: str) -> None:
    for inbound, verdict in inbounds(name, people=frozenset()):
        assert inbound is None or not inbound.chat.is_group or not verdict.startswith("dispatch")


@pytest.mark.parametrize("name", ["webhook_post", "other_bot_post"])
def test_no_setting_makes_a_program_a_person(name: str) -> None:
    free = replace(STRICT, require_mention=False, broadcast_addresses=True)
    assert all(verdict.startswith("observe 3") for verdict in verdicts(name, free))


def test_broadcasts_address_us_where_configured() -> None:
    configured = replace(STRICT, broadcast_addresses=True)
    assert all(verdict.startswith("dispatch 7") for verdict in verdicts("at_channel_at_here_at_all", configured))
