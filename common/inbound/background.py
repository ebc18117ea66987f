"""What is kept of one chat as background, so that nobody can push out what others said. Pure."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..core.authority import RIGHTS, Authority
from ..core.wording import TEXT_CHARACTERS, Foreign, name

KEEP_LINES = 50
KEEP_CHARACTERS = 4_000


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One observed message. `key` is that of `message_key`, `author` a display name, `at` Unix time of its arrival."""

    key: str
    author: str
    authority: Authority
    text: str
    at: float
    seq: int = 0
    by: str = field(init=False)
    """The author as the network knows them; one string for all their lines."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", sys.intern(self.key.partition(" ")[0]))

    def __str__(self) -> str:
        mark = "" if self.verified else "[unverified] "
        return f"{mark}{name(self.author).replace(':', ' ') or 'somebody'}: {Foreign(self.text)}"

    @property
    def verified(self) -> bool:
        """Said by somebody who may instruct the agent."""
        return RIGHTS[self.authority].turn

    def saying(self, text: str, seq: int | None = None) -> Line:
        """The line with another text, cut where it is too long, and perhaps another number."""
        text = text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"
        return Line(self.key, self.author, self.authority, text, self.at, self.seq if seq is None else seq)


class Background:
    """The lines of one chat, the oldest first. Whatever does not fit any more is returned by what made it so.

    An author has no more characters than their authority allows (`Rights.background`). When the chat has too much,
    unverified lines go first, among them the oldest of the author with the most; verified ones when no other is left.
    """

    __slots__ = ("_characters", "_lines", "_verified")

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._characters = 0
        self._verified = 0

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    @property
    def has_verified(self) -> bool:
        return self._verified > 0

    def find(self, key: str) -> Line | None:
        """The line with that key."""
        return next((line for line in self._lines if line.key == key), None)

    def add(self, line: Line) -> list[Line]:
        """Append a line."""
        self._lines.append(line)
        self._count(line, 1)
        return self._shed(line)

    def put(self, old: Line, new: Line) -> list[Line]:
        """Put a line in the place of another."""
        self._lines[self._lines.index(old)] = new
        self._count(old, -1)
        self._count(new, 1)
        return self._shed(new)

    def remove(self, line: Line) -> Line:
        """Take a line out."""
        self._lines.remove(line)
        self._count(line, -1)
        return line

    def expire(self, oldest: float) -> list[Line]:
        """Take out what is older than that."""
        gone = []
        while self._lines and self._lines[0].at < oldest:
            gone.append(self.remove(self._lines[0]))
        return gone

    def _count(self, line: Line, by: int) -> None:
        self._characters += by * len(line.text)
        self._verified += by * line.verified

    def _shed(self, new: Line) -> list[Line]:
        gone = [self.remove(line) for line in self._beyond_share(new)]
        while len(self._lines) > KEEP_LINES or self._characters > KEEP_CHARACTERS:
            gone.append(self.remove(self._first_to_go()))
        return gone

    def _beyond_share(self, new: Line) -> list[Line]:
        """The oldest lines of an author, at the same authority, that have to go for their newest."""
        share = RIGHTS[new.authority].background
        if self._characters <= share:
            return []
        theirs = [line for line in self._lines if line.authority is new.authority and line.by == new.by]
        beyond, gone = sum(len(line.text) for line in theirs) - share, []
        for line in theirs:
            if beyond > 0:
                beyond -= len(line.text)
                gone.append(line)
        return gone

    def _first_to_go(self) -> Line:
        lines = tuple(self._lines)
        too_many = len(lines) > KEEP_LINES
        if self._verified < len(lines):
            lines = tuple(line for line in lines if not line.verified)
        have: dict[str, int] = {}
        for line in lines:
            have[line.by] = have.get(line.by, 0) + (1 if too_many else len(line.text))
        most = max(have, key=have.__getitem__)
        return next(line for line in lines if line.by == most)
