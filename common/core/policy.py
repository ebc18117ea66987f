"""The decision: what becomes of a message. Pure; both networks go through this one function."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from . import mentions as text_of
from .authority import RIGHTS, Authority
from .events import Decision, Dispatch, Ignore, Inbound, Me, Observe, Origin, Quote, Reason


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """What the operator wants in groups.

    `chats` holds the ids of the groups and channels the bot serves, from the settings and from invitations.
    """

    chats: frozenset[str] = frozenset()
    every_chat: bool = False
    barred: frozenset[str] = frozenset()
    """Chats not served whatever else is said of them."""
    require_mention: bool = False
    free_chats: frozenset[str] = frozenset()
    observe: bool = True
    observe_server: bool = False
    aliases: tuple[str, ...] = ()
    broadcast_addresses: bool = False
    """Whether a mention of everybody is one of us."""
    voice_addresses: bool = False
    """Whether audio without a text is a request: where nobody can mention anyone in a voice memo."""
    bots: Literal["none", "mentions", "all"] = "none"
    """Which posts of programs are dispatched: none, those that address us, or like a person's."""

    def with_chats(self, approved: frozenset[str], *, barred: frozenset[str]) -> Policy:
        """The same with chats approved and barred at run time."""
        return _with_chats(self, approved, barred)

    def serves(self, chat_id: str) -> bool:
        return chat_id not in self.barred and (self.every_chat or chat_id in self.chats)

    def demands_mention(self, chat_id: str) -> bool:
        return self.require_mention and chat_id not in self.free_chats


@lru_cache(maxsize=8)
def _with_chats(policy: Policy, approved: frozenset[str], barred: frozenset[str]) -> Policy:
    return replace(policy, chats=policy.chats | approved, barred=barred)


def decide(inbound: Inbound, me: Me, policy: Policy, *, authority: Authority) -> Decision:
    """The first rule that bites returns. `authority` is the sender's in this chat.

    1. our own message or its echo: Ignore. The owner's note to self is a direct message (5); what he typed in a
       group on another device is observed, dispatched only behind an alias.
    2. nothing to read: Ignore.
    3. written by the server: Ignore, or Observe where wanted; by a program: Observe, never Dispatch, unless the
       operator allows programs. Even then it is no command, and no direct message.
    4. a group that is not served: Ignore.
    5. direct message: Dispatch; the host's own authorization and pairing judge it.
    6. mentions or quotes somebody else and not us: Observe. While we do not know who we are, whatever might be
       meant for us or for another is observed as well.
    7. mentions us, replies to us, or is said in a thread of ours: Dispatch.
    8. a slash command; where it cannot mention anyone, also audio without a text: Dispatch.
    9. no mention required here: Dispatch.
    10. the rest: Observe.

    In a group a Dispatch needs a sender who may have a turn (`RIGHTS`), or a program that the operator lets speak;
    anyone else's becomes Observe. Where observation is off, and outside groups, Observe becomes Ignore.
    """
    origin, in_group = inbound.origin, inbound.chat.is_group
    if origin is Origin.SELF:
        return Ignore(1, Reason.OWN)
    if origin is Origin.OWN_DEVICE and (inbound.message_id in me.sent or not (in_group or inbound.to_self)):
        return Ignore(1, Reason.OWN)
    if inbound.contentless or not (inbound.text.strip() or inbound.attachments):
        return Ignore(2, Reason.CONTENTLESS)
    if origin is Origin.SERVER and not policy.observe_server:
        return Ignore(3, Reason.SYSTEM)
    if in_group and not policy.serves(inbound.chat.id):
        return Ignore(4, Reason.CHAT_NOT_ALLOWED)
    if origin is Origin.SERVER:
        return _observe(inbound, policy, 3, Reason.SYSTEM)
    if origin is Origin.PROGRAM and (policy.bots == "none" or not in_group):
        return _observe(inbound, policy, 3, Reason.BOT)
    decision = _decide_in_group(inbound, me, policy) if in_group else _direct(inbound, me)
    if isinstance(decision, Dispatch):
        if origin is Origin.PROGRAM and not _heard(decision, policy):
            return _observe(inbound, policy, 3, Reason.BOT)
        if in_group and not (RIGHTS[authority].turn or authority is Authority.PROGRAM):
            return _observe(inbound, policy, decision.rule, Reason.UNVERIFIED)
    return decision


def _direct(inbound: Inbound, me: Me) -> Decision:
    return Dispatch(text_of.addressed(inbound.text, inbound.mentions, me), 5, Reason.DIRECT)


def _heard(decision: Dispatch, policy: Policy) -> bool:
    """Whether the operator lets a program say this: never a command, and unaddressed only where all are heard."""
    return not text_of.starts_command(decision.text) and (decision.rule == 7 or policy.bots == "all")


def _decide_in_group(inbound: Inbound, me: Me, policy: Policy) -> Decision:
    if inbound.origin is Origin.OWN_DEVICE:
        request = text_of.without_alias(inbound.text, policy.aliases)
        if request is None:
            return _observe(inbound, policy, 1, Reason.OWN_DEVICE)
        return Dispatch(request, 1, Reason.OWN_DEVICE)

    mentioned = {me.recognises(mention.address) for mention in inbound.mentions}
    replies = _replies_to_us(inbound.quote, me)
    broadcast = inbound.broadcast and policy.broadcast_addresses
    if not (True in mentioned or replies or broadcast):
        if None in mentioned or replies is None:
            return _observe(inbound, policy, 6, Reason.IDENTITY_UNKNOWN)
        if mentioned or inbound.quote is not None:
            return _observe(inbound, policy, 6, Reason.ADDRESSED_ELSEWHERE)

    rule, reason = _request(inbound, policy, mentioned=True in mentioned, broadcast=broadcast, replies=replies is True)
    if rule == 10:
        return _observe(inbound, policy, rule, reason)
    return Dispatch(text_of.addressed(inbound.text, inbound.mentions, me), rule, reason)


def _request(
    inbound: Inbound, policy: Policy, *, mentioned: bool, broadcast: bool, replies: bool
) -> tuple[int, Reason]:
    """Rules 7 to 10: what makes it a request to us."""
    if mentioned:
        return 7, Reason.MENTIONED
    if broadcast:
        return 7, Reason.BROADCAST
    if replies or inbound.in_our_thread:
        return 7, Reason.REPLY
    if text_of.starts_command(inbound.text):
        return 8, Reason.COMMAND
    if policy.voice_addresses and _is_voice(inbound):
        return 8, Reason.VOICE
    if not policy.demands_mention(inbound.chat.id):
        return 9, Reason.FREE
    return 10, Reason.UNADDRESSED


def _is_voice(inbound: Inbound) -> bool:
    return not inbound.text.strip() and any(attachment.is_audio for attachment in inbound.attachments)


def _replies_to_us(quote: Quote | None, me: Me) -> bool | None:
    if quote is None:
        return False
    author_is_us = me.recognises(quote.author)
    return True if author_is_us is None and quote.message_id in me.sent else author_is_us


def _observe(inbound: Inbound, policy: Policy, rule: int, reason: Reason) -> Observe | Ignore:
    if not (policy.observe and inbound.chat.is_group):
        return Ignore(rule, reason)
    return Observe(text_of.readable(inbound.text, inbound.mentions), rule, reason)
