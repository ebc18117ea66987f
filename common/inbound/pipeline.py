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
from ..core.events import Address, Decision, Dispatch, Ignore, Inbound, Me, Observe, Origin, Rule, message_key
from ..core.people import NOBODY, Authorization
from ..core.policy import Past, Policy, arrived_at, decide, horizon, restrain
from ..core.versions import Versions
from ..core.wording import Foreign
from ..state.ledger import Ledger
from ..state.trace import Trace
from .delivery import Deliver, Delivery, apply_edit, buffer_of
from .fair_queue import Place
from .observation import Observations
from .workers import ChatWorkers

_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class Message(Generic[_Item]):
    """An item as its source read it. `chat_id` and `chat_type` are the host's, `now` is the server's time (ms)."""

    item: _Item
    inbound: Inbound
    chat_id: str
    chat_type: str
    now: int
    missed: bool = False
    """Fetched afterwards, not received when it was written."""
    unknown_names: tuple[str, ...] = ()
    """Names in the text that may be those of people not known yet."""

    def reading(self, inbound: Inbound) -> Message[_Item]:
        """Return this message with more of it known."""
        return self if inbound is self.inbound else replace(self, inbound=inbound)

    @property
    def buffer(self) -> str:
        """Key of the observation buffer of its conversation."""
        return buffer_of(self.chat_id, self.inbound.chat)


class Source(ABC, Generic[_Item]):
    """A network as the pipeline asks about it. Nothing here raises on what the network sends.

    A source owns the pipeline that it feeds.
    """

    pipeline: Pipeline[_Item]

    @property
    @abstractmethod
    def me(self) -> Me:
        """Who we are, as far as that is known."""

    @abstractmethod
    def policy(self, chat_id: str) -> Policy:
        """Return the operator's wishes, with what is served now, as far as that chat is concerned."""

    @abstractmethod
    def queue(self, item: _Item) -> str:
        """Return the queue an item belongs to: its chat's, by the network's own id."""

    @abstractmethod
    def place(self, item: _Item) -> Place:
        """Return whose item it is and whether it is a request, for a queue that is crowded."""

    @abstractmethod
    async def read(self, item: _Item) -> Message[_Item] | None:
        """Read an item by what is known locally; None if it is no message and has been dealt with."""

    @abstractmethod
    async def invitation(self, message: Message[_Item]) -> str | None:
        """Judge whether somebody's act opens the chat to us; return the outcome if it was such an act."""

    @abstractmethod
    def authorize(self, person: Address, message: Message[_Item]) -> Authorization:
        """Return who a person is to the host in the chat of a message."""

    async def authorize_author(self, message: Message[_Item]) -> Authorization:
        """Return who the author is to the host."""
        return self.authorize(message.inbound.sender, message)

    def wants_look_up(self, message: Message[_Item], authorization: Authorization) -> bool:
        """Looking the author up at the network may change who they are to the host."""
        return False

    async def look_up(self) -> None:
        """Look up the people who are not known yet."""

    async def complete(self, message: Message[_Item], authorization: Authorization) -> Message[_Item]:
        """Fetch what is missing of a message: the rest of its text, the names in it, whose thread it is in."""
        return message

    def dispatch_mark(self, inbound: Inbound) -> str | None:
        """Return the ledger key under which a dispatch is remembered, if new versions have keys of their own."""
        return None

    @abstractmethod
    async def names(self, message: Message[_Item]) -> tuple[Foreign, Foreign]:
        """Return the display names of chat and author, empty where none is known."""

    def handled(self, message: Message[_Item]) -> None:
        """Take note that a message has been handled."""

    async def apply_orders(self) -> None:
        """Apply what the operator ordered in the state file; raises StateError."""

    async def close(self) -> None:
        """Stop all work."""


