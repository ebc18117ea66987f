"""Finds the mentions in a post's text by the server's grammar. Pure; linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .inlines import plain

UserIdOf = Callable[[str], str | None]
"""Returns the user id of a lower-case username without the @, None where no such user is known."""

EVERYBODY = frozenset({"all", "channel", "here"})

_WORD = re.compile(r"[\w.:@-]*")
_PART = re.compile(r"[^.:-]+")
_USERNAME = re.compile(r"[a-z0-9._-]{1,64}")
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Found:
    """The mentions of a text: (start, end, user id) in order, in code points of the source, with the @.

    `everybody` holds the index of the last character of each mention of all. `unknown` are lower-case names that may be
    usernames but are not known.
    """

    mentions: tuple[tuple[int, int, str], ...]
    everybody: tuple[int, ...]
    unknown: tuple[str, ...]

    @property
    def broadcast(self) -> bool:
        return bool(self.everybody)


_NOBODY = Found((), (), ())


def find_mentions(text: str, user_id_of: UserIdOf) -> Found:
    """Find the mentions in a post's text. `user_id_of` is called with plausible usernames only, longest first."""
    if "@" not in text and "&" not in text:  # an entity can encode the @
        return _NOBODY
    readable = plain(text)
    mentions: list[tuple[int, int, str]] = []
    everybody: list[int] = []
    unknown: dict[str, None] = {}
    for at, word in _words(readable.text):
        for start, ends in _places(word):
            missing = []
            for end in ends:
                name = word[start + 1 : end].lower()
                if name in EVERYBODY:
                    everybody.append(readable.origin(at + end) - 1)
                    break
                if not _USERNAME.fullmatch(name):
                    continue
                if user_id := user_id_of(name):
                    mentions.append((readable.origin(at + start), readable.origin(at + end), user_id))
                    break
                missing.append(name)
            else:
                unknown |= dict.fromkeys(missing)
    return Found(tuple(mentions), tuple(everybody), tuple(unknown))


def _words(text: str) -> Iterator[tuple[int, str]]:
    """Yield the start of every word with an @ in it, and the word."""
    end = 0
    while (start := text.find("@", end)) >= 0:
        behind = _WORD.match(text, start).end()  # type: ignore[union-attr]
        while start > end and (text[start - 1].isalnum() or text[start - 1] in "_.:-"):
            start -= 1
        end = behind
        yield start, text[start:end]


def _places(word: str) -> Iterator[tuple[int, range]]:
    """Yield the start of each possible @name in a word, and its possible ends in the order to try.

    A word that begins with the @ loses its trailing `.-:_` step by step, any other is split at `.`, `-` and `:`.
    """
    if word[0] == ":" and word[-1] == ":":
        return
    core = len(word) - len(word.lstrip(".-:_"))
    if word.startswith("@", core):
        bare = len(word.rstrip(".-:_"))
        yield core, range(min(len(word), core + 1 + _LONGEST), bare - 1, -1)
        return
    for part in _PART.finditer(word, core):
        if part[0].startswith("@"):
            yield part.start(), range(part.end(), part.end() - 1, -1)


def without_broadcasts(text: str) -> str:
    """Break mentions of everybody in a text with an invisible character, so that it notifies nobody."""
    for last in reversed(find_mentions(text, lambda _: None).everybody):
        text = f"{text[:last]}\u200b{text[last:]}"
    return text
