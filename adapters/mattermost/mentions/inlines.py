"""Extracts the readable text of a post's Markdown, as the server's own parser does.

Inside a paragraph, the server recognises code, links, URLs, emoji, escapes and entities, but not emphasis, whose marks
count as ordinary characters. Every step moves forward, and its look-ahead is bounded.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html.entities import html5
from itertools import accumulate
from operator import itemgetter
from string import ascii_letters, digits

from . import links
from .blocks import paragraphs
from .links import ESCAPED

_TOKEN = re.compile(
    rf"(?P<escape>{ESCAPED})"
    r"|(?P<ticks>`+)"
    r"|&(?P<entity>#[xX][0-9a-fA-F]{1,8}|#[0-9]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});"
    r"|(?P<opening>!?\[)"
    r"|(?P<closing>\])"
    r"|(?P<url>(?<![A-Za-z0-9])(?i:https?|ftp|mailto|tel|gemini)://)"
    r"|(?P<www>(?i:www)[0-9]{0,3}\.)"
    r"|(?P<emoji>:[a-z0-9_+-]+:(?![A-Za-z0-9_]))"
)
_BEGINS = "\\`&![]:"
"""The first characters of all tokens except URLs."""
_BEGIN = re.compile(f"[{re.escape(_BEGINS)}]")
_MARKS = "`\\&]\t"
_LONGER_MARKS = (b"~~~", b"://", b"    ", b"www")
_EMOJI = re.compile(":[a-z0-9_+-]++:")
_TICKS = re.compile("`+")
_LABEL = re.compile(rf"\[((?:{ESCAPED}|[^\[\]]){{0,999}}+)\]")
_WORD = frozenset(ascii_letters + digits + "_")
_BEFORE_WWW = " \t\n\v\f\r*_~)<(>"


@dataclass(frozen=True, slots=True)
class Plain:
    """The readable text. A line break replaces each part that is not text, so that no mention spans it.

    `pieces` are (index in the text, index in the source, True if the piece is copied character by character), in order.
    """

    text: str
    pieces: tuple[tuple[int, int, bool], ...]

    def origin(self, at: int) -> int:
        """Return the index in the source of a character of the text; for the text's end, the source's end."""
        place, source, moves = self.pieces[bisect_right(self.pieces, at, key=itemgetter(0)) - 1]
        return source + (at - place if moves else 0)


def plain(source: str) -> Plain:
    """Return the text of a post without code, URLs and link destinations."""
    if _has_no_marks(source):
        return Plain(source, ((0, 0, True),))
    # All definitions first: a link may refer to a label that a later paragraph defines.
    labels: set[str] = set()
    readers = []
    for lines in paragraphs(source):
        reader = _Reader(source, lines)
        labels |= reader.take_definitions()
        readers.append(reader)
    text: list[str] = []
    pieces: list[tuple[int, int, bool]] = []
    length = 0
    for reader in readers:
        reader.read(labels)
        text += [*reader.text, "\n"]
        pieces += [(length + place, origin, moves) for place, origin, moves in reader.pieces]
        length += reader.length
        pieces.append((length, reader.end, False))
        length += 1
    return Plain("".join(text), (*pieces, (length, len(source), False)))


def _has_no_marks(source: str) -> bool:
    """Return True if nothing in the source can be code, a link, an emoji, an escape or an entity.

    Quotes and lists hide no text. A link needs a closing bracket; an opening one alone only ends a word.
    """
    if any(mark in source for mark in _MARKS):
        return False
    folded = source.encode("utf-8", "surrogatepass").lower()  # faster than lower-casing text with wide characters
    if any(mark[-1:] in folded and mark in folded for mark in _LONGER_MARKS):
        return False
    return folded.count(b":") < 2 or not _EMOJI.search(source)


class _Reader:
    """Reads one paragraph from the left."""

    def __init__(self, source: str, lines: Sequence[tuple[int, int]]) -> None:
        self.raw = "".join(source[start:end] for start, end in lines)
        self.lines = [start for start, _ in lines]
        """The index of each line's start in the source. `begins` holds its index in the paragraph."""
        self.begins = [0, *accumulate(end - start for start, end in lines)]
        self.end = lines[-1][1]
        self.position = 0
        self.start = 0
        """The index at which the text starts, after the link definitions."""
        self.text: list[str] = []
        self.pieces: list[tuple[int, int, bool]] = []
        self.length = 0
        # Open brackets: True for an image, False for a link. Those below `dead` contain a link and cannot become links.
        self.openings: list[tuple[bool, int]] = []
        self.dead = 0
        self.images = 0
        self.ticks: dict[int, list[int]] = {}

    def take_definitions(self) -> set[str]:
        """Skip the link definitions that the paragraph begins with, and return their labels."""
        labels = set()
        at = links.skip_blanks(self.raw, 0)
        while (label := _LABEL.match(self.raw, at)) and (end := links.definition_end(self.raw, label.end())):
            labels.add(_normal(label[1]))
            at = links.skip_blanks(self.raw, end)
        self.position = self.start = at
        return labels

    def read(self, labels: Collection[str]) -> None:
        for run in _TICKS.finditer(self.raw, self.position):
            self.ticks.setdefault(len(run[0]), []).append(run.start())
        # Two ways to find the next token: the regex alone is slow on plain text, because a URL can begin anywhere.
        has_urls = "://" in self.raw or "www" in self.raw.lower()
        is_dense = sum(map(self.raw.count, _BEGINS)) * 16 > len(self.raw)
        search = _TOKEN.search if has_urls or is_dense else _next
        while token := search(self.raw, self.position):
            start, end = token.span()
            self._keep(self.position, start)
            match token.lastgroup:
                case "escape":
                    self._put(token[0][1], start)
                case "ticks":
                    end = self._code(start, end)
                case "entity":
                    self._put(_entity(token["entity"]), start)
                case "opening":
                    self.openings.append((token[0] == "![", end))
                    self.images += token[0] == "!["
                    self._hide(start)
                case "closing":
                    self._hide(start)
                    end = self._close(start, labels)
                case "emoji":
                    end = self._emoji(start, end)
                case _:
                    end = self._url(start, end, is_www=token.lastgroup == "www")
            self.position = end
        self._keep(self.position, len(self.raw))

    def _keep(self, start: int, end: int) -> None:
        self.text.append(self.raw[start:end])
        line = bisect_right(self.begins, start) - 1
        while start < end:
            stop = min(end, self.begins[line + 1])
            self.pieces.append((self.length, self.lines[line] + start - self.begins[line], True))
            self.length += stop - start
            start, line = stop, line + 1

    def _put(self, characters: str, start: int) -> None:
        self.text.append(characters)
        line = bisect_right(self.begins, start) - 1
        self.pieces.append((self.length, self.lines[line] + start - self.begins[line], False))
        self.length += len(characters)

    def _hide(self, start: int) -> None:
        self._put("\n", start)

    def _code(self, start: int, end: int) -> int:
        """Return the end of code, which is the next run of equally many backticks. Without it, they are text."""
        runs = self.ticks.get(end - start, [])
        closing = bisect_left(runs, end)
        self._hide(start)
        return runs[closing] + end - start if closing < len(runs) else end

    def _emoji(self, start: int, end: int) -> int:
        if start > self.start + 1 and self.raw[start - 1] in _WORD:
            self._put(":", start)
            return start + 1
        self._hide(start)
        return end

    def _close(self, start: int, labels: Collection[str]) -> int:
        """Return the position after a closing bracket, or after the destination or label if it closes a link."""
        if not self.openings:
            return start + 1
        is_image, inside = self.openings.pop()
        self.images -= is_image
        alive = is_image or len(self.openings) >= self.dead
        self.dead = min(self.dead, len(self.openings))
        if not alive:
            return start + 1
        end = links.destination_and_title_end(self.raw, start + 1, is_image=is_image)
        if end is None and labels:
            end = self._reference_end(inside, start, labels)
        if end is None:
            return start + 1
        if not is_image:
            self.dead = len(self.openings)
        return end

    def _reference_end(self, inside: int, start: int, labels: Collection[str]) -> int | None:
        after = _LABEL.match(self.raw, start + 1)
        label = after[1] if after and after[1] else self.raw[inside : min(start, inside + 1000)]
        if _normal(label) not in labels:
            return None
        return after.end() if after else start + 1

    def _url(self, start: int, end: int, *, is_www: bool) -> int:
        """Return the position after a URL, or after its first characters if it is none.

        Inside brackets that may become a link, the server recognises no URLs.
        """
        in_word = is_www and start > self.start + 1 and self.raw[start - 1] not in _BEFORE_WWW
        if not in_word and not self.images and len(self.openings) <= self.dead:
            link = links.url_end(self.raw, start, start if is_www else end)
            if link > start:
                self._hide(start)
                return link
        self._keep(start, end)
        return end


def _next(raw: str, position: int) -> re.Match[str] | None:
    """Return the next token of a text without URLs, looking only at characters that can begin one."""
    tokens = (_TOKEN.match(raw, begin.start()) for begin in _BEGIN.finditer(raw, position))
    return next((token for token in tokens if token), None)


def _normal(label: str) -> str:
    return " ".join(label.split()).casefold()


def _entity(name: str) -> str:
    if not name.startswith("#"):
        return html5.get(f"{name};", "&")
    number = int(name[2:], 16) if name[1] in "xX" else int(name[1:])
    return chr(number) if 0 < number < 0xD800 or 0xDFFF < number < 0x110000 else "\ufffd"
