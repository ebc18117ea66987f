"""Answers that grow while the model writes: the host's edits, at the network's pace, over as many messages as needed.

The host hands over the whole text each time. It is cut where a finished answer is. An edit that comes too early is held
back: the latest text goes out with the next edit, when the pace allows it, or at the end, which waits for nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile
from typing import Any, Protocol

from ...core.bounded import Bounded
from ...core.errors import HardenedError, RateLimited, Unanswered
from ...core.pacing import Pace
from ..contract import table
from .sending import failed

logger = logging.getLogger(__name__)

_KEEP_ANSWERS = 100


@dataclass(slots=True)
class Piece:
    """One message of an answer: its id for the next edit, its text (None if unknown), and the text it was sent with."""

    id: str
    text: str | None
    posted: str
    times: list[float]


@dataclass(slots=True, eq=False)
class Grown:
    """An answer that the host may edit. `grows`: the host said that it will."""

    chat_id: str
    pieces: list[Piece]
    reply_to: str | None = None
    metadata: Any = None
    grows: bool = False
    shown: str = ""
    wanted: str = ""
    last: bool = False
    """The text wanted is the whole answer."""
    ended: bool = False
    """The whole answer is shown."""
    not_before: float = -math.inf
    until: float = math.inf
    """When it disappears from its chat, by the clock of `Growing`."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    flush: asyncio.Task[None] | None = None


class Messages(Protocol):
    """What a network does with the bot's own messages. Its methods raise HardenedError or ValueError."""

    pace: Pace

    def layout(self, text: str) -> list[str]:
        """Return the texts of the messages that show an answer."""

    async def ending(self, texts: list[str], pieces: Sequence[Piece]) -> list[str]:
        """Return the texts of the messages that show a whole answer."""

    async def create(self, grown: Grown, text: str) -> str:
        """Send a further message and return its id."""

    async def change(self, grown: Grown, piece: Piece, text: str) -> str:
        """Edit a message and return the id for the next edit."""

    async def withdraw(self, chat_id: str, message_id: str) -> None:
        """Delete a message."""

    def error_kind(self, exc: Exception) -> str | None:
        """Return one of the host's SEND_ERROR_KINDS, None for an error that it does not know."""


Book = Bounded[tuple[str, str], Grown]
"""The latest answers, by chat and by the id that the host was given."""


@cache
def book(home: str, network: str) -> Book:
    """Return the answers of an account: they outlive its adapter, which the host makes anew on a reconnect."""
    return Bounded(_KEEP_ANSWERS)


