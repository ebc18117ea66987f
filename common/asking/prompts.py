"""The questions that wait for an answer, by the messages they stand in. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from ..core.authority import Answers
from ..core.bounded import Bounded
from . import texts
from .signs import Sign

KEEP = 500
"""Prompts, settled ones among them, that a late answer still finds."""

Place = tuple[str, str]
"""The host's chat id and the network's message id."""


class Kind(StrEnum):
    """What is asked."""

    APPROVAL = "approval"
    """May this command run?"""
    CONFIRMATION = "confirmation"
    """Shall this slash command run?"""
    QUESTION = "question"
    """A question of the agent's with choices."""
    UPDATE = "update"
    """A question of `hermes update`."""
    PICKER = "picker"
    """What shall a slash command set, the model for example?"""


UNANSWERED: Mapping[Kind, str] = {Kind.APPROVAL: texts.TIMED_OUT, Kind.PICKER: texts.NOT_CHOSEN}
"""How a question ended that nobody answered, if it does not just wait no more."""


class Entry(Protocol):
    """What the host waits with."""

    def waits(self) -> bool:
        """Return True while the host waits for the answer."""

    async def answer(self, value: str, reason: str = "") -> bool:
        """Give the answer to exactly this entry; False if it waits no more. A denial may have a reason."""

    def ended_with(self) -> str | None:
        """Return the answer that the host got otherwise, None for none."""


@dataclass(slots=True)
class Prompt:
    """A question in a session.

    `answers` maps what a reaction means to the host's own word for it. `asker` is the user id whose request led to it,
    None if unknown.
    """

    kind: Kind
    session_key: str
    chat_id: str
    text: str
    answers: Mapping[Sign | int, str]
    entry: Entry
    asker: str | None
    metadata: Any = None
    """The host's, which leads to the thread that it arose in."""
    of_admins: bool = False
    """True if the copies in the admins' direct chats are asked, and not the chat itself."""
    places: list[Place] = field(default_factory=list)
    outcome: str = ""
    """How it ended, empty while it is open."""
    told: set[str] = field(default_factory=set)
    """The user ids that were told why their answer does not count."""
    answered_by: str = ""
    """Who typed an answer that the host takes, empty if nobody did."""
    announced: bool = False
    """True once the chat was told that what is said now waits."""
    command: str = ""
    """The slash command that asks."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What the host's words are called where an outcome shows."""

    def named(self, value: str) -> str:
        """Return what the host's word for an answer is called."""
        return self.names.get(value, value)

    def number(self, text: str) -> str | None:
        """Return the host's word for the choice of which a bare text is the number, None if it is none."""
        text = text.strip()
        return next((value for meant, value in self.answers.items() if str(meant) == text and text.isdigit()), None)

    def is_admins_copy(self, chat_id: str) -> bool:
        """Return True for an admin's direct chat in which a copy of the question stands: nobody else is there."""
        return self.of_admins and chat_id != self.chat_id

    def takes(self, text: str) -> bool:
        """Return True if a bare text is the number of a choice, or a choice of the agent's in words."""
        if self.number(text) is not None:
            return True
        text = text.strip().casefold()
        return self.kind is Kind.QUESTION and any(text == value.casefold() for value in self.answers.values() if text)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer counts, if the host still waits: `value` is its own word for it."""

    value: str


@dataclass(frozen=True, slots=True)
class Tell:
    """The answer has no effect, and its author is told why."""

    text: str


def judge(prompt: Prompt, meant: Sign | int | None, user_id: str, *, may: bool, heard: bool) -> Answer | Tell | None:
    """Return what a person's reaction to a prompt means; None for nothing, without a sign.

    `may`: they may answer it. `heard`: they are told why an answer does not count, once.
    """
    value = prompt.answers.get(meant) if meant is not None else None
    if value is None:
        return None
    if may and not prompt.outcome:
        return Answer(value)
    if not heard or user_id in prompt.told or (not may and prompt.kind is not Kind.APPROVAL):
        return None
    prompt.told.add(user_id)
    return Tell(texts.already(prompt.outcome)) if may else Tell(texts.ADMINS_ONLY)


@dataclass(frozen=True, slots=True)
class Typed:
    """A typed answer, with the sessions of its author."""

    chat_id: str
    sessions: Collection[str]
    rights: Answers
    is_command: bool


@dataclass(frozen=True, slots=True)
class Left:
    """The host itself finds the prompt that is meant."""

    prompt: Prompt


def meant(replied: Prompt | None, waiting: Sequence[Prompt], typed: Typed) -> Prompt | Left | Tell | None:
    """Return the prompt that a typed answer is to; None if it is to none.

    `replied` is the prompt in the message that it replies to, `waiting` are those that may be answered in its chat.
    """
    if replied is not None:
        return replied
    if own := [prompt for prompt in waiting if prompt.session_key in typed.sessions]:
        # Of several, the host would take the oldest.
        return Left(own[0]) if len(own) == 1 else Tell(texts.WHICH)
    # Plain words are too easily meant for somebody else.
    if not typed.is_command:
        return None
    copies = [prompt for prompt in waiting if prompt.is_admins_copy(typed.chat_id)]
    others = copies or (waiting if typed.rights is Answers.ANY else [])
    if len(others) > 1:
        return Tell(texts.WHICH)
    return others[0] if others else None


class Prompts:
    """The prompts of one network in one profile. Of an earlier run only the places are known."""

    def __init__(self) -> None:
        self._at: Bounded[Place, Prompt] = Bounded(KEEP)
        self._expired: Bounded[Place, bool] = Bounded(KEEP)

    def put(self, prompt: Prompt, place: Place) -> None:
        """Record that a prompt stands in a message."""
        prompt.places.append(place)
        self._at.put(place, prompt)

    def at(self, place: Place) -> Prompt | None:
        """Return the prompt in a message, open or settled."""
        return self._at.get(place)

    def knows(self, place: Place) -> bool:
        """Return True if a prompt stands in a message, whether open, settled or of an earlier run."""
        return place in self._at or place in self._expired

    def open(self) -> Iterator[Prompt]:
        """Return the prompts that wait for an answer, the oldest first."""
        # How one ended shows a moment after the host waits no more.
        return (prompt for prompt in self._unsettled() if prompt.entry.waits())

    def open_places(self) -> list[Place]:
        """Return the messages in which open prompts stand."""
        return [place for prompt in self.open() for place in prompt.places]

    def open_in(self, chat_id: str, *kinds: Kind) -> list[Prompt]:
        """Return the open prompts of some kinds that arose in a chat or stand in it, the oldest first."""
        here = (
            prompt
            for prompt in self._unsettled()
            if prompt.kind in kinds and chat_id in {prompt.chat_id, *(chat for chat, _ in prompt.places)}
        )
        # To ask the host takes a lock of its own.
        return [prompt for prompt in here if prompt.entry.waits()]

    def _unsettled(self) -> Iterator[Prompt]:
        yield from {id(prompt): prompt for prompt in self._at.values() if not prompt.outcome}.values()

    def expire(self, place: Place) -> None:
        """Record that a prompt of an earlier run stands in a message."""
        self._expired.put(place, True)

    def expires(self, place: Place) -> bool:
        """Return True, once, if a prompt of an earlier run stands in a message."""
        expired = self._expired.get(place, False)
        if expired:
            self._expired[place] = False
        return expired
