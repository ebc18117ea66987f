"""Text written by others: the only way for it into a prompt or onto a terminal. Pure.

Names, titles, file names, quoted and observed text are `Foreign` from decoding on, so that no raw text gets into a
prompt by accident.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

NAME_CHARACTERS = 80
TEXT_CHARACTERS = 1_000
_FILE_NAME_CHARACTERS = 255

_PLAIN = re.compile(r"[\w ,.;:!?'\"()*+=%&#$/~^-]*", re.ASCII)
"""Text that needs no sanitizing: a fast path for most names and about half of all lines."""

_SPACES = frozenset({"Cc", "Zl", "Zp", "Zs"})
_USUAL_SPACES = frozenset(" \t\r\n")
_WIDE_SPACE = "\u3000"
"""The ideographic space, common in Chinese and Japanese names."""
_UNPRINTABLE = frozenset({"Cf", "Cs", "Co"})
_NON_JOINER, _JOINER = "\u200c", "\u200d"
_VARIATIONS = frozenset("\ufe0e\ufe0f")
_KEYCAP, _KEYS, _VARIED = "\u20e3", frozenset("#*0123456789"), frozenset("\u203c\u2049\u2139\u3030")
"""Emoji that Unicode does not class as symbols."""
_JOINING = re.compile(
    "[\u0590-\u109f\u1780-\u18af\u1900-\u1aaf\u1b00-\u1c4f\u1cd0-\u1cff\ua800-\ua8ff\ua930-\ua9ff\uaa00-\uaadf\uabc0-\uabff"
    "\ufb50-\ufdff\ufe70-\ufefc\U00010a00-\U00011fff\U0001e900-\U0001e95f]"
)
"""The scripts from Hebrew to Adlam in which a joiner is part of a word's spelling."""
_BLANK_BY_NATURE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x2800, 0x3164, 0xFFA0, 0x16FE4, 0x1D159),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xFFF0, 0xFFF9),
            *range(0xE0000, 0xE1000),
        ),
    )
)
"""Invisible characters outside the format category; tags and variation selectors among them can carry whole texts."""
_MARKERS = str.maketrans(
    "[]@\ufe6b\u2045\u2046\u27e6\u27e7\ufe47\ufe48\uff3b\uff3d\u3010\u3011\u301a\u301b", "()\uff20\uff20()()()()()()"
)
_TAG_OPENS = re.compile(r"<(?=[|\uff5c/!?A-Za-z])")
_TOKEN_CLOSES = re.compile(r"(?<=[|\uff5c])>")
_REFERENCE = re.compile(r"(?<![\w/])@(?=(?:diff|staged)\b|(?:file|folder|git|url):\S)")
"""References that the host expands into a prompt (agent/context_references.py, REFERENCE_PATTERN)."""
_LONGEST_KIND = len("folder:x")


class Foreign(str):
    """One line of at most `limit` characters that imitates no marker, contains no reference and hides nothing.

    It has no control or invisible characters (except joiners inside words), no square brackets, no live `@`, and no `<`
    that could open a tag or a model's token.
    """

    __slots__ = ()

    def __new__(cls, raw: str = "", limit: int = TEXT_CHARACTERS) -> Foreign:
        if isinstance(raw, Foreign) and len(raw) <= limit:
            return raw
        text = _line(raw[: 4 * limit])
        return super().__new__(cls, text if len(text) <= limit else _line(text[: limit - 1] + "…"))


def _line(text: str) -> str:
    """Sanitize a text for `Foreign`, without its limit. Idempotent."""
    if not _PLAIN.fullmatch(text):
        text = printable(text, len(text)).translate(_MARKERS)
        text = _TOKEN_CLOSES.sub("\u203a", _TAG_OPENS.sub("\u2039", text))
    return text.strip()


def name(raw: str | None) -> Foreign:
    """Sanitize the name of a person, a group or a channel."""
    return Foreign(raw or "", NAME_CHARACTERS)


def file_name(raw: str | None) -> Foreign:
    """Sanitize the name of a file, long enough to keep its suffix."""
    return Foreign(raw or "", _FILE_NAME_CHARACTERS)


def printable(raw: str, limit: int = TEXT_CHARACTERS) -> str:
    """Return one line for a terminal, without control, bidi and invisible characters."""
    text = raw[:limit]
    return text if text.isascii() and text.isprintable() else "".join(_visible(text))


def _visible(text: str) -> Iterator[str]:
    before = " "
    for char, after in pairwise(f"{text} "):
        if char in {_JOINER, _NON_JOINER}:
            emoji = char == _JOINER and before in _VARIATIONS
            shown = char if (emoji or _joins(before, char)) and _joins(after, char) else ""
        elif char in _VARIATIONS:
            shown = char if _varies(before, after) else ""
        else:
            shown = _shown(char)
        if shown:
            yield shown
            before = shown


@lru_cache(4096)
def _shown(char: str) -> str:
    """Return the character, a space for a line break or space of any kind, "" for an invisible character."""
    category = unicodedata.category(char)
    if category in _SPACES:
        return char if char == _WIDE_SPACE else " "
    return "" if category in _UNPRINTABLE or char in _BLANK_BY_NATURE else char


def _joins(char: str, joiner: str) -> bool:
    """Return True if the joiner changes how that character is shown."""
    if _is_symbol(char):
        return joiner == _JOINER
    return _JOINING.match(char) is not None and _shown(char) == char


def _varies(before: str, after: str) -> bool:
    """Return True if a variation selector between the two changes how an emoji looks."""
    return after == _KEYCAP if before in _KEYS else before in _VARIED or _is_symbol(before)


@lru_cache(4096)
def _is_symbol(char: str) -> bool:
    return not char.isascii() and unicodedata.category(char).startswith("S") and _shown(char) == char


def invisible_characters(text: str) -> str:
    """Return the invisible characters of a text, without the usual white space."""
    return "".join(char for char in text if char not in _USUAL_SPACES and _leaves_no_ink(char))


def _leaves_no_ink(char: str) -> bool:
    return char.isspace() or char in _VARIATIONS or _shown(char) in {"", " "}


def without_references(text: str) -> str:
    """Defuse every reference in a text that the host would expand into the prompt."""
    return _REFERENCE.sub("\uff20", text) if "@" in text else text


def mention(name: Foreign, following: str) -> str:
    """Return `@name`, defused if it forms a reference of the host together with the `following` text."""
    return without_references(f"@{name}{following[:_LONGEST_KIND]}")[: len(name) + 1]
