"""The background of one chat: its last observed lines, bounded so that nobody can push out others' lines. Pure."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..core.authority import RIGHTS, Authority
from ..core.wording import TEXT_CHARACTERS, Foreign, name

KEEP_LINES = 50
KEEP_CHARACTERS = 4_000
KEEP_SECONDS = 24 * 3600.0
REACTED = "reacted"


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One observed message. `key` is its `message_key`, `author` a display name, `at` the Unix time of its arrival.

    `lasts` is the number of seconds after which a message disappears in its chat, None for one that stays.

    The key of a reaction has `REACTED` before the id of the message that it is to. No message's id has two words.
    """

    key: str
    author: str
    authority: Authority
    text: str
    at: float
    seq: int = 0
    lasts: float | None = None
    by: str = field(init=False)
    """The author's id on the network, one string object for all their lines."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by", sys.intern(self.key.partition(" ")[0]))

    def __str__(self) -> str:
        mark = "" if self.verified else "[unverified] "
        colon = "" if self.key.partition(" ")[2].startswith(f"{REACTED} ") else ":"
        return f"{mark}{name(self.author).replace(':', ' ') or 'somebody'}{colon} {Foreign(self.text)}"

    @property
    def verified(self) -> bool:
        """True if the author may instruct the agent."""
        return RIGHTS[self.authority].turn

    @property
    def until(self) -> float:
        """The Unix time from which the line is not shown any more."""
        return self.at + min(KEEP_SECONDS, math.inf if self.lasts is None else self.lasts)

    def with_text(self, text: str, seq: int | None = None) -> Line:
        """Return the line with another text, truncated where it is too long, and another number if one is given."""
        text = text if len(text) <= TEXT_CHARACTERS else text[: TEXT_CHARACTERS - 1] + "…"
        return replace(self, text=text, seq=self.seq if seq is None else seq)


class Background:
    """The lines of one chat, the oldest first. Methods return the lines that they dropped.

    An author has no more characters than their authority allows (`Rights.background`). When the chat has too many,
    unverified lines are dropped first, among them the oldest of the author with the most; then verified ones.
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
        """Return the line with that key, None if it has been dropped."""
        return next((line for line in self._lines if line.key == key), None)

    def add(self, line: Line) -> list[Line]:
        """Append a line; return the lines dropped for it."""
        self._lines.append(line)
        self._count(line, 1)
        return self._drop_excess(line)

    def replace(self, old: Line, new: Line) -> list[Line]:
        """Replace a line by another; return the lines dropped for it."""
        self._lines[self._lines.index(old)] = new
        self._count(old, -1)
        self._count(new, 1)
        return self._drop_excess(new)

    def remove(self, line: Line) -> Line:
        """Remove a line and return it."""
        self._lines.remove(line)
        self._count(line, -1)
        return line

    def expire(self, now: float) -> list[Line]:
        """Remove and return the lines whose time has come (Unix time)."""
        return [self.remove(line) for line in tuple(self._lines) if line.until <= now]

    def _count(self, line: Line, by: int) -> None:
        self._characters += by * len(line.text)
        self._verified += by * line.verified

    def _drop_excess(self, new: Line) -> list[Line]:
        # The author's own share first: their flood must not count against others in the next step.
        dropped = [self.remove(line) for line in self._beyond_share(new)]
        while len(self._lines) > KEEP_LINES or self._characters > KEEP_CHARACTERS:
            dropped.append(self.remove(self._next_to_drop()))
        return dropped

    def _beyond_share(self, new: Line) -> list[Line]:
        """Return the oldest lines of the new line's author and authority that exceed the author's share."""
        share = RIGHTS[new.authority].background
        # A chat with fewer characters than one share has no author beyond it.
        if self._characters <= share:
            return []
        theirs = [line for line in self._lines if line.authority is new.authority and line.by == new.by]
        excess, dropped = sum(len(line.text) for line in theirs) - share, []
        for line in theirs:
            if excess > 0:
                excess -= len(line.text)
                dropped.append(line)
        return dropped

    def _next_to_drop(self) -> Line:
        lines = tuple(self._lines)
        too_many = len(lines) > KEEP_LINES
        if self._verified < len(lines):
            lines = tuple(line for line in lines if not line.verified)
        # Counted in the unit of the limit that is exceeded: lines or characters.
        sizes: dict[str, int] = {}
        for line in lines:
            sizes[line.by] = sizes.get(line.by, 0) + (1 if too_many else len(line.text))
        largest = max(sizes, key=sizes.__getitem__)
        return next(line for line in lines if line.by == largest)
