"""The rules that decide about a message. Pure; every network uses these two functions.

`decide` judges the message by itself. `restrain` then turns a Dispatch into less when the message is old, was answered
before, or when programs talk to each other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from . import mentions as text_of
from .authority import RIGHTS, Authority
from .events import Decision, Dispatch, Ignore, Inbound, Me, Observe, Origin, Quote, Reason, Rule
from .versions import Version, digest

EDIT_MILLISECONDS = 15 * 60 * 1000
"""The greatest age of a message, and of its new version, at which the new version is dispatched."""
PROGRAM_TURNS = 3
"""The most posts of programs dispatched in a row in one chat; then a person has to speak."""
_HORIZON_MILLISECONDS = 7 * 24 * 3600 * 1000


# eq=False: `_with_chats` looks a policy up for every message, and hashing it by identity costs nothing.
@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """The operator's settings for decisions. `chats` holds the ids of the groups and channels served."""

    chats: frozenset[str] = frozenset()
    every_chat: bool = False
    barred: frozenset[str] = frozenset()
    """Chats that are not served even if `chats` or `every_chat` include them."""
    require_mention: bool = False
    free_chats: frozenset[str] = frozenset()
    observe: bool = True
    observe_server: bool = False
    aliases: tuple[str, ...] = ()
    broadcast_addresses: bool = False
    """True if a mention of everybody addresses us."""
    voice_addresses: bool = False
    """True where audio without a text is a request, because a voice memo cannot mention anyone."""
    bots: Literal["none", "mentions", "all"] = "none"
    """The posts of programs that are dispatched: none, those that address us, or the same as a person's."""
    answers_edits: bool = True
    """True if a new version of a request is a request of its own; otherwise it is background."""
    missed_for: int = EDIT_MILLISECONDS
    """The greatest age, in milliseconds, at which a message fetched after an interruption is answered."""

    def with_chats(self, approved: frozenset[str], *, barred: frozenset[str]) -> Policy:
        """Return this policy with chats approved and barred at run time."""
        return _with_chats(self, approved, barred)

    def serves(self, chat_id: str) -> bool:
        return chat_id not in self.barred and (self.every_chat or chat_id in self.chats)

    def demands_mention(self, chat_id: str) -> bool:
        return self.require_mention and chat_id not in self.free_chats


@lru_cache(maxsize=8)
def _with_chats(policy: Policy, approved: frozenset[str], barred: frozenset[str]) -> Policy:
    return replace(policy, chats=policy.chats | approved, barred=barred)


def decide(inbound: Inbound, me: Me, policy: Policy, *, authority: Authority) -> Decision:
    """Return the verdict of the first rule that applies. `authority` is the sender's in this chat.

    1. our own message or its echo: Ignore. The owner's note to self is a direct message (5); what they typed in a
       group on another device is observed, and dispatched only behind an alias.
    2. nothing to read: Ignore.
    3. written by the server: Ignore, or Observe if the settings say so; by a program: Observe, never Dispatch, unless
       the operator allows programs. Even then it is no command, and no direct message.
    4. a group that is not served: Ignore.
    5. direct message: Dispatch; the host's own authorization and pairing judge it.
    6. mentions or quotes somebody else and not us: Observe. While our own identity is unknown, a message that might be
       meant for us or for another is observed as well.
    7. mentions us, replies to us, belongs to a thread of ours, or is a choice of a question that we asked its author:
       Dispatch.
    8. a slash command; on a network where audio cannot mention anyone, also audio without a text: Dispatch.
    9. no mention required here: Dispatch.
    10. everything else: Observe. A vote in a poll comes here from rule 4.

    In a group a Dispatch needs a sender with the right to a turn (`RIGHTS`), or a program that the operator allows;
    from anybody else it becomes Observe. Where observation is off, and outside groups, Observe becomes Ignore.
    """
    origin, in_group = inbound.origin, inbound.chat.is_group
    if origin is Origin.SELF:
        return Ignore(Rule.OWN, Reason.OWN)
    # A message from an own device may be the echo of one that the bot sent.
    if origin is Origin.OWN_DEVICE and (inbound.message_id in me.sent or not (in_group or inbound.to_self)):
        return Ignore(Rule.OWN, Reason.OWN)
    if inbound.contentless or not (inbound.text.strip() or inbound.attachments or inbound.cards):
        return Ignore(Rule.CONTENTLESS, Reason.CONTENTLESS)
    if origin is Origin.SERVER and not policy.observe_server:
        return Ignore(Rule.AUTOMATED, Reason.SYSTEM)
    # Before the rest of rule 3: from a chat that is not served, nothing is observed either.
    if in_group and not policy.serves(inbound.chat.id):
        return Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED)
    if origin is Origin.SERVER:
        return _observe(inbound, policy, Rule.AUTOMATED, Reason.SYSTEM)
    if origin is Origin.PROGRAM and (policy.bots == "none" or not in_group):
        return _observe(inbound, policy, Rule.AUTOMATED, Reason.BOT)
    if inbound.asks_nothing:
        return _observe(inbound, policy, Rule.UNADDRESSED, Reason.UNADDRESSED)
    decision = _decide_in_group(inbound, me, policy) if in_group else _direct(inbound, me)
    if isinstance(decision, Dispatch):
        if origin is Origin.PROGRAM and not _program_may_dispatch(decision, policy):
            return _observe(inbound, policy, Rule.AUTOMATED, Reason.BOT)
        # The host would refuse them visibly: a reaction, typing, a log line for every message.
        if in_group and not (RIGHTS[authority].turn or authority is Authority.PROGRAM):
            return _observe(inbound, policy, decision.rule, Reason.UNVERIFIED)
    return decision