class Growing:
    """Shows the answers of an account as they grow."""

    def __init__(self, messages: Messages, answers: Book, clock: Callable[[], float] = time.monotonic) -> None:
        self._messages = messages
        self._answers = answers
        self._clock = clock
        self._running: set[asyncio.Task[Any]] = set()

    def begun(
        self,
        chat_id: str,
        parts: Sequence[str],
        result: Any,
        text: str,
        reply_to: Any,
        metadata: Any,
        lasts: float | None = None,
    ) -> None:
        """Keep an answer that was sent, if the host may edit it; `lasts` is in seconds, None if the answer stays."""
        if not result.success or not result.message_id:
            return
        now = self._clock()
        ids = (*result.continuation_message_ids, result.message_id)
        pieces = [Piece(number, part, part, [now]) for number, part in zip(ids, parts, strict=False)]
        grows = bool((metadata or {}).get("expect_edits"))
        grown = Grown(chat_id, pieces, reply_to, metadata, grows, shown=text, wanted=text, ended=not grows)
        grown.until = math.inf if lasts is None else now + lasts
        self._answers.put((chat_id, str(result.message_id)), grown)

    def expire(self) -> float | None:
        """Forget whole answers that have disappeared; return the Unix time at which the next one does."""
        now = self._clock()
        for key in [key for key, grown in self._answers.items() if grown.until <= now and grown.ended]:
            del self._answers[key]
        until = min((grown.until for grown in self._answers.values() if now < grown.until < math.inf), default=None)
        return None if until is None else time.time() + until - now

    def grows(self, chat_id: str, message_id: str) -> bool:
        """Return True for an answer that was begun as a growing one."""
        grown = self._answers.get((chat_id, message_id))
        return grown is not None and grown.grows

    async def edit(self, chat_id: str, message_id: str, text: str, *, last: bool) -> Any:
        """Show a new text of a message and return the host's SendResult; a text held back counts as shown."""
        grown = self._answers.get((chat_id, message_id))
        if grown is None:
            grown = Grown(chat_id, [Piece(message_id, None, "", [-math.inf])])
            self._answers.put((chat_id, message_id), grown)
        return await self._edit(grown, message_id, text, last=last)

    async def _edit(self, grown: Grown, message_id: str, text: str, *, last: bool) -> Any:
        grown.ended = grown.ended and grown.shown == text
        grown.wanted, grown.last = text, last
        # The host cancels edits that are slow. What is on its way then must still be known, so it is carried on.
        task = asyncio.create_task(self._carry_out(grown, message_id, last=last))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    def unfinished(self, chat_id: str, text: str) -> Grown | None:
        """Return the answer of that text which grew, but whose end could not be shown; None if there is none."""
        return next(
            (
                grown
                for grown in reversed(self._answers.values())
                if grown.grows and grown.last and not grown.ended and grown.chat_id == chat_id
                if grown.wanted.strip() == text.strip()
            ),
            None,
        )

    async def finish(self, grown: Grown, send: Callable[[str], Awaitable[Any]]) -> Any:
        """Show the end of an answer where it grew, else send what is missing; return the host's SendResult."""
        result = await self._edit(grown, grown.pieces[-1].id, grown.wanted, last=True)
        if result.success:
            return result
        sent = await send(grown.wanted[len(_visible(grown)) :].lstrip())
        grown.ended = bool(sent.success)
        return sent if sent.success else failed(str(sent.error), arrived=True, kind=sent.error_kind)

    def close(self) -> None:
        """Show nothing more that was held back. Idempotent."""
        for grown in self._answers.values():
            if grown.flush is not None:
                grown.flush.cancel()
                # A cancelled task keeps its frames, and those the adapter.
                grown.flush = None

    async def _carry_out(self, grown: Grown, message_id: str, *, last: bool) -> Any:
        made: Any = table.SEND_RESULT.load()
        async with grown.lock:
            if grown.shown == grown.wanted and (grown.ended or not last):
                return made(success=True, message_id=message_id)
            try:
                due = await self._show(grown, last=last)
            except (HardenedError, ValueError, TimeoutError) as exc:
                if last or not grown.grows:
                    kind = self._messages.error_kind(exc)
                    return failed(str(exc), arrived=grown.grows, shown=_visible(grown), kind=kind)
                # The next edit has all of the text.
                logger.info("an edit of an answer is put off: %s", type(exc).__name__)
                wait = exc.retry_after if isinstance(exc, RateLimited) else 0.0
                due = grown.not_before = self._clock() + max(wait, self._messages.pace.gap)
            if due is None:
                return made(success=True, message_id=message_id)
            if due < math.inf and (grown.flush is None or grown.flush.done()):
                grown.flush = asyncio.create_task(self._flush(grown, message_id, due))
            # Newer hosts then know that nothing changed.
            return made(success=True, message_id=message_id, raw_response={"skipped": True})

    async def _show(self, grown: Grown, *, last: bool) -> float | None:
        """Show the text wanted. Return None, or the time from which on it may be shown."""
        messages, text = self._messages, grown.wanted
        laid_out = texts = messages.layout(text)
        if last and grown.grows:
            texts = await messages.ending(laid_out, grown.pieces)
        order = list(range(len(texts)))
        if texts != laid_out:
            # What moves into a post of its own is there before it leaves the other one.
            order = [*order[len(grown.pieces) :], *order[: len(grown.pieces)]]
        for number in order:
            part = texts[number]
            if number == len(grown.pieces):
                grown.pieces.append(await self._create(grown, part))
                continue
            piece = grown.pieces[number]
            if piece.text == part:
                continue
            # A message with another one behind it is complete.
            complete = last or number < len(texts) - 1
            due = messages.pace.due(piece.times, last=complete)
            if due is None and (complete or not grown.grows):
                raise ValueError("this message was edited too often")
            if due is None or (not complete and max(due, grown.not_before) > self._clock()):
                return math.inf if due is None else max(due, grown.not_before)
            piece.id = await messages.change(grown, piece, part)
            piece.text = part
            piece.times.append(self._clock())
        if last:
            await self._withdraw(grown, grown.pieces[len(texts) :])
            del grown.pieces[len(texts) :]
        grown.shown, grown.ended = text, last
        return None

    async def _withdraw(self, grown: Grown, pieces: Sequence[Piece]) -> None:
        for piece in pieces:
            try:
                await self._messages.withdraw(grown.chat_id, piece.id)
            except (HardenedError, ValueError) as exc:
                logger.warning("a message of an answer that became shorter is left: %s", type(exc).__name__)

    async def _create(self, grown: Grown, text: str) -> Piece:
        try:
            number = await self._messages.create(grown, text)
        except Unanswered as exc:
            # As with finished answers: what may have arrived is not sent again.
            logger.warning("a message of an answer is in doubt: %s", type(exc).__name__)
            number = ""
        return Piece(number, text, text, [self._clock()])

    async def _flush(self, grown: Grown, message_id: str, due: float) -> None:
        await asyncio.sleep(max(0.0, due - self._clock()))
        grown.flush = None
        if not grown.last:
            await self._carry_out(grown, message_id, last=False)


def without_counters(parts: Sequence[str]) -> list[str]:
    """Return the parts of an answer without the host's ` (1/3)`, which would change as the answer grows."""
    if len(parts) < 2:
        return list(parts)
    return [part.removesuffix(f" ({number}/{len(parts)})") for number, part in enumerate(parts, 1)]


def _visible(grown: Grown) -> str:
    """Return the beginning of the text wanted that is shown already. Behind it, only the host's cursor is shown."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(grown.shown, grown.wanted, strict=False))
    return "".join(character for character, _ in same)
