"""Words of others: the one way in which what somebody else made up gets into a prompt or onto a terminal. Pure.

Names, titles, file names, quoted and observed text are `Foreign` from the moment they are decoded, so that no raw one
can be put into a text by accident.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

NAME_CHARACTERS = 80
TEXT_CHARACTERS = 1_000
_FILE_NAME_CHARACTERS = 255

_PLAIN = re.compile(r"[\w ,.;:!?'\"()*+=%&#$/~^-]*", re.ASCII)
"""Nothing to look at twice: most names and half of all lines."""

_BREAKS = frozenset({"Cc", "Zl", "Zp"})
_UNPRINTABLE = frozenset({"Cf", "Cs", "Co"})
_JOINERS = frozenset("\u200c\u200d")
_VARIATIONS = frozenset("\ufe0e\ufe0f")
_BLANK_BY_NATURE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xFFF0, 0xFFF9),
            *range(0xE0000, 0xE1000),
        ),
    )
)
"""Invisible although no format characters; the tags and variation selectors among them can carry whole texts."""
_MARKERS = str.maketrans("[]@\u27e6\u27e7\uff3b\uff3d\u3010\u3011\u301a\u301b", "()\uff20()()()()")
_TAG_OPENS = re.compile(r"<(?=[|\uff5c/!?A-Za-z])")
_TOKEN_CLOSES = re.compile(r"(?<=[|\uff5c])>")
_REFERENCE = re.compile(r"@(?=(?:diff|staged)\b|(?:file|folder|git|url):)", re.IGNORECASE)
"""What the host expands into a prompt (agent/context_references.py, REFERENCE_PATTERN)."""


class Foreign(str):
    """One line of at most `limit` characters that imitates no marker, expands to nothing and hides nothing.

    It has no control and invisible characters (but joiners inside words), no square brackets, no live `@`,
    and no `<` that could open a tag or a model's token.
    """

    __slots__ = ()

    def __new__(cls, raw: str = "", limit: int = TEXT_CHARACTERS) -> Foreign:
        if isinstance(raw, Foreign) and len(raw) <= limit:
            return raw
        text = raw[: 4 * limit]
        if not _PLAIN.fullmatch(text):
            text = printable(text, 4 * limit).translate(_MARKERS)
            text = _TOKEN_CLOSES.sub("\u203a", _TAG_OPENS.sub("\u2039", text))
        text = text.strip()
        return super().__new__(cls, text if len(text) <= limit else text[: limit - 1] + "…")


def name(raw: str | None) -> Foreign:
    """The name of a person, a group or a channel."""
    return Foreign(raw or "", NAME_CHARACTERS)


def file_name(raw: str | None) -> Foreign:
    """The name of a file, whole with its suffix."""
    return Foreign(raw or "", _FILE_NAME_CHARACTERS)


def printable(raw: str, limit: int = TEXT_CHARACTERS) -> str:
    """One line for a terminal: without control, direction and invisible characters."""
    text = raw[:limit]
    return text if text.isascii() and text.isprintable() else "".join(_visible(text))


def _visible(text: str) -> Iterator[str]:
    before = " "
    for char, after in pairwise(f"{text} "):
        category = unicodedata.category(char)
        if category in _BREAKS:
            char = " "
        elif char in _JOINERS:
            if before.isspace() or before in _JOINERS or after.isspace():
                continue
        elif char in _VARIATIONS:
            if before.isspace() or before in _VARIATIONS:
                continue
        elif category in _UNPRINTABLE or char in _BLANK_BY_NATURE:
            continue
        yield char
        before = char


def without_references(text: str) -> str:
    """The text with nothing in it that the host would expand into the prompt; else as it is."""
    return _REFERENCE.sub("\uff20", text) if "@" in text else text


def mention(name: Foreign, following: str) -> str:
    """`@name` as it stands before `following`, dead where the two would be expanded by the host."""
    return without_references(f"@{name}{following[:1]}")[: len(name) + 1]