def _direct(inbound: Inbound, me: Me) -> Decision:
    return _dispatch(text_of.addressed(inbound.text, inbound.mentions, me), inbound, Rule.DIRECT, Reason.DIRECT)


def _dispatch(words: str, inbound: Inbound, rule: Rule, reason: Reason) -> Dispatch:
    return Dispatch(text_of.with_cards(words, inbound.cards), rule, reason, wordless=not words.strip())


def _program_may_dispatch(decision: Dispatch, policy: Policy) -> bool:
    """Return False for a command, and for an unaddressed message unless the settings allow all of programs' posts."""
    return not text_of.starts_command(decision.text) and (decision.rule is Rule.ADDRESSED or policy.bots == "all")


def _decide_in_group(inbound: Inbound, me: Me, policy: Policy) -> Decision:
    if inbound.origin is Origin.OWN_DEVICE:
        request = text_of.without_alias(inbound.text, policy.aliases)
        if request is None:
            return _observe(inbound, policy, Rule.OWN, Reason.OWN_DEVICE)
        return _dispatch(request, inbound, Rule.OWN, Reason.OWN_DEVICE)

    mentioned = {me.recognises(mention.address) for mention in inbound.mentions}
    replies = _replies_to_us(inbound.quote, me)
    broadcast = inbound.broadcast and policy.broadcast_addresses
    if not (True in mentioned or replies or broadcast):
        if None in mentioned or replies is None:
            return _observe(inbound, policy, Rule.ADDRESSED_ELSEWHERE, Reason.IDENTITY_UNKNOWN)
        if mentioned or inbound.quote is not None:
            return _observe(inbound, policy, Rule.ADDRESSED_ELSEWHERE, Reason.ADDRESSED_ELSEWHERE)

    rule, reason = _request(inbound, policy, mentioned=True in mentioned, broadcast=broadcast, replies=replies is True)
    if rule is Rule.UNADDRESSED:
        return _observe(inbound, policy, rule, reason)
    return _dispatch(text_of.addressed(inbound.text, inbound.mentions, me), inbound, rule, reason)


def _request(
    inbound: Inbound, policy: Policy, *, mentioned: bool, broadcast: bool, replies: bool
) -> tuple[Rule, Reason]:
    """Return the first of rules 7 to 10 that applies. Rules 7 to 9 make the message a request to us."""
    if mentioned:
        return Rule.ADDRESSED, Reason.MENTIONED
    if broadcast:
        return Rule.ADDRESSED, Reason.BROADCAST
    if replies or inbound.in_our_thread:
        return Rule.ADDRESSED, Reason.REPLY
    if inbound.answers:
        return Rule.ADDRESSED, Reason.ANSWER
    if text_of.starts_command(inbound.text):
        return Rule.SELF_EVIDENT, Reason.COMMAND
    if policy.voice_addresses and _is_voice(inbound):
        return Rule.SELF_EVIDENT, Reason.VOICE
    if not policy.demands_mention(inbound.chat.id):
        return Rule.NO_MENTION_REQUIRED, Reason.FREE
    return Rule.UNADDRESSED, Reason.UNADDRESSED


