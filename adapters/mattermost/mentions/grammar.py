"""Finds the mentions in a post's text by the server's grammar. Pure; takes time linear in the length of the text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .inlines import plain

UserIdOf = Callable[[str], str | None]
"""Returns the user id of a lower-case username without the @, None if no such user is known."""

EVERYBODY = frozenset({"all", "channel", "here"})

_WORD = re.compile(r"[\w.:@-]*")
_PART = re.compile(r"[^.:-]+")
_USERNAME = re.compile(r"[a-z0-9._-]{1,64}")
_MAX_NAME = 64
"""Maximum length of a username. Without it, a long run of dots after a name would take quadratic time."""


@dataclass(frozen=True, slots=True)
class Found:
    """The mentions of a text: (start, end, user id) in order, in code points of the source, including the @.

    `everybody` holds the index of the last character of each broadcast mention. `unknown` are lower-case names that
    may be usernames but are unknown so far.
    """

    mentions: tuple[tuple[int, int, str], ...]
    everybody: tuple[int, ...]
    unknown: tuple[str, ...]

    @property
    def broadcast(self) -> bool:
        return bool(self.everybody)


_NOTHING_FOUND = Found((), (), ())


def find_mentions(text: str, user_id_of: UserIdOf) -> Found:
    """Find the mentions in a post's text. `user_id_of` is called with plausible usernames only, longest first."""
    if "@" not in text and "&" not in text:  # an entity can encode the @
        return _NOTHING_FOUND
    readable = plain(text)
    mentions: list[tuple[int, int, str]] = []
    everybody: list[int] = []
    unknown: dict[str, None] = {}
    for at, word in _words(readable.text):
        for start, ends in _candidates(word):
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
    """Yield every word with an @ in it, after the index of its start."""
    end = 0
    while (start := text.find("@", end)) >= 0:
        word_end = _WORD.match(text, start).end()  # type: ignore[union-attr]
        while start > end and (text[start - 1].isalnum() or text[start - 1] in "_.:-"):
            start -= 1
        end = word_end
        yield start, text[start:end]


def _candidates(word: str) -> Iterator[tuple[int, range]]:
    """Yield the start of each possible @name in a word, and its possible ends in the order to try.

    A word that begins with the @ is tried without its trailing `.-:_`, one at a time. Any other word is split at `.`,
    `-` and `:`.
    """
    if word[0] == ":" and word[-1] == ":":
        return
    core = len(word) - len(word.lstrip(".-:_"))
    if word.startswith("@", core):
        bare = len(word.rstrip(".-:_"))
        yield core, range(min(len(word), core + 1 + _MAX_NAME), bare - 1, -1)
        return
    for part in _PART.finditer(word, core):
        if part[0].startswith("@"):
            yield part.start(), range(part.end(), part.end() - 1, -1)


def without_broadcasts(text: str) -> str:
    """Break @channel, @all and @here in a text with an invisible character, so that they notify nobody."""
    # From the end, so that the earlier indices stay valid.
    for last in reversed(find_mentions(text, lambda _: None).everybody):
        text = f"{text[:last]}\u200b{text[last:]}"
    return text
