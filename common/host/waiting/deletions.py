"""Takes deleted messages out of Hermes' own queues, in which they wait while the agent works.

Hermes merges some of them: then the waiting event is the first one's, and holds the texts and files of all.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ...core.bounded import Bounded
from ...inbound.delivery import Delivery
from .. import sessions
from ..contract import table

_KEEP_HANDED_OVER = 200
_KEEP_DELETED = 2_000


@dataclass(frozen=True, slots=True)
class _HandedOver:
    """A message as Hermes got it."""

    number: int
    delivery: Delivery
    text: str
    files: tuple[str, ...]
    until: float
    """The Unix time at which it disappears from its chat."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event in one of Hermes' queues, and how to remove it."""

    event: Any
    session_key: str
    remove: Callable[[], object]


class Deletions:
    """The deleted messages of one adapter, by their `message_key`."""

    def __init__(self, adapter: Any) -> None:
        self._adapter = adapter
        self._handed_over: Bounded[str, _HandedOver] = Bounded(_KEEP_HANDED_OVER)
        self._deleted: Bounded[str, None] = Bounded(_KEEP_DELETED)
        self._number = 0

    def handed_over(self, event: Any, delivery: Delivery) -> None:
        """Record a message right before Hermes gets it."""
        self._number += 1
        lasts = delivery.inbound.expires_in
        until = math.inf if lasts is None else time.time() + lasts
        message = _HandedOver(self._number, delivery, event.text or "", tuple(event.media_urls), until)
        for key in delivery.inbound.message_keys:
            self._handed_over.put(key, message)

    def expire(self) -> float | None:
        """Forget messages that have disappeared, unless they wait; return when the next one does."""
        now, timed = time.time(), [(key, m) for key, m in self._handed_over.items() if m.until < math.inf]
        for key, message in timed:
            if message.until <= now and not any(_holds(event, message) for event in self.waiting()):
                del self._handed_over[key]
        return min((message.until for _, message in timed if message.until > now), default=None)

    def forget(self) -> None:
        """Forget all messages: Hermes gives up an adapter's queues together with the adapter."""
        self._handed_over.clear()
        self._deleted.clear()

    def include(self, event: Any) -> bool:
        """Return True if a message was deleted before its turn began."""
        delivery = event.metadata.get("hardened")
        return isinstance(delivery, Delivery) and any(key in self._deleted for key in delivery.inbound.message_keys)

    def take_back(self, key: str) -> None:
        """Take a message out of Hermes' queues."""
        deleted = self._handed_over.pop(key, None)
        self._deleted.put(key, None)
        if deleted is None:
            return
        for waiting in list(self._waiting()):
            if _is_of(waiting.event, deleted):
                self._take_out(waiting, deleted)
            elif (first := self._first(waiting.event)) is not None and first.number < deleted.number:
                _cut_merged(waiting.event, first, deleted)

    def waiting(self) -> Iterator[Any]:
        """Yield the events in Hermes' queues."""
        return (waiting.event for waiting in self._waiting())

    def merged_into(self, event: Any) -> Any:
        """Return the waiting event into which Hermes has merged another one, None if there is none."""
        delivery = event.metadata.get("hardened")
        message = self._handed_over.get(delivery.inbound.message_keys[0]) if isinstance(delivery, Delivery) else None
        if message is None:
            return None
        for waiting in self._waiting():
            first = self._first(waiting.event)
            if waiting.event is not event and first is not None and first.number < message.number:
                text = (waiting.event.text or "").removeprefix(first.text)
                if _contains(text, waiting.event.media_urls, message):
                    return waiting.event
        return None

    def _take_out(self, waiting: _Waiting, deleted: _HandedOver) -> None:
        """Remove an event that was made for the deleted message, or only its part if others were merged into it."""
        event, text = waiting.event, waiting.event.text or ""
        files = event.media_urls[len(deleted.files) :]
        if event.metadata.get("hardened") is None or (text == deleted.text and not files):
            waiting.remove()
            self._forget_interruption(waiting.session_key, deleted.text)
        elif text.startswith(deleted.text):
            self._leave_merged(event, text[len(deleted.text) :].lstrip("\n"), files, deleted)
        else:
            # Hermes changed the text, so nobody knows which part is whose: the others' must not be lost.
            for key in deleted.delivery.inbound.message_keys:
                self._deleted.pop(key, None)

    def _leave_merged(self, event: Any, text: str, files: list[str], deleted: _HandedOver) -> None:
        """Reduce an event to what was merged into it, as an event of the next message."""
        later = (m for m in self._handed_over.values() if m.number > deleted.number and _contains(text, files, m))
        following = next(later, None)
        inbound = replace(deleted.delivery.inbound, message_id="", edits=None)
        delivery = following.delivery if following else replace(deleted.delivery, inbound=inbound)
        event.metadata["hardened"], event.message_id = delivery, delivery.inbound.message_id or None
        event.media_types = event.media_types[len(deleted.files) :]
        event.text, event.media_urls = text, files

    def _forget_interruption(self, session_key: str, text: str) -> None:
        """Make the agent forget the words that interrupted it: Hermes makes a turn of them if no event waits."""
        agent = (table.RUNNING_AGENTS.of(sessions.runner_of(self._adapter)) or {}).get(session_key)
        if agent is not None and text and table.INTERRUPT_MESSAGE.of(agent) == text:
            agent._interrupt_message = None

    def _first(self, event: Any) -> _HandedOver | None:
        """Return the message that an event was made for."""
        delivery = event.metadata.get("hardened")
        if not isinstance(delivery, Delivery):
            return None
        return self._handed_over.get(delivery.inbound.message_keys[0])

    def _waiting(self) -> Iterator[_Waiting]:
        adapter, runner = self._adapter, sessions.runner_of(self._adapter)
        slots = table.PENDING_MESSAGES.of(adapter) or {}
        queues = table.QUEUED_EVENTS.of(runner) or {}
        for session_key, event in list(slots.items()):
            yield _Waiting(event, session_key, partial(_next_into_slot, slots, queues, session_key))
        for session_key, queue in list(queues.items()):
            for event in list(queue):
                yield _Waiting(event, session_key, partial(_remove, queues, session_key, event))
        discard = table.DISCARD_DEBOUNCE.of(adapter)
        if discard is None or table.DEBOUNCED.optional() is None:
            return
        for session_key, state in list((table.TEXT_DEBOUNCE.of(adapter) or {}).items()):
            yield _Waiting(state.event, session_key, partial(discard, session_key))


