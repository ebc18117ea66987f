"""The life of a message, the same for every network. A network supplies a `Source`.

link -> Source.receive -> Pipeline.submit -> one worker a chat -> Pipeline.handle -> deliver
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

from ..core.authority import Authority
from ..core.bounded import Bounded
from ..core.events import Address, Decision, Dispatch, Ignore, Inbound, Me, Observe, Origin, Reason, Rule
from ..core.people import NOBODY, Authorization
from ..core.policy import Past, Policy, arrived_at, decide, horizon, restrain
from ..core.versions import Versions, is_change
from ..core.wording import Foreign
from ..state.ledger import Ledger
from ..state.trace import Trace
from .delivery import (
    Awaits,
    Change,
    Deliver,
    Delivery,
    React,
    Reacted,
    Report,
    TakeBack,
    apply_edit,
    buffer_of,
)
from .fair_queue import Place
from .observation import Observations
from .workers import ChatWorkers

KEEP_LOOKED_UP = 10_000
"""Messages that waited for a lookup; those shed meanwhile never come back to be taken out."""
KEEP_CHATS = 5_000
KEEP_DELETED = 2_000

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Message(Generic[_Item]):
    """An item that its source has read. `chat_id` and `chat_type` are the host's, `now` is the server's time (ms)."""

    item: _Item
    inbound: Inbound
    chat_id: str
    chat_type: str
    now: int
    missed: bool = False
    """True if the message was fetched after an interruption, not received when it was written."""
    unknown_names: tuple[str, ...] = ()
    """Names in the text that may belong to people not known yet."""

    def reading(self, inbound: Inbound) -> Message[_Item]:
        """Return this message with another reading of its content."""
        return self if inbound is self.inbound else replace(self, inbound=inbound)

    @property
    def buffer(self) -> str:
        """The key of the observation buffer of its conversation."""
        return buffer_of(self.chat_id, self.inbound.chat)


class Source(ABC, Generic[_Item]):
    """The network's part of the pipeline. No method raises because of what the network sends.

    A source owns the pipeline that it feeds.
    """

    pipeline: Pipeline[_Item]

    @property
    @abstractmethod
    def me(self) -> Me:
        """The bot's own identity, as far as it is known."""

    @abstractmethod
    def policy(self, chat_id: str) -> Policy:
        """Return the policy for a chat: the settings with the approvals of the run time."""

    @abstractmethod
    def queue(self, item: _Item) -> str:
        """Return the key of an item's queue: the network's own id of its chat."""

    @abstractmethod
    def place(self, item: _Item) -> Place:
        """Return an item's author and kind, for a queue that is crowded."""

    @abstractmethod
    async def read(self, item: _Item) -> Message[_Item] | None:
        """Read an item with local knowledge alone; None if it is no message and has been dealt with."""

    @abstractmethod
    async def invitation(self, message: Message[_Item]) -> str | None:
        """Return the outcome if the message is an act that may open the chat to us, an invitation for example."""

    @abstractmethod
    def authorize(self, person: Address, message: Message[_Item]) -> Authorization:
        """Return a person's authorization by the host in the chat of a message."""

    async def authorize_author(self, message: Message[_Item]) -> Authorization:
        """Return the author's authorization by the host."""
        return self.authorize(message.inbound.sender, message)

    def wants_look_up(self, message: Message[_Item], authorization: Authorization) -> bool:
        """Return True if a lookup of the author at the network may change their authorization."""
        return False

    async def look_up(self) -> None:
        """Look up the people who are not known yet."""

    async def complete(self, message: Message[_Item], authorization: Authorization) -> Message[_Item]:
        """Fetch the missing parts of a message: the rest of its text, the names in it, the author of its thread."""
        return message

    def dispatch_mark(self, inbound: Inbound) -> str | None:
        """Return the ledger key that records a dispatch, on a network where each version has a key of its own."""
        return None

    @abstractmethod
    async def names(self, message: Message[_Item]) -> tuple[Foreign, Foreign]:
        """Return the display names of chat and author, empty if unknown."""

    def handled(self, message: Message[_Item]) -> None:
        """Record that a message has been handled."""

    @abstractmethod
    async def apply_orders(self) -> None:
        """Apply the orders that the operator gave in the state file. Raises StateError."""

    @abstractmethod
    async def close(self) -> None:
        """Stop all work."""


