"""The rules: what `decide` makes of a message, rule by rule, and what `restrain` then keeps from being a Dispatch."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest
from hermes_hardened_adapters.adapters.mattermost.settings import MattermostSettings
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import (
    Address,
    Attachment,
    Chat,
    Decision,
    Dispatch,
    Ignore,
    Inbound,
    Me,
    Mention,
    Observe,
    Origin,
    Quote,
    Reason,
    Rule,
)
from hermes_hardened_adapters.common.core.policy import Past, Policy, decide, restrain
from hermes_hardened_adapters.common.core.versions import Version, digest
from hermes_hardened_adapters.common.core.wording import Foreign

ME = Me("me", "+15550001111", sent={"1000"})
SAID = Inbound("k", "2000", 2000, Chat("g", "Group"), Address("alice", "+15550002222"), text="hello")
DIRECT = replace(SAID, chat=Chat())
STRICT = Policy(chats=frozenset({"g"}), require_mention=True)
OPEN = replace(STRICT, require_mention=False)
VOICES = replace(STRICT, voice_addresses=True)

US = Mention(Address("me"), "Hermes", (0, 1))
BOB = Mention(Address("bob"), "Bob", (0, 1))
OUR_QUOTE = Quote("900", Address("me"), "Hermes", "said before")
BOBS_QUOTE = Quote("901", Address("bob"), "Bob", "said before")
CARD = (Foreign("(sticker)"),)
VOICE = (Attachment("v", "audio/aac"),)
IMAGE = (Attachment("i", "image/png"),)


def mentioning(text: str, *mentions: Mention) -> Inbound:
    return replace(SAID, text=text, mentions=mentions)


CASES: list[tuple[str, Inbound, Policy, Decision]] = [
    ("own echo", replace(SAID, origin=Origin.SELF), OPEN, Ignore(Rule.OWN, Reason.OWN)),
    ("own echo, direct", replace(DIRECT, origin=Origin.SELF), OPEN, Ignore(Rule.OWN, Reason.OWN)),
    ("owner to another person", replace(DIRECT, origin=Origin.OWN_DEVICE), OPEN, Ignore(Rule.OWN, Reason.OWN)),
    (
        "note to self",
        replace(DIRECT, origin=Origin.OWN_DEVICE, to_self=True),
        OPEN,
        Dispatch("hello", Rule.DIRECT, Reason.DIRECT),
    ),
    ("owner in a group", replace(SAID, origin=Origin.OWN_DEVICE), OPEN, Observe("hello", Rule.OWN, Reason.OWN_DEVICE)),
    (
        "owner, group not allowed",
        replace(SAID, origin=Origin.OWN_DEVICE),
        Policy(),
        Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED),
    ),
    ("contentless", replace(SAID, contentless="receipt"), OPEN, Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)),
    ("empty", replace(SAID, text=" \n"), OPEN, Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)),
    ("attachment alone", replace(DIRECT, text="", attachments=IMAGE), OPEN, Dispatch("", Rule.DIRECT, Reason.DIRECT)),
    (
        "card alone, direct",
        replace(DIRECT, text="", cards=CARD),
        OPEN,
        Dispatch("(sticker)", Rule.DIRECT, Reason.DIRECT),
    ),
    (
        "card beside a request",
        replace(mentioning("x look", US), cards=CARD),
        STRICT,
        Dispatch("look\n(sticker)", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    (
        "card beside a command",
        replace(mentioning("x /sethome", US), cards=CARD),
        STRICT,
        Dispatch("/sethome", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    (
        "card alone, unaddressed",
        replace(SAID, text="", cards=CARD),
        STRICT,
        Observe("(sticker)", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
    (
        "vote, to us",
        replace(SAID, text="", cards=CARD, asks_nothing=True, quote=OUR_QUOTE, answers=True),
        OPEN,
        Observe("(sticker)", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
    (
        "vote, direct",
        replace(DIRECT, text="", cards=CARD, asks_nothing=True),
        OPEN,
        Ignore(Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
    (
        "vote, group not allowed",
        replace(SAID, text="", cards=CARD, asks_nothing=True),
        Policy(),
        Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED),
    ),
    ("server", replace(SAID, origin=Origin.SERVER), OPEN, Ignore(Rule.AUTOMATED, Reason.SYSTEM)),
    (
        "server, observed",
        replace(mentioning("x /restart", US), origin=Origin.SERVER),
        replace(OPEN, observe_server=True),
        Observe("@Hermes /restart", Rule.AUTOMATED, Reason.SYSTEM),
    ),
    ("program", replace(SAID, origin=Origin.PROGRAM), OPEN, Observe("hello", Rule.AUTOMATED, Reason.BOT)),
    (
        "program mentioning us",
        replace(mentioning("x /restart", US), origin=Origin.PROGRAM),
        OPEN,
        Observe("@Hermes /restart", Rule.AUTOMATED, Reason.BOT),
    ),
    ("group not allowed", mentioning("x hi", US), Policy(), Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)),
    (
        "barred",
        mentioning("x hi", US),
        replace(OPEN, every_chat=True, barred=frozenset({"g"})),
        Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED),
    ),
    ("every group", SAID, Policy(every_chat=True), Dispatch("hello", Rule.NO_MENTION_REQUIRED, Reason.FREE)),
    ("direct", DIRECT, Policy(), Dispatch("hello", Rule.DIRECT, Reason.DIRECT)),
    ("direct command", replace(DIRECT, text="\u200b /new"), STRICT, Dispatch("/new", Rule.DIRECT, Reason.DIRECT)),
    (
        "mentions Bob",
        mentioning("x look", BOB),
        OPEN,
        Observe("@Bob look", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    (
        "quotes Bob",
        replace(SAID, quote=BOBS_QUOTE),
        OPEN,
        Observe("hello", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    (
        "quotes Bob, id like one of ours",
        replace(SAID, quote=replace(BOBS_QUOTE, message_id="1000")),
        OPEN,
        Observe("hello", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    (
        "command to Bob",
        replace(SAID, text="/start", quote=BOBS_QUOTE),
        OPEN,
        Observe("/start", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    (
        "voice to Bob",
        replace(SAID, text="", attachments=VOICE, quote=BOBS_QUOTE),
        VOICES,
        Observe("", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    ("mentions us", mentioning("x hi", US), STRICT, Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED)),
    (
        "mentions us and Bob",
        mentioning("x x hi", US, replace(BOB, span=(2, 3))),
        STRICT,
        Dispatch("@Bob hi", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    (
        "mentions us, quotes Bob",
        replace(mentioning("x hi", US), quote=BOBS_QUOTE),
        STRICT,
        Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    (
        "mention of us out of range",
        mentioning("hi", replace(US, span=None)),
        STRICT,
        Dispatch("hi", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    ("quotes us", replace(SAID, quote=OUR_QUOTE), STRICT, Dispatch("hello", Rule.ADDRESSED, Reason.REPLY)),
    ("in our thread", replace(SAID, in_our_thread=True), STRICT, Dispatch("hello", Rule.ADDRESSED, Reason.REPLY)),
    (
        "in our thread, to Bob",
        replace(mentioning("x hi", BOB), in_our_thread=True),
        STRICT,
        Observe("@Bob hi", Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE),
    ),
    ("to everybody", replace(SAID, broadcast=True), STRICT, Observe("hello", Rule.UNADDRESSED, Reason.UNADDRESSED)),
    (
        "to everybody, as asked for",
        replace(SAID, broadcast=True),
        replace(STRICT, broadcast_addresses=True),
        Dispatch("hello", Rule.ADDRESSED, Reason.BROADCAST),
    ),
    ("command", replace(SAID, text=" /status"), STRICT, Dispatch("/status", Rule.SELF_EVIDENT, Reason.COMMAND)),
    ("voice memo", replace(SAID, text="", attachments=VOICE), VOICES, Dispatch("", Rule.SELF_EVIDENT, Reason.VOICE)),
    (
        "voice memo, blank",
        replace(SAID, text=" \n", attachments=IMAGE + VOICE),
        VOICES,
        Dispatch(" \n", Rule.SELF_EVIDENT, Reason.VOICE),
    ),
    (
        "audio where it is a file",
        replace(SAID, text="", attachments=VOICE),
        STRICT,
        Observe("", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
    (
        "audio with a text",
        replace(SAID, attachments=VOICE),
        VOICES,
        Observe("hello", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
    (
        "audio with a mention of us",
        replace(mentioning("x hear", US), attachments=VOICE),
        STRICT,
        Dispatch("hear", Rule.ADDRESSED, Reason.MENTIONED),
    ),
    (
        "audio with a command",
        replace(SAID, text="/status", attachments=VOICE),
        VOICES,
        Dispatch("/status", Rule.SELF_EVIDENT, Reason.COMMAND),
    ),
    ("image", replace(SAID, text="", attachments=IMAGE), STRICT, Observe("", Rule.UNADDRESSED, Reason.UNADDRESSED)),
    ("free", SAID, OPEN, Dispatch("hello", Rule.NO_MENTION_REQUIRED, Reason.FREE)),
    (
        "free chat",
        SAID,
        replace(STRICT, free_chats=frozenset({"g"})),
        Dispatch("hello", Rule.NO_MENTION_REQUIRED, Reason.FREE),
    ),
    ("unaddressed", SAID, STRICT, Observe("hello", Rule.UNADDRESSED, Reason.UNADDRESSED)),
    (
        "own number as plain text",
        replace(SAID, text="+15550001111 hi"),
        STRICT,
        Observe("+15550001111 hi", Rule.UNADDRESSED, Reason.UNADDRESSED),
    ),
]


@pytest.mark.parametrize(("inbound", "policy", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rule(inbound: Inbound, policy: Policy, expected: Decision) -> None:
    assert decide(inbound, ME, policy, authority=Authority.ALLOWED) == expected


@pytest.mark.parametrize(
    ("inbound", "bots", "dispatched"),
    [
        (mentioning("x hi", US), "none", False),
        (mentioning("x hi", US), "mentions", True),
        (SAID, "mentions", False),
        (SAID, "all", True),
        (mentioning("x /restart", US), "mentions", False),
        (mentioning("x /restart", US), "all", False),
        (replace(SAID, text="/restart"), "all", False),
        (mentioning("x hi", BOB), "all", False),
        (replace(DIRECT, text="hi"), "mentions", False),
        (replace(DIRECT, text="hi"), "all", False),
        (replace(DIRECT, text="hi"), "none", False),
        (replace(DIRECT, text="/restart"), "all", False),
    ],
)
def test_programs_are_heard_as_the_operator_wants_and_never_command(
    inbound: Inbound, bots: Literal["none", "mentions", "all"], dispatched: bool
) -> None:
    program = replace(inbound, origin=Origin.PROGRAM)
    decision = decide(program, ME, replace(OPEN, bots=bots), authority=Authority.ALLOWED)
    assert isinstance(decision, Dispatch) is dispatched
    if inbound.chat.is_group:
        assert not isinstance(decide(program, ME, replace(OPEN, bots=bots), authority=Authority.STRANGER), Dispatch)


@pytest.mark.parametrize(("inbound", "policy", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_in_a_group_nobody_who_is_not_allowed_is_dispatched(
    inbound: Inbound, policy: Policy, expected: Decision
) -> None:
    decision = decide(inbound, ME, policy, authority=Authority.STRANGER)
    if inbound.chat.is_group:
        assert not isinstance(decision, Dispatch)
    else:
        assert decision == expected


def test_audio_alone_is_a_request_on_signal_only() -> None:
    signal = SignalSettings.load({"http_url": "http://127.0.0.1:1", "account": "+15550001111"}, {}).policy()
    mattermost = MattermostSettings.load({"url": "https://chat.example", "token": "t"}, {}).policy()
    memo = replace(SAID, text="", attachments=VOICE)
    for policy, audio in (
        (signal, Dispatch("", Rule.SELF_EVIDENT, Reason.VOICE)),
        (mattermost, Observe("", Rule.UNADDRESSED, Reason.UNADDRESSED)),
    ):
        strict = replace(policy, chats=frozenset({"g"}), require_mention=True)
        assert decide(memo, ME, strict, authority=Authority.ALLOWED) == audio
        assert decide(replace(memo, mentions=(US,)), ME, strict, authority=Authority.ALLOWED).rule is Rule.ADDRESSED
        assert (
            decide(replace(SAID, attachments=VOICE), ME, strict, authority=Authority.ALLOWED).rule is Rule.UNADDRESSED
        )


def test_with_the_own_identity_unknown_nothing_ambiguous_is_dispatched() -> None:
    unsure = Me(None, "+15550001111")
    for inbound in (mentioning("x hi", BOB), replace(SAID, quote=BOBS_QUOTE)):
        decision = decide(inbound, unsure, OPEN, authority=Authority.ALLOWED)
        assert isinstance(decision, Observe)
        assert decision.reason is Reason.IDENTITY_UNKNOWN
    elsewhere = mentioning("x hi", Mention(Address("bob", "+15550003333"), "Bob", (0, 1)))
    assert decide(elsewhere, unsure, OPEN, authority=Authority.ALLOWED).reason is Reason.ADDRESSED_ELSEWHERE


# -- restrain

MINUTE = 60_000
NOW = 1_795_000_000_000
FRESH = Inbound("k", "1", 5, Chat("c"), Address("alice"), text="go", received_at=NOW)
EDIT = replace(FRESH, edits="1", first_at=NOW - MINUTE)
PAST = Past(NOW, NOW - 7 * 24 * 60 * MINUTE)
OTHER, SAME = (Version(digest(replace(FRESH, text=text)), NOW - MINUTE) for text in ("og", "go"))
ONCE, AGAIN = Policy(answers_edits=False), Policy(answers_edits=True)
GO, COMMAND = Dispatch("go", Rule.ADDRESSED, Reason.MENTIONED), Dispatch("/go", Rule.ADDRESSED, Reason.MENTIONED)


@pytest.mark.parametrize(
    ("decision", "inbound", "past", "rules", "reason"),
    [
        (GO, FRESH, PAST, ONCE, None),
        (COMMAND, FRESH, PAST, ONCE, None),
        (GO, replace(FRESH, sent_at=NOW, received_at=None), PAST, ONCE, None),
        # No younger than what the ledger may have forgotten.
        (GO, replace(FRESH, received_at=PAST.horizon + 1), PAST, ONCE, None),
        (GO, replace(FRESH, received_at=PAST.horizon), PAST, ONCE, Reason.STALE),
        (GO, replace(FRESH, sent_at=PAST.horizon, received_at=None), PAST, ONCE, Reason.STALE),
        # Missed.
        (GO, replace(FRESH, received_at=NOW - 15 * MINUTE), replace(PAST, missed=True), ONCE, None),
        (GO, replace(FRESH, received_at=NOW - 15 * MINUTE - 1), replace(PAST, missed=True), ONCE, Reason.STALE),
        (GO, replace(FRESH, received_at=NOW - 15 * MINUTE - 1), PAST, ONCE, None),
        (COMMAND, FRESH, replace(PAST, missed=True), ONCE, Reason.STALE),
        # Programs.
        (GO, replace(FRESH, origin=Origin.PROGRAM), replace(PAST, program_turns=3), ONCE, None),
        (GO, replace(FRESH, origin=Origin.PROGRAM), replace(PAST, program_turns=4), ONCE, Reason.BOT),
        (GO, FRESH, replace(PAST, program_turns=4), ONCE, None),
        # Dispatched before.
        (GO, FRESH, replace(PAST, dispatched=True), ONCE, Reason.EDITED),
        (GO, EDIT, replace(PAST, dispatched=True, earlier=OTHER), ONCE, Reason.EDITED),
        (GO, EDIT, replace(PAST, dispatched=True, earlier=OTHER), AGAIN, None),
        # Edits: the text changed, and both versions are young.
        (GO, EDIT, replace(PAST, earlier=OTHER), ONCE, None),
        (GO, EDIT, PAST, ONCE, None),
        (GO, EDIT, replace(PAST, earlier=SAME), ONCE, Reason.EDITED),
        (GO, EDIT, replace(PAST, earlier=SAME), AGAIN, Reason.EDITED),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE), PAST, ONCE, None),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE - 1), PAST, ONCE, Reason.STALE),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE - 1), replace(PAST, earlier=OTHER), AGAIN, Reason.STALE),
        (GO, EDIT, replace(PAST, earlier=replace(OTHER, at=NOW - 16 * MINUTE)), AGAIN, Reason.STALE),
        (GO, replace(EDIT, received_at=NOW - 16 * MINUTE), replace(PAST, earlier=OTHER), AGAIN, Reason.STALE),
        (GO, replace(EDIT, first_at=None, received_at=None), PAST, AGAIN, Reason.STALE),
        # A command runs once, and only where its message is known not to have run.
        (COMMAND, EDIT, replace(PAST, earlier=OTHER), ONCE, None),
        (COMMAND, EDIT, replace(PAST, earlier=OTHER, dispatched=True), AGAIN, Reason.EDITED),
        (COMMAND, EDIT, PAST, AGAIN, Reason.EDITED),
    ],
)
def test_what_restrains(decision: Dispatch, inbound: Inbound, past: Past, rules: Policy, reason: Reason | None) -> None:
    restrained: Decision = decision if reason is None else Observe(decision.text, Rule.ADDRESSED, reason)
    assert restrain(decision, inbound, past, rules) == restrained
    if reason is not None:
        assert restrain(decision, inbound, past, replace(rules, observe=False)) == Ignore(Rule.ADDRESSED, reason)


@pytest.mark.parametrize(
    "decision",
    [Observe("go", Rule.UNADDRESSED, Reason.UNADDRESSED), Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)],
)
def test_only_a_dispatch_is_restrained(decision: Decision) -> None:
    assert restrain(decision, EDIT, replace(PAST, earlier=SAME, dispatched=True), ONCE) == decision
