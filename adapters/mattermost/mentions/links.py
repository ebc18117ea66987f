"""Finds the ends of link definitions, link destinations and URLs, as the server's parser does."""

from __future__ import annotations

import re
import unicodedata

_DEEPEST = 32
"""Maximum number of open parentheses in a link's destination."""

ESCAPED = r"\\[!-/:-@\[-`{-~]"
_BLANK = re.compile(r"\s*", re.ASCII)
_ANGLED = re.compile(rf"<(?:{ESCAPED}|[^<>\s])*+>", re.ASCII)
_DESTINATION_MARK = re.compile(rf"{ESCAPED}|[()\s]", re.ASCII)
_DIMENSIONS = re.compile(r"\s++=(?:[0-9]++(?:[xX][0-9]*+)?|[xX][0-9]++)(?=[\s)])", re.ASCII)
_TITLE = re.compile(rf"\s++(?:\"(?:{ESCAPED}|[^\"])*+\"|'(?:{ESCAPED}|[^'])*+'|\((?:{ESCAPED}|[^()])*+\))", re.ASCII)
_LINE_REST = re.compile(r"[ \t\v\f]*(?:\r\n?|\n|\Z)")
_HOST = re.compile(r"[^\s!-#%-*,/:;?@\[-\]_{}\x80-\U0010ffff]{0,255}+", re.ASCII)
# The server treats punctuation at the end of a URL as text. It cannot contain a mention, so that is ignored here.
_URL = re.compile(r"[^\s<>]*", re.ASCII)


def skip_blanks(raw: str, at: int) -> int:
    """Return the index of the next character that is no white space."""
    blank = _BLANK.match(raw, at)
    return blank.end() if blank else at


def definition_end(raw: str, at: int) -> int | None:
    """Return the end of the link definition whose label ends at `at`; None if there is no definition."""
    if not raw.startswith(":", at):
        return None
    end = _destination_end(raw, skip_blanks(raw, at + 1))
    if end is None:
        return None
    title = _TITLE.match(raw, end)
    rest = (title and _LINE_REST.match(raw, title.end())) or _LINE_REST.match(raw, end)
    return rest.end() if rest else None


def destination_and_title_end(raw: str, at: int, *, is_image: bool) -> int | None:
    """Return the end of the `(destination "title")` that begins at `at`; None if there is none."""
    if not raw.startswith("(", at):
        return None
    at = skip_blanks(raw, at + 1)
    if raw.startswith(")", at):
        return at + 1
    end = _destination_end(raw, at)
    if end is None:
        return None
    if is_image and (dimensions := _DIMENSIONS.match(raw, end)):
        end = dimensions.end()
    if title := _TITLE.match(raw, end):
        end = title.end()
    end = skip_blanks(raw, end)
    return end + 1 if raw.startswith(")", end) else None


def url_end(raw: str, start: int, host: int) -> int:
    """Return the end of a URL, or `start` if it is none.

    A host contains no underscore and starts with a letter or digit.
    """
    first = raw[host : host + 1]
    if not first or first.isspace() or unicodedata.category(first).startswith("P"):
        return start
    name = _HOST.match(raw, host + 1)
    if name and raw.startswith("_", name.end()) and name.end() < len(raw) - 1:
        return start
    url = _URL.match(raw, start)
    return url.end() if url else start


def _destination_end(raw: str, at: int) -> int | None:
    if at >= len(raw):
        return None
    if angled := _ANGLED.match(raw, at):
        return angled.end()
    depth = 0
    for mark in _DESTINATION_MARK.finditer(raw, at):
        if mark[0] == "(":
            depth += 1
            if depth > _DEEPEST:
                return None
        elif mark[0] == ")" and depth:
            depth -= 1
        elif len(mark[0]) == 1:
            return mark.start()
    return len(raw)