def _next_into_slot(slots: Any, queues: Any, session_key: str) -> None:
    """Remove a session's next event; the first of its queue takes its place, as Hermes itself would do it."""
    del slots[session_key]
    if queue := queues.get(session_key):
        slots[session_key] = queue[0]
        _remove(queues, session_key, queue[0])


def _remove(queues: Any, session_key: str, event: Any) -> None:
    left = [each for each in queues.get(session_key, ()) if each is not event]
    if left:
        queues[session_key] = left
    else:
        queues.pop(session_key, None)


def _is_of(event: Any, message: _HandedOver) -> bool:
    """Return True if an event was made for a message. Hermes makes one of its own for `/queue`."""
    delivery, wanted = event.metadata.get("hardened"), message.delivery
    if isinstance(delivery, Delivery):
        return delivery.inbound.key == wanted.inbound.key
    named = (event.message_id, event.source.chat_id, str(event.source.user_id))
    return named == (wanted.inbound.message_id, wanted.chat_id, str(wanted.authorization.user_id))


def _holds(event: Any, message: _HandedOver) -> bool:
    return _is_of(event, message) or _contains(event.text or "", event.media_urls, message)


def _contains(text: str, files: list[str], message: _HandedOver) -> bool:
    """Return True if a message was merged into a text and files."""
    if message.files:
        return message.files[0] in files
    return _block(message.text).search(text) is not None


def _cut_merged(event: Any, first: _HandedOver, deleted: _HandedOver) -> None:
    """Cut a deleted message out of an event into which it was merged, behind the first one."""
    text = event.text or ""
    if not text.startswith(first.text) or not _contains(text[len(first.text) :], event.media_urls, deleted):
        return
    event.text = first.text + _block(deleted.text).sub("", text[len(first.text) :], count=1)
    left = [n for n, path in enumerate(event.media_urls) if path not in deleted.files]
    event.media_types = [event.media_types[n] for n in left if n < len(event.media_types)]
    event.media_urls = [event.media_urls[n] for n in left]


def _block(text: str) -> re.Pattern[str]:
    """Return the pattern of a message's text among those merged: Hermes puts one or two line breaks between them."""
    return re.compile(rf"(?:\A|\n{{1,2}}){re.escape(text.strip())}(?=\n|\Z)") if text.strip() else re.compile(r"(?!)")
