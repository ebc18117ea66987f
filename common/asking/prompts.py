"""The questions that wait for an answer, by the messages they stand in. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ..core.bounded import Bounded
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


@dataclass(slots=True)
class Prompt:
    """A question in a session.

    `answers` maps what a reaction means to the host's own word for it, `entry` is what the host waits with. `asker` is
    the user id whose request led to it, None if unknown.
    """

    kind: Kind
    session_key: str
    chat_id: str
    text: str
    answers: Mapping[Sign | int, str]
    entry: Any
    asker: str | None
    places: list[Place] = field(default_factory=list)
    outcome: str = ""
    """How it ended, empty while it is open."""
    told: set[str] = field(default_factory=set)
    """The user ids that were told why their answer does not count."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer counts, if the host still waits: `value` is its own word for it."""

    value: str


@dataclass(frozen=True, slots=True)
class Tell:
    """The answer has no effect, and its author is told why."""

    text: str


SETTLED = "That was settled already: {outcome}."
ADMINS_ONLY = "⛔ Only an admin may answer this."
EXPIRED = "⌛ I was restarted since, and this question has expired. Ask me again if you still want it."


def judge(prompt: Prompt, meant: Sign | int | None, user_id: str, *, may: bool, heard: bool) -> Answer | Tell | None:
    """Return what a person's reaction to a prompt means; None for nothing, without a sign.

    `may`: they may answer it. `heard`: they may talk to the agent, so they may be told why it does not count, once.
    """
    value = prompt.answers.get(meant) if meant is not None else None
    if value is None or not heard:
        return None
    if may and not prompt.outcome:
        return Answer(value)
    if user_id in prompt.told or (not may and prompt.kind is not Kind.APPROVAL):
        return None
    prompt.told.add(user_id)
    return Tell(SETTLED.format(outcome=prompt.outcome)) if may else Tell(ADMINS_ONLY)


class Prompts:
    """The prompts of one network in one profile. Of an earlier run only the places are known."""

    def __init__(self, expired: Iterable[Place] = ()) -> None:
        self._at: Bounded[Place, Prompt] = Bounded(KEEP)
        self._expired: Bounded[Place, None] = Bounded(KEEP, ((place, None) for place in expired))

    def put(self, prompt: Prompt, place: Place) -> None:
        """Record that a prompt stands in a message."""
        prompt.places.append(place)
        self._at.put(place, prompt)

    def at(self, place: Place) -> Prompt | None:
        """Return the prompt in a message, open or settled."""
        return self._at.get(place)

    def open(self) -> Iterator[Prompt]:
        """Yield the open prompts, the oldest first."""
        yield from {id(prompt): prompt for prompt in self._at.values() if not prompt.outcome}.values()

    def expires(self, place: Place) -> bool:
        """Return True, once, if a prompt of an earlier run stands in a message."""
        return self._expired.pop(place, False) is None