class Pipeline(Generic[_Item]):
    """Takes every message of one network from `submit` to `deliver`, once and in order within its chat."""

    def __init__(
        self,
        source: Source[_Item],
        ledger: Ledger,
        trace: Trace,
        observed: Observations,
        deliver: Deliver,
        report: Report,
        react: React | None = None,
        awaits: Awaits | None = None,
        take_back: TakeBack | None = None,
    ) -> None:
        self._source = source
        self._observed = observed
        self._deliver = deliver
        self._report = report
        self._react = react
        self._awaits = awaits or (lambda *_: frozenset())
        self._take_back = take_back
        self._deleted: Bounded[str, None] = Bounded(KEEP_DELETED)
        """The keys of messages that were deleted while something waited in their chats."""
        self._versions = Versions()
        self._looked_up: Bounded[str, None] = Bounded(KEEP_LOOKED_UP)
        self._program_turns: Bounded[str, int] = Bounded(KEEP_CHATS)
        self.ledger = ledger
        self.trace = trace
        self.workers: ChatWorkers[_Item] = ChatWorkers(self.handle, source.place)
        self.unhandled: Counter[str] = Counter()
        """Counts of the events that never became a message, by kind."""

    @property
    def me(self) -> Me:
        """The bot's own identity, as far as it is known."""
        return self._source.me

    def submit(self, item: _Item, key: str | None = None) -> None:
        """Queue an item, unless its ledger key was claimed before. Never waits."""
        # Claimed here, not in the worker: a second stream may bring the same message while the first copy waits.
        if key is None or self.is_new(key):
            self.workers.submit(self._source.queue(item), item)

    def deleted(self, chat: str, key: str) -> None:
        """Drop a message, by its `message_key`, that waits in the queue of a chat or is being handled."""
        if self.workers.busy(chat):
            self._deleted.put(key, None)

    def is_new(self, key: str) -> bool:
        """Claim a ledger key and return True; count a duplicate and return False if it was claimed before."""
        if self.ledger.claim(key):
            return True
        self.unhandled["duplicate"] += 1
        return False

    def ignored_early(self, inbound: Inbound) -> bool:
        """Ignore a partly read message if that is certain already; return False if it must be read as a whole."""
        decision = self.decide_optimistically(inbound)
        if not isinstance(decision, Ignore):
            return False
        if self.is_new(inbound.key):
            self.ledger.ignore(inbound.key)
            self.trace.decided(inbound, decision)
        return True

    def decide_optimistically(self, inbound: Inbound) -> Decision:
        """Decide as if the author had every right: an Ignore is then final for every author."""
        return self._decide(inbound, Authority.ADMIN)

    async def handle(self, item: _Item) -> None:
        """Carry one message through all steps, from its reading to its delivery."""
        source = self._source
        if (message := await source.read(item)) is None:
            return
        # Before the decision: the chat may be served from this very message on.
        if outcome := await source.invitation(message):
            self.trace.noted(message.inbound, "invitation", outcome)
        if deleted := message.inbound.deleted_key:
            self._observed.delete(message.buffer, deleted)
            if self._take_back is not None:
                self._take_back(deleted)
        if self._is_reaction_to_us(message.inbound) and await self._reacted(message):
            return
        # Before the host is asked: a busy account ignores most messages, and each question reads the host's lists.
        decision, authorization = self.decide_optimistically(message.inbound), NOBODY
        asked = self._asked(decision, message)
        if not _is_final(decision, message.inbound, asked):
            authorization = await source.authorize_author(message)
            if self._defers(message, authorization):
                return
            message = await source.complete(message, authorization)
            if authorization.user_id in asked:
                message = message.reading(replace(message.inbound, answers=True))
            # Again: the author's authority counts now, and the text, a thread or our own identity may be known better.
            decision = self._decide(message.inbound, authorization.authority)
        if self._is_deleted(message.inbound):
            decision = Ignore(Rule.CONTENTLESS, Reason.DELETED)
        # Before the next step, which records this version.
        await self._report_change(message)
        decision = self._restrained(decision, message)
        self.trace.decided(message.inbound, decision)
        if isinstance(decision, Ignore):
            self.ledger.ignore(message.inbound.key)
        elif shown := apply_edit(self._observed, message.inbound, decision, message.buffer):
            delivery = await self._delivery(message, shown, authorization)
            await self._deliver(delivery, partial(self._commit, message.inbound, shown))
        # Last: the catch-up cursor must not pass a message that was not delivered.
        source.handled(message)

    def _asked(self, decision: Decision, message: Message[_Item]) -> frozenset[str]:
        """Return those whose answer a message would be that is not dispatched anyway."""
        if isinstance(decision, Dispatch):
            return frozenset()
        return self._awaits(message.chat_id, message.inbound.text)

    def _is_reaction_to_us(self, inbound: Inbound) -> bool:
        """Return True for a person's reaction to a message of ours in a chat that is served."""
        if self._react is None or inbound.reaction is None or inbound.origin is not Origin.PERSON:
            return False
        return self.me.wrote(inbound.reaction) and self._serves(inbound)

    async def _reacted(self, message: Message[_Item]) -> bool:
        """Report a reaction to a message of ours, and deliver the request that it may be.

        False if it is no request, and still to be decided.
        """
        inbound = message.inbound
        authorization = await self._source.authorize_author(message)
        if self._defers(message, authorization):
            return True
        if self._react is None or inbound.reaction is None:
            return False
        _, author = await self._source.names(message)
        reacted = Reacted(inbound, inbound.reaction, authorization, message.chat_id, message.chat_type, author)
        if (request := await self._react(reacted)) is None:
            return False
        decision: Decision = Dispatch(request, Rule.ADDRESSED, Reason.REACTION)
        past = Past(message.now, horizon(message.now, self.ledger.horizon))
        decision = restrain(decision, inbound, past, self._source.policy(inbound.chat.id))
        if not isinstance(decision, Dispatch):
            return False
        self.trace.noted(inbound, "dispatch", decision.reason)
        delivery = await self._delivery(message, decision, authorization)
        await self._deliver(delivery, partial(self._commit, inbound, decision))
        return True

    def _serves(self, inbound: Inbound) -> bool:
        return not inbound.chat.is_group or self._source.policy(inbound.chat.id).serves(inbound.chat.id)

    async def _report_change(self, message: Message[_Item]) -> None:
        """Report an edit or a deletion in a chat that is served, if the host accepts its author."""
        inbound = message.inbound
        if not is_change(inbound, self._versions.before(inbound)):
            return
        if not self._serves(inbound):
            return
        author = self._source.authorize(inbound.sender, message)
        if author.allowed:
            await self._report(Change(inbound, author.user_id, message.chat_id, message.chat_type))

    def _decide(self, inbound: Inbound, authority: Authority) -> Decision:
        return decide(inbound, self._source.me, self._source.policy(inbound.chat.id), authority=authority)

    def _defers(self, message: Message[_Item], authorization: Authorization) -> bool:
        """Let a message wait for a lookup of its author, while other people's messages go on; False if it need not."""
        key = message.inbound.key
        if key in self._looked_up or not self._source.wants_look_up(message, authorization):
            # Once per message: an author who stays unknown must not defer it for ever.
            self._looked_up.pop(key, None)
            return False
        self._looked_up.put(key, None)
        self.workers.defer(self._source.queue(message.item), message.item, self._source.look_up())
        return True

    def _restrained(self, decision: Decision, message: Message[_Item]) -> Decision:
        """Apply `restrain`, and record this message for the decisions about later ones."""
        inbound, chat_id = message.inbound, message.chat_id
        # Before `restrain`: the post that is judged counts as one of the row.
        if inbound.origin is Origin.PERSON:
            self._program_turns.pop(chat_id, None)
        elif inbound.origin is Origin.PROGRAM and isinstance(decision, Dispatch):
            self._program_turns.put(chat_id, self._program_turns.get(chat_id, 0) + 1)
        if isinstance(decision, Dispatch):
            decision = restrain(decision, inbound, self._past(message), self._source.policy(inbound.chat.id))
        if isinstance(decision, Dispatch) and (mark := self._source.dispatch_mark(inbound)):
            # Claimed at once. It reaches the disk with the message's own key, in `_commit`.
            self.ledger.claim(mark)
        self._versions.record(inbound, decision)
        return decision

    def _past(self, message: Message[_Item]) -> Past:
        mark, earlier = self._source.dispatch_mark(message.inbound), self._versions.before(message.inbound)
        return Past(
            message.now,
            horizon(message.now, self.ledger.horizon),
            missed=message.missed,
            earlier=earlier,
            dispatched=self.ledger.knows(mark) if mark else earlier is not None and earlier.dispatched,
            program_turns=self._program_turns.get(message.chat_id, 0),
        )

    async def _delivery(
        self, message: Message[_Item], decision: Dispatch | Observe, authorization: Authorization
    ) -> Delivery:
        inbound, quote = message.inbound, message.inbound.quote
        chat_name, author = await self._source.names(message)
        is_ours = quote is not None and self._source.me.recognises(quote.author) is True
        return Delivery(
            inbound,
            decision,
            authorization,
            message.chat_id,
            # The chat type is part of the host's session key: programs get a session apart from every person's.
            "program" if inbound.origin is Origin.PROGRAM else message.chat_type,
            chat_name,
            author,
            quote_is_ours=is_ours,
            quote_is_trusted=is_ours
            or (quote is not None and self._source.authorize(quote.author, message).rights.turn),
        )

    async def _commit(self, inbound: Inbound, decision: Dispatch | Observe) -> bool:
        """Put a message into the ledger: a dispatched one before this returns, an observed one soon.

        Return False if it was deleted meanwhile, while its files were fetched for example.
        """
        if isinstance(decision, Observe):
            await self.ledger.note(inbound.key, sent_at=arrived_at(inbound))
        else:
            # The message of a reaction is ours.
            mark = None if inbound.reaction else self._source.dispatch_mark(inbound)
            await self.ledger.commit(inbound.key, *([mark] if mark else []), sent_at=arrived_at(inbound))
        return not self._is_deleted(inbound)

    def _is_deleted(self, inbound: Inbound) -> bool:
        return not inbound.deletes and any(key in self._deleted for key in inbound.message_keys)


def _is_final(decision: Decision, inbound: Inbound, asked: frozenset[str]) -> bool:
    """Return True for an Ignore that no question can change.

    An unaddressed message may be in a thread of ours, or an answer of one of those who are asked.
    """
    return isinstance(decision, Ignore) and not (
        decision.rule is Rule.UNADDRESSED and bool(inbound.chat.thread or asked)
    )
