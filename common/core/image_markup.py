"""Finds the same pictures in Markdown and HTML as the host, but in time linear in the text's length. Pure.

The host's own patterns (gateway/platforms/base.py, extract_images) search for the end of a picture from every `![`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HTML = re.compile(r'<img\s+src=["\']?(https?://[^\s"\'<>]+)["\']?\s*/?>\s*(?:</img>)?')
_SIGNS = (".png", ".jpg", ".jpeg", ".gif", ".webp", "fal.media", "fal-cdn", "replicate.delivery")
"""Every address that the host accepts as a picture's contains one of them."""

_WEB, _WEB_ENDS = re.compile(r"\]\(https?://"), re.compile(r"[\s)]")
_ANY, _ANY_ENDS = re.compile(r"\]\("), re.compile(r"\)")

Span = tuple[int, int, str, str]
"""Start and end of `![words](address)`, the words, the address."""


def extract_images(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return the addresses and words of the pictures in a text, and the text without them."""
    spans = list(_spans(text, _WEB, _WEB_ENDS))
    images = [(address, words) for *_, words, address in spans if any(sign in address.lower() for sign in _SIGNS)]
    images += [(found[1], "") for found in _HTML.finditer(text)]
    if not images:
        return [], text
    addresses = {address for address, _ in images}
    rest = _replaced(text, ((start, end, "") for start, end, _, address in spans if address in addresses))
    rest = _HTML.sub(lambda found: "" if found[1] in addresses else found[0], rest)
    return images, re.sub(r"\n{3,}", "\n\n", rest).strip()


def as_addresses(text: str) -> str:
    """Replace every picture in Markdown by its bare address."""
    return _replaced(text, ((start, end, address) for start, end, _, address in _spans(text, _ANY, _ANY_ENDS)))


def _spans(text: str, opens: re.Pattern[str], ends: re.Pattern[str]) -> Iterator[Span]:
    """Yield every `![words](address)`, leftmost first. `opens` matches from the `]` on, `ends` after the address."""
    begin, stop = 0, -1
    while (at := text.find("]", begin)) >= 0:
        start, begin = text.find("![", begin, at), at + 1
        if start < 0 or (opened := opens.match(text, at)) is None:
            continue
        if stop < opened.end():
            found = ends.search(text, opened.end())
            stop = found.start() if found else len(text)
        if stop > opened.end() and text.startswith(")", stop):
            yield start, stop + 1, text[start + 2 : at], text[at + 2 : stop]
            begin = stop + 1


def _replaced(text: str, places: Iterator[tuple[int, int, str]]) -> str:
    parts, end = [], 0
    for start, following, new in places:
        parts += [text[end:start], new]
        end = following
    return "".join([*parts, text[end:]])
