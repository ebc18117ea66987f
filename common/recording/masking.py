"""Masks a text: reduces it to its shape.

Letters, digits, symbols, marks and invisible characters are replaced by a fixed character of the same case, kind, UTF-8
length and UTF-16 width; ordinary white space and punctuation stay. Offsets and Markdown of the original therefore hold
for the mask, and masking a mask changes nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache

from ..core.mentions import INVISIBLE

_SHAPES = {
    "lower": "xäẍ𝐱",
    "upper": "XÄẌ𝐗",
    "letter": "xא字𠀀",
    "digit": "0٠०𝟎",
    "number": "0²①𐄇",
    "mark": "\0\u0301\u1de0\U0001d167",
    "symbol": "\0©☺🙂",
    "control": "\x7f©\0\0",
    "space": "\x0b\xa0\u2003\0",
    "hidden": "\0\xad\u200d\0",
    "selector": "\0\0\ufe0f\0",
}
"""For each kind of character, its replacements of 1, 2, 3 and 4 bytes in UTF-8. ASCII marks and symbols stay.

Invisible characters have a single replacement per kind as well: with two, a hidden text could survive in the mask.
"""

_KEPT = re.compile(r"[ \t\r\n\u2028\ufffc\u20e3]")
_HIDDEN = re.compile(f"[{INVISIBLE}]")
_SCHEME = re.compile(r"(?i:https?|ftp|mailto|tel|gemini)(?=://)|(?i:\bwww)(?=\.)")
_COMMAND = re.compile(r"/([A-Za-z0-9_-]+)")

Span = tuple[int, int]


def mask(text: str, kept: Iterable[Span] = ()) -> str:
    """Mask a text. The ranges in `kept` (code points) and the schemes of URLs stay."""
    characters = [_masked(character) for character in text]
    for start, end in (*kept, *(scheme.span() for scheme in _SCHEME.finditer(text))):
        characters[start:end] = text[start:end]
    return "".join(characters)


def command_span(text: str, commands: Collection[str], mentions: Iterable[Span] = ()) -> tuple[Span, ...]:
    """Return the range of a known slash command at the start, after mentions and their punctuation; else none."""
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
    kind = _kind(character, unicodedata.category(character))
    return _SHAPES[kind][size - 1] if kind else character


def _kind(character: str, category: str) -> str | None:
    if character.isspace():
        return "space"
    if _HIDDEN.match(character):
        return "hidden"
    match category[0]:
        case "L":
            return {"Ll": "lower", "Lu": "upper", "Lt": "upper"}.get(category, "letter")
        case "N":
            return "digit" if category == "Nd" else "number"
        case "M":
            return "selector" if "\ufe00" <= character <= "\ufe0f" else "mark"
        case "C" if category == "Cc":
            return "control"
        case _ if category[0] == "P" or character.isascii():
            return None
    return "symbol"