def _is_voice(inbound: Inbound) -> bool:
    return not inbound.text.strip() and any(attachment.is_audio for attachment in inbound.attachments)


def _replies_to_us(quote: Quote | None, me: Me) -> bool | None:
    if quote is None:
        return False
    author_is_us = me.recognises(quote.author)
    # Only while our identity is unknown: two people's messages may have the same id on Signal (a timestamp).
    return True if author_is_us is None and quote.message_id in me.sent else author_is_us


def _observe(inbound: Inbound, policy: Policy, rule: Rule, reason: Reason) -> Observe | Ignore:
    if not (policy.observe and inbound.chat.is_group):
        return Ignore(rule, reason)
    return Observe(text_of.said(inbound), rule, reason)


@dataclass(frozen=True, slots=True)
class Past:
    """The circumstances of a decision. Times are milliseconds since the epoch by the server's clock."""

    now: int
    horizon: int
    """The ledger may have forgotten messages up to this time."""
    missed: bool = False
    """True if the message was fetched after an interruption, not received when it was written."""
    earlier: Version | None = None
    """For an edit: the version before it, if it was seen."""
    dispatched: bool = False
    """True if a version of the message was dispatched before."""
    program_turns: int = 0
    """Posts of programs in a row, including this one."""


def restrain(decision: Decision, inbound: Inbound, past: Past, policy: Policy) -> Decision:
    """Return the decision, or Observe (Ignore where observation is off) for a Dispatch that must be held back.

    1. older than the ledger reaches back: it may have been answered and forgotten.
    2. missed during an interruption: a command, or older than the operator's limit.
    3. one post too many of programs that talk to each other.
    4. dispatched before, unless it is a new version and the settings say that those are answered.
    5. an edit: its text must have changed, and message and edit must both be at most 15 minutes old. Pinning or
       reacting to a message makes a version of it, too. A command runs once, and only if the version before is known.
    """
    if not isinstance(decision, Dispatch):
        return decision
    reason = _restraint(decision, inbound, past, policy)
    if reason is None:
        return decision
    if not policy.observe:
        return Ignore(decision.rule, reason)
    return Observe(decision.text, decision.rule, reason)


def _restraint(decision: Dispatch, inbound: Inbound, past: Past, policy: Policy) -> Reason | None:
    is_command = text_of.starts_command(decision.text)
    at = _written_at(inbound, past)
    if at is not None and at <= past.horizon:
        return Reason.STALE
    if past.missed and (is_command or (at is not None and past.now - at > policy.missed_for)):
        return Reason.STALE
    if inbound.origin is Origin.PROGRAM and past.program_turns > PROGRAM_TURNS:
        return Reason.BOT
    if not inbound.edits:
        return Reason.EDITED if past.dispatched else None
    return _restraint_of_edit(inbound, past, policy, is_command=is_command)


def _restraint_of_edit(inbound: Inbound, past: Past, policy: Policy, *, is_command: bool) -> Reason | None:
    earlier = past.earlier
    if past.dispatched and not policy.answers_edits:
        return Reason.EDITED
    # Without the version before, only a message that nobody answered can have changed into a request.
    if earlier.digest == digest(inbound) if earlier else past.dispatched:
        return Reason.EDITED
    if is_command and (earlier is None or past.dispatched):
        return Reason.EDITED
    # A message of unknown age counts as too old.
    for at in (_written_at(inbound, past), inbound.received_at):
        if at is None or past.now - at > EDIT_MILLISECONDS:
            return Reason.STALE
    return None


def _written_at(inbound: Inbound, past: Past) -> int | None:
    """Return the time at which the server received the first version of the message, None if unknown."""
    if inbound.edits is None:
        return arrived_at(inbound)
    # `first_at` rests on the sender's claim on Signal. The earlier time counts, so that no claim makes a message young.
    known = past.earlier.at if past.earlier else None
    return min((at for at in (known, inbound.first_at) if at is not None), default=None)


def horizon(now: int, forgotten: int) -> int:
    """Return the time up to which a message counts as stale. `forgotten` is the latest time of a forgotten message."""
    return max(forgotten, now - _HORIZON_MILLISECONDS)


def arrived_at(inbound: Inbound) -> int:
    """Return the time at which the server received this version; without it, the sender's own time."""
    return inbound.sent_at if inbound.received_at is None else inbound.received_at
