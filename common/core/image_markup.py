"""Finds the same images in Markdown and HTML as the host, but in time linear in the text's length. Pure.

The host's own patterns (gateway/platforms/base.py, extract_images) search for the end of an image from every `![`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_HTML = re.compile(r'<img\s+src=["\']?(https?://[^\s"\'<>]+)["\']?\s*/?>\s*(?:</img>)?')
_SIGNS = (".png", ".jpg", ".jpeg", ".gif", ".webp", "fal.media", "fal-cdn", "replicate.delivery")
"""Every URL that the host accepts as an image's contains one of them."""

_WEB, _WEB_ENDS = re.compile(r"\]\(https?://"), re.compile(r"[\s)]")
_ANY, _ANY_ENDS = re.compile(r"\]\("), re.compile(r"\)")

Span = tuple[int, int, str, str]
"""Start and end of `![alt](url)`, the alt text, the URL."""


def extract_images(text: str) -> tuple[list[tuple[str, str]], str]:
    """Return the (URL, alt text) of each image in a text, and the text without the images."""
    spans = list(_spans(text, _WEB, _WEB_ENDS))
    images = [(url, alt) for *_, alt, url in spans if any(sign in url.lower() for sign in _SIGNS)]
    images += [(found[1], "") for found in _HTML.finditer(text)]
    if not images:
        return [], text
    urls = {url for url, _ in images}
    rest = _replaced(text, ((start, end, "") for start, end, _, url in spans if url in urls))
    rest = _HTML.sub(lambda found: "" if found[1] in urls else found[0], rest)
    return images, re.sub(r"\n{3,}", "\n\n", rest).strip()


def as_addresses(text: str) -> str:
    """Replace every image in Markdown by its bare URL."""
    return _replaced(text, ((start, end, url) for start, end, _, url in _spans(text, _ANY, _ANY_ENDS)))


def _spans(text: str, opens: re.Pattern[str], ends: re.Pattern[str]) -> Iterator[Span]:
    """Yield every `![alt](url)`, leftmost first. `opens` matches from the `]` on, `ends` after the URL."""
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
