"""What is left of a text when nothing of what it says may be: its shape.

Letters, digits, symbols and marks give way to a fixed one of their own case, kind, UTF-8 length and UTF-16 width; white
space, punctuation and what is invisible stay. So every offset and all Markdown of the original hold for the mask, and a
mask is its own mask.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

_SHAPES = {
    "lower": "xäẍ𝐱",
    "upper": "XÄẌ𝐗",
    "letter": "xא字𠀀",
    "digit": "0٠०𝟎",
    "number": "0²①𐄇",
    "mark": "\0\u0301\u1de0\U0001d167",
    "symbol": "\0©☺🙂",
}
"""For each kind of character one of 1, 2, 3 and 4 bytes of UTF-8. In ASCII only letters and digits are replaced."""

_KEPT = re.compile(r"[\s\ufffc\ufe00-\ufe0f\u20e3]")
_SCHEME = re.compile(r"(?i:https?|ftp|mailto|tel|gemini)(?=://)|(?i:\bwww)(?=\.)")
_COMMAND = re.compile(r"/([A-Za-z0-9_-]+)")

Span = tuple[int, int]


def mask(text: str, kept: Iterable[Span] = ()) -> str:
    """The shape of a text. `kept` are ranges (code points) that stay, besides the schemes of URLs."""
    characters = [_masked(character) for character in text]
    for start, end in (*kept, *(scheme.span() for scheme in _SCHEME.finditer(text))):
        characters[start:end] = text[start:end]
    return "".join(characters)


def command_span(text: str, commands: Collection[str], mentions: Iterable[Span] = ()) -> tuple[Span, ...]:
    """Where a slash command of that vocabulary opens the text, mentions and what clings to them aside."""
    covered = {at for start, end in mentions for at in range(start, end)}
    at = 0
    while at < len(text) and (at in covered or not (text[at] == "/" or text[at].isalnum())):
        at += 1
    command = _COMMAND.match(text, at)
    return (command.span(),) if command and command[1].lower() in commands else ()


@lru_cache(4096)
def _masked(character: str) -> str:
    if _KEPT.match(character):
        return character
    size = len(character.encode("utf-8", "surrogatepass"))
    kind = _kind(character, unicodedata.category(character), ascii_only=size == 1)
    return _SHAPES[kind][size - 1] if kind else character


def _kind(character: str, category: str, *, ascii_only: bool) -> str | None:
    match category[0]:
        case "L":
            return {"Ll": "lower", "Lu": "upper", "Lt": "upper"}.get(category, "letter")
        case "N":
            return "digit" if category == "Nd" else "number"
        case _ if ascii_only or category[0] == "P" or (category == "Cf" and ord(character) < 0x10000):
            return None
        case "M":
            return "mark"
    return "symbol"
