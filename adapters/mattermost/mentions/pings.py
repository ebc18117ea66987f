"""Has a growing answer notify whom it mentions: the server notifies for a new post, never for an edited one.

A mention that the post did not have when it was created moves, with what follows it, into a post of its own. That reads
as the last paragraph of the answer. Where that is impossible, a last post names the people.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence

from .grammar import UserIdOf, find_mentions

LookUp = Callable[[Iterable[str]], Awaitable[bool]]
"""Looks up unknown usernames; returns True if any user was found."""

_MOST_NAMES = 100
"""Unknown names of a post that are looked up: a model can write any number."""
_STARTS = (re.compile(r"\n\n"), re.compile(r"\n"), re.compile(r"[.!?…] "), re.compile(r"\s"))
"""What a paragraph, a line, a sentence and a word begin behind."""


async def ending(
    texts: Sequence[str], posted: Sequence[str], user_id_of: UserIdOf, look_up: LookUp, own_id: str
) -> list[str]:
    """Return the posts of a whole answer. `posted` are the texts with which its first posts were created."""
    if not posted or not any("@" in text or "&" in text for text in texts):
        return list(texts)
    for text in (*texts, *posted):
        if unknown := find_mentions(text, user_id_of).unknown:
            await look_up(unknown[:_MOST_NAMES])
    notified = {own_id}.union(*(_people(text, user_id_of) for text in posted))
    result = list(texts)
    last = min(len(posted), len(texts)) - 1
    if at := _first_missing(texts[last], notified, user_id_of):
        start = beginning_at(texts[last], at)
        if texts[last][:start].strip():
            result[last : last + 1] = [texts[last][:start].rstrip(), texts[last][start:]]
    named = notified.union(*(_people(text, user_id_of) for text in result[len(posted) :]))
    missing: dict[str, str] = {}
    for text in result[: len(posted)]:
        for start, end, user_id in find_mentions(text, user_id_of).mentions:
            if user_id not in named:
                missing.setdefault(user_id, text[start:end])
    return [*result, " ".join(missing.values())] if missing else result


def beginning_at(text: str, at: int) -> int:
    """Return where the paragraph of a position begins; if that is the text's first, its line, sentence or word."""
    for start in _STARTS:
        ends = [match.end() for match in start.finditer(text, 0, at)]
        # A post must not end within a block of code.
        for end in reversed(ends):
            if text[:end].strip() and text[:end].count("```") % 2 == 0:
                return end
    return 0


def _people(text: str, user_id_of: UserIdOf) -> set[str]:
    return {user_id for _, _, user_id in find_mentions(text, user_id_of).mentions}


def _first_missing(text: str, notified: set[str], user_id_of: UserIdOf) -> int:
    """Return where the first mention of somebody else begins, 0 if there is none."""
    return next((at for at, _, user in find_mentions(text, user_id_of).mentions if user not in notified), 0)
