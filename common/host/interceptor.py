"""The last step before the host, for both networks: it keeps observed events and admits the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from ..core.authority import Authority
from ..core.bounded import Bounded
from ..core.events import Dispatch, message_key
from ..core.wording import without_references
from ..inbound.background import Line
from ..inbound.delivery import Delivery
from ..inbound.media import Fetch, describe, fetch_all
from ..inbound.observation import Observations
from ..state.store import Store
from ..tenancy.ephemeral import is_ephemeral
from . import commands, files, questions, sessions
from . import events as host_events
from .asking.asking import Asking
from .contract import table
from .tenancy import session
from .tenancy.commands import answer as answer_for_chat
from .tenancy.guarding import kept
from .waiting import ephemeral
from .waiting.deletions import Deletions
from .waiting.expiry import Expiry
from .waiting.held import Held
from .waiting.lanes import Lanes
from .waiting.view_once import ViewOnce

_KEEP_UNAUTHORIZED = 1_000
_KEEP_AUTHORITIES = 10_000
_ABOVE = "(the message attached above)"

Handler = Callable[[Any], Awaitable[Any]]
BusyHandler = Callable[[Any, str], Awaitable[bool]]


class Interceptor:
    """Makes the host's events for one adapter, and decides which events the host gets."""

    def __init__(self, adapter: Any, observed: Observations, store: Store, asking: Asking | None = None) -> None:
        self._adapter = adapter
        self._asking = asking
        self._observed = observed
        self._extra: Mapping[str, Any] = adapter.config.extra
        self._unauthorized: Bounded[str, None] = Bounded(_KEEP_UNAUTHORIZED)
        self._authorities: Bounded[tuple[str, str], Authority] = Bounded(_KEEP_AUTHORITIES)
        """Each author's latest authority by chat and user id, for events that the host makes itself."""
        self.closing = asyncio.Event()
        """This is set when the adapter is about to close, so that no event waits for its files any longer."""
        self._held = Held(adapter, self.closing)
        self._lanes = Lanes(adapter, self._extra)
        self._at_rest: Handler | None = None
        self._while_busy: BusyHandler | None = None
        self.deletions = Deletions(adapter)
        self.expiry = Expiry(observed.expire, self.deletions.expire)
        self.view_once = ViewOnce(adapter.home, adapter.platform.value, store, self._waiting)

    def _event(self, delivery: Delivery, source: Any, **fields: Any) -> Any:
        inbound = delivery.inbound
        sessions.name_profile(source, self._adapter)
        event = host_events.event_class()(
            source=source,
            message_id=inbound.message_id,
            timestamp=host_events.moment(inbound.sent_at) or datetime.now(tz=UTC),
            **{"observe_only": False, **fields},
        )
        # On the event itself, because the host copies events and hands them in again.
        event.metadata["hardened"] = delivery
        return event

    async def admit(self, event: Any) -> bool:
        """Return True if the host gets the event. It may hand in the same event again (gateway/run.py, restore).

        Observed events go into their buffer; other events carry the lines observed before them. Commands and answers
        beyond their author's authority are refused here.
        """
        delivery = event.metadata.get("hardened")
        if getattr(event, "observe_only", False):
            if isinstance(delivery, Delivery):
                self._observed.add(delivery.buffer, _line(delivery, event.text))
                if delivery.inbound.expires_in is not None:
                    self.expiry.plan()
            return False
        if event.internal or not isinstance(delivery, Delivery):
            return True
        if self.deletions.include(event):
            return False
        keys = sessions.session_keys(event.source, self._extra, self._adapter)
        ephemeral.arrived(delivery, keys)
        self._track_unauthorized(delivery)
        self._remember(delivery, event.source)
        if delivery.authorization.allowed and (reply := await self._answer_command(event, delivery)):
            await self._adapter.send(event.source.chat_id, reply)
            return False
        if self._asking and (answered := await self._asking.typed(event, delivery)) is not None:
            if answered:
                await self._adapter.send(event.source.chat_id, answered)
            return False
        answers_nothing = self._answers_nothing(event, delivery)
        if answers_nothing and not self._has_files(event, delivery):
            return False
        if refusal := self._refused(event):
            if refusal.reply:
                await self._adapter.send(event.source.chat_id, refusal.reply)
            return False
        if reply := await self._for_this_chat(event):
            await self._adapter.send(event.source.chat_id, reply)
            return False
        # A second lock, where the host has one: words of those who control nothing are no command to it later either.
        if not delivery.authorization.rights.controls and table.ALLOW_GATEWAY_CONTROL.of(event) is not None:
            event.allow_gateway_control = False
        mark = ephemeral.marked(event, delivery, keys)
        # The host returns early from a command and would drop the context.
        if mark and not event.is_command():
            self._observed.preface(event, mark)
        if not (event.is_command() or answers_nothing):
            session_key = sessions.session_key(event.source, self._extra, self._adapter)
            self._observed.attach(delivery.buffer, session_key, event)
            if event.channel_context and not event.text:
                # The host puts its description of an attachment before the background, and the text after it.
                event.text = _ABOVE
        self.deletions.handed_over(event, delivery)
        if delivery.inbound.expires_in is not None:
            self.expiry.plan()
        return True

    def handed_over(self, event: Any) -> None:
        """Note that the host has got an event: it may have merged it into another one, without its context."""
        delivery = event.metadata.get("hardened")
        if not isinstance(delivery, Delivery) or not is_ephemeral(delivery.inbound):
            return
        keys = sessions.session_keys(event.source, self._extra, self._adapter)
        self.view_once.handed_over(event, keys)
        holder = self.deletions.merged_into(event)
        if holder is not None and (mark := ephemeral.marked(event, delivery, keys)):
            self._observed.preface(holder, mark)

    def turn_ended(self, event: Any) -> None:
        """Delete what was to be seen once in the turns of an event's session."""
        keys = sessions.session_keys(event.source, self._extra, self._adapter)
        self._lanes.turn_ended(keys[-1])
        self.view_once.turn_ended(keys)
        self.expiry.plan()

    def _waiting(self) -> Iterator[Any]:
        return chain(self.deletions.waiting(), self._held.events())

    def screened(self, handler: Handler) -> Handler:
        """Wrap the host's handler of messages: it runs for the message's chat, after a second check of rights.

        The host may have opened a question while the message waited behind a busy agent.
        """

        async def handle(event: Any) -> Any:
            # The host's hook for this sees no event that the host itself makes.
            session.arrived(event.source)
            if self.deletions.include(event):
                return None
            delivery = event.metadata.get("hardened")
            if self._answers_nothing(event, delivery) and not self._has_files(event, delivery):
                return None
            if self._while_busy and self._lanes.is_led_astray(event):
                await self._while_busy(event, sessions.session_key(event.source, self._extra, self._adapter))
                return None
            if refusal := self._refused(event):
                return refusal.reply
            if not event.internal:
                questions.begins(event, self._extra, self._adapter)
            with questions.running(event):
                reply = await handler(event)
            if event.is_command():
                questions.confirmation_asked(event, self._extra, self._adapter)
            return reply

        self._at_rest = handle
        return handle

    def screened_while_busy(self, handler: BusyHandler) -> BusyHandler:
        """Wrap the host's handler of messages that arrive while the agent works with the same check."""

        async def handle(event: Any, session_key: str) -> bool:
            if refusal := self._refused(event):
                if refusal.reply:
                    await self._adapter.send(event.source.chat_id, refusal.reply)
                return True
            if self._held.takes(event, session_key):
                return True
            key = self._lanes.enter(event, session_key)
            if self._at_rest and self._lanes.answers(event, session_key):
                if reply := await self._at_rest(event):
                    await self._adapter.send(event.source.chat_id, reply)
                return True
            # Merging would mix two people's files; an interruption would deny the open approval.
            separately = not event.internal and (
                sessions.would_merge(event, key, self._adapter)
                or questions.interrupts_approval(event, self._extra, self._adapter)
            )
            try:
                if separately and sessions.queue_separately(event, key, self._adapter):
                    if notice := self._asking and self._asking.notice_of_waiting(key):
                        await self._adapter.send(event.source.chat_id, notice)
                    return True
                return await handler(event, key)
            finally:
                self._lanes.leave(key)

        self._while_busy = handle
        return handle

    async def _for_this_chat(self, event: Any) -> str | None:
        """Return the answer to a command that shows other chats' things, None for any other message.

        One that the host queued gets it from `tenancy.middleware.message_arrived`.
        """
        if self._authority(event) is Authority.STRANGER:
            return None
        said = answer_for_chat(event, self._adapter, sessions.runner_of(self._adapter))
        return await asyncio.to_thread(said) if said else None

    def _authority(self, event: Any) -> Authority:
        delivery = event.metadata.get("hardened")
        if isinstance(delivery, Delivery):
            return delivery.authorization.authority
        return self._authorities.get((event.source.chat_id, str(event.source.user_id)), Authority.STRANGER)

    def _refused(self, event: Any) -> questions.Refusal | None:
        if event.internal:
            return None
        authority = self._authority(event)
        if authority is Authority.STRANGER and event.source.chat_type == "dm":
            # The host itself refuses strangers, or answers with a pairing code.
            return None
        return questions.refused(event, authority, self._extra, self._adapter)

    def _answers_nothing(self, event: Any, delivery: object) -> bool:
        """Return True for a message without words while the host would read any text as the answer to a question."""
        return (
            isinstance(delivery, Delivery)
            and isinstance(delivery.decision, Dispatch)
            and delivery.decision.wordless
            and questions.takes_any_text(event, self._extra, self._adapter)
        )

    def _has_files(self, event: Any, delivery: Delivery) -> bool:
        """Leave nothing of a message without words but its files: what describes it goes into the background.

        Return False if there are none.
        """
        if event.text and event.text != _ABOVE:
            self._observed.add(delivery.buffer, _line(delivery, event.text))
        event.text = ""
        return bool(event.media_urls)

    def _remember(self, delivery: Delivery, source: Any) -> None:
        self._authorities.put((delivery.chat_id, str(source.user_id)), delivery.authorization.authority)

    async def _answer_command(self, event: Any, delivery: Delivery) -> str | None:
        adapter, rights = self._adapter, delivery.authorization.rights
        return adapter.connection and await commands.answer(
            event, rights, self._extra, adapter.connection, adapter.home
        )

    def observed_event(self, delivery: Delivery, source: Any) -> Any:
        """Make the observe-only event for a message; it names the files, which are not fetched."""
        files = "".join(f" ({describe(a)} not fetched)" for a in delivery.inbound.attachments)
        return self._event(delivery, source, text=delivery.decision.text + files, observe_only=True)

    async def dispatched_event(self, delivery: Delivery, source: Any, fetch: Fetch, **fields: Any) -> Any:
        """Make the event for a message to the agent, with its files and the message it replies to."""
        inbound, text, rights = delivery.inbound, delivery.decision.text, delivery.authorization.rights
        text = await self._with_references(text) if rights.references else without_references(text)
        media = await fetch_all(inbound.attachments, fetch, self.closing, rights.files)
        # Here, because the host's hook sees no message that arrives while the agent works.
        kept.received(media.paths, source)
        if inbound.view_once:
            self.view_once.fetched(media.paths)
        # Lines after a command would become its arguments.
        if media.missing and not text.startswith("/"):
            text = "\n".join(part for part in (text, *media.missing) if part)
        event = self._event(
            delivery,
            source,
            text=text,
            message_type=host_events.message_type(media.types),
            media_urls=media.paths,
            media_types=media.types,
            **fields,
        )
        if quote := inbound.quote:
            event.reply_to_message_id = quote.message_id or None
            event.reply_to_text = quote.text if delivery.quote_is_trusted else f"[unverified] {quote.text}"
            event.reply_to_author_id = quote.author.number or quote.author.id
            event.reply_to_author_name = quote.author_name or None
            event.reply_to_is_own_message = delivery.quote_is_ours
        return event

    async def _with_references(self, text: str) -> str:
        """Defuse the references to the agent's own files in the text of an author with the right to references."""
        if "@" not in text:
            return text
        directory = files.working_directory()
        return await asyncio.to_thread(files.without_home_references, text, self._adapter.home, directory)

    def is_unauthorized_dm(self, chat_id: str) -> bool:
        """Return True for a direct chat with a person whom the host refuses: they get no typing and no reaction.

        The host sends both before it checks the authorization.
        """
        return chat_id in self._unauthorized

    def _track_unauthorized(self, delivery: Delivery) -> None:
        if delivery.authorization.allowed:
            self._unauthorized.pop(delivery.chat_id, None)
        elif not delivery.inbound.chat.is_group:
            self._unauthorized.put(delivery.chat_id, None)


def _line(delivery: Delivery, text: str) -> Line:
    return Line(
        key=message_key(delivery.inbound.sender, delivery.inbound.message_id),
        author=delivery.author or "somebody",
        authority=delivery.authorization.authority,
        text=text,
        at=time.time(),
        lasts=delivery.inbound.expires_in,
    )