class Pipeline(Generic[_Item]):
    """Every message of one network, once and in order, from `submit` to `deliver`."""

    def __init__(
        self, source: Source[_Item], ledger: Ledger, trace: Trace, observed: Observations, deliver: Deliver
    ) -> None:
        self._source = source
        self._observed = observed
        self._deliver = deliver
        self._versions = Versions()
        self._looked_up: set[str] = set()
        self._program_turns: Counter[str] = Counter()
        self.ledger = ledger
        self.trace = trace
        self.workers: ChatWorkers[_Item] = ChatWorkers(self.handle, source.place)
        self.unhandled: Counter[str] = Counter()
        """Events that never became a message, by kind."""

    @property
    def me(self) -> Me:
        """Who we are, as far as that is known."""
        return self._source.me

    def submit(self, item: _Item, key: str | None = None) -> None:
        """Queue an item, unless its ledger key was claimed before. Never waits."""
        if key is None or self.is_new(key):
            self.workers.submit(self._source.queue(item), item)

    def is_new(self, key: str) -> bool:
        """Claim a ledger key; False, and counted, if that was done before."""
        if self.ledger.claim(key):
            return True
        self.unhandled["duplicate"] += 1
        return False

    def ignored_early(self, inbound: Inbound) -> bool:
        """Ignore a message of which no more was read than that takes; False if it must be read as a whole."""
        decision = self.at_first_sight(inbound)
        if not isinstance(decision, Ignore):
            return False
        if self.is_new(inbound.key):
            self.ledger.ignore(inbound.key)
            self.trace.decided(inbound, decision)
        return True

    def at_first_sight(self, inbound: Inbound) -> Decision:
        """Decide as if the author had every right: if even that is Ignore, nobody needs to be asked about them."""
        return self._decide(inbound, Authority.ADMIN)

    async def handle(self, item: _Item) -> None:
        """The life of one message."""
        source = self._source
        if (message := await source.read(item)) is None:
            return
        # Before the decision: the chat may be served from this very message on.
        if outcome := await source.invitation(message):
            self.trace.noted(message.inbound, "invitation", outcome)
        if taken_back := message.inbound.deletes:
            self._observed.delete(message.buffer, message_key(message.inbound.sender, taken_back))
        # Before the host is asked: most of what a busy account hears is ignored, and each question reads its lists.
        decision, authorization = self.at_first_sight(message.inbound), NOBODY
        if not _is_final(decision, message.inbound):
            authorization = await source.authorize_author(message)
            if self._defers(message, authorization):
                return
            message = await source.complete(message, authorization)
            # Again: the author's authority counts now, and the text, a thread or our own identity may be known better.
            decision = self._decide(message.inbound, authorization.authority)
        decision = self._restrained(decision, message)
        self.trace.decided(message.inbound, decision)
        if isinstance(decision, Ignore):
            self.ledger.ignore(message.inbound.key)
        elif shown := apply_edit(self._observed, message.inbound, decision, message.buffer):
            delivery = await self._delivery(message, shown, authorization)
            await self._deliver(delivery, partial(self._commit, message.inbound, shown))
        source.handled(message)

    def _decide(self, inbound: Inbound, authority: Authority) -> Decision:
        return decide(inbound, self._source.me, self._source.policy(inbound.chat.id), authority=authority)

    def _defers(self, message: Message[_Item], authorization: Authorization) -> bool:
        """Let a message wait, once, for a look-up of its author; everybody else's go on meanwhile."""
        key = message.inbound.key
        if key in self._looked_up or not self._source.wants_look_up(message, authorization):
            self._looked_up.discard(key)
            return False
        self._looked_up.add(key)
        self.workers.defer(self._source.queue(message.item), message.item, self._source.look_up())
        return True

    def _restrained(self, decision: Decision, message: Message[_Item]) -> Decision:
        """Apply the second set of rules, and make this message part of the past that they look at."""
        inbound, chat_id = message.inbound, message.chat_id
        if inbound.origin is Origin.PERSON:
            del self._program_turns[chat_id]
        elif inbound.origin is Origin.PROGRAM and isinstance(decision, Dispatch):
            self._program_turns[chat_id] += 1
        mark, earlier = self._source.dispatch_mark(inbound), self._versions.before(inbound)
        past = Past(
            message.now,
            horizon(message.now, self.ledger.horizon),
            missed=message.missed,
            earlier=earlier,
            dispatched=self.ledger.knows(mark) if mark else earlier is not None and earlier.dispatched,
            program_turns=self._program_turns[chat_id],
        )
        decision = restrain(decision, inbound, past, self._source.policy(inbound.chat.id))
        if mark and isinstance(decision, Dispatch):
            self.ledger.claim(mark)
        self._versions.record(inbound, decision)
        return decision

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
            # Part of the session's key: the talk of programs stays out of every person's session.
            "program" if inbound.origin is Origin.PROGRAM else message.chat_type,
            chat_name,
            author,
            quote_is_ours=is_ours,
            quote_is_trusted=is_ours
            or (quote is not None and self._source.authorize(quote.author, message).rights.turn),
        )

    async def _commit(self, inbound: Inbound, decision: Dispatch | Observe) -> None:
        """Put a message into the ledger; an observed one soon, because a crash loses its text as well."""
        if isinstance(decision, Observe):
            await self.ledger.note(inbound.key, sent_at=arrived_at(inbound))
            return
        mark = self._source.dispatch_mark(inbound)
        await self.ledger.commit(inbound.key, *([mark] if mark else []), sent_at=arrived_at(inbound))


def _is_final(decision: Decision, inbound: Inbound) -> bool:
    """Nothing that could be asked turns the decision into more. An unaddressed message may be in a thread of ours."""
    return isinstance(decision, Ignore) and not (decision.rule is Rule.UNADDRESSED and inbound.chat.thread)
