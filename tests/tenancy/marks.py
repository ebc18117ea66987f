"""Marks: unique words, each of which belongs to one owner, and where foreign ones were seen."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

MARK = re.compile(r"zq[a-z]{12}")
"""The form of a mark: one word for a full-text search, and no word of any language."""
TURN = re.compile(r"turn-([a-z]{12})")
"""Names what a person asked for, at the beginning of their message. It is no secret."""
NOBODY = ""
"""Owns what no chat asked for."""


class Sighting(NamedTuple):
    """A mark where it may not be."""

    owner: str
    """The chat that saw it."""
    foreign: str
    """The chat that it belongs to."""
    where: str
    mark: str

    def __str__(self) -> str:
        return f"{self.owner or 'nobody in particular'} saw words of {self.foreign}: {self.where}"


@dataclass
class Marks:
    """All marks of a run."""

    chance: Random
    _owners: dict[str, str] = field(default_factory=dict)

    def word(self) -> str:
        """Return a new word of twelve letters."""
        return "".join(self.chance.choices(string.ascii_lowercase, k=12))

    def new(self, owner: str) -> str:
        """Return a new mark."""
        mark = f"zq{self.word()}"
        self._owners[mark] = owner
        return mark

    def foreign(self, owner: str, where: str, text: str) -> Iterator[Sighting]:
        """Yield the marks of others in what an owner was shown. What only looks like a mark is nobody's."""
        for mark in dict.fromkeys(MARK.findall(text)):
            if (whose := self._owners.get(mark, owner)) != owner:
                yield Sighting(owner, whose, where, mark)
