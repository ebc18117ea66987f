"""Block parser for a post's Markdown that finds the same paragraphs as the server's parser.

The server recognises only quotes, lists and code. It treats headings and tables as paragraphs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise

_DEEPEST = 32
"""Maximum number of open blocks; deeper marks count as text. Keeps the work linear in the length of the text."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_MARKER = re.compile(r"([0-9]{1,9})[.)]|[-+*]")
_FENCE = re.compile(r"```+|~~~+")


class _Kind(Enum):
    DOCUMENT = auto()
    QUOTE = auto()
    LIST = auto()
    ITEM = auto()
    PARAGRAPH = auto()
    FENCED = auto()
    INDENTED = auto()


_CONTAINERS = (_Kind.DOCUMENT, _Kind.QUOTE, _Kind.ITEM)
_CODE = (_Kind.FENCED, _Kind.INDENTED)


@dataclass(slots=True)
class _Block:
    """An open block. `indent` is that of a list item, in columns. A list accepts items with any marker."""

    kind: _Kind
    indent: int = 0
    fence: str = ""
    empty: bool = True
    lines: list[tuple[int, int]] = field(default_factory=list)


class _Line:
    """A line read from the left. `at` is the index of its next character that is not white space, `indent` the columns
    before it."""

    def __init__(self, source: str, start: int, end: int) -> None:
        self.source, self.end = source, end
        self.stop = start + len(source[start:end].rstrip())
        self.go_to(start)

    def go_to(self, at: int) -> None:
        self.at, self.indent = at, 0
        while self.at < self.end and (character := self.source[self.at]) in " \t":
            self.indent += 4 if character == "\t" else 1
            self.at += 1

    @property
    def blank(self) -> bool:
        return self.at >= self.stop

    def starts_with(self, text: str) -> bool:
        return self.source.startswith(text, self.at, self.end)


def paragraphs(source: str) -> list[list[tuple[int, int]]]:
    """Return all blocks except code, each as the source ranges of its lines without container marks."""
    found: list[list[tuple[int, int]]] = []
    blocks = [_Block(_Kind.DOCUMENT)]
    for match in _LINE.finditer(source):
        line = _Line(source, *match.span())
        matched = 1
        while matched < len(blocks) and _continues(blocks[matched], line):
            matched += 1
        last = blocks[matched - 1]
        started = [] if last.kind in _CODE else _started(line, blocks, matched)
        if not started:
            # A line without a mark of its own continues the open paragraph, even outside its quote or list item.
            if blocks[-1].kind is _Kind.PARAGRAPH and not line.blank:
                blocks[-1].lines.append((line.at, line.end))
                continue
            del blocks[matched:]
            if last.kind is _Kind.FENCED and _closes(last, line):
                blocks.pop()
            if last.kind in _CODE or line.blank:
                continue
            started = [_Block(_Kind.PARAGRAPH)]
        if started[-1].kind is _Kind.PARAGRAPH:
            started[-1].lines.append((line.at, line.end))
            found.append(started[-1].lines)
        _attach(started, blocks, matched)
    return found


def _continues(block: _Block, line: _Line) -> bool:
    match block.kind:
        case _Kind.QUOTE:
            if line.indent > 3 or not line.starts_with(">"):
                return False
            line.go_to(line.at + 1)
            line.indent = max(0, line.indent - 1)
        case _Kind.ITEM:
            # An item can begin with a blank line, but with one only.
            if line.blank:
                return not block.empty
            if line.indent < block.indent:
                return False
            line.indent -= block.indent
        case _Kind.PARAGRAPH:
            return not line.blank
        case _Kind.INDENTED:
            return line.indent >= 4
        case _:
            pass
    return True


def _started(line: _Line, blocks: list[_Block], matched: int) -> list[_Block]:
    """Return the blocks that begin on this line, outermost first; empty if it continues an open block."""
    started: list[_Block] = []
    while True:
        interrupts = not started and blocks[-1].kind is _Kind.PARAGRAPH
        room = matched + len(started) < _DEEPEST
        if room and line.indent <= 3 and line.starts_with(">"):
            line.go_to(line.at + (2 if line.starts_with("> ") else 1))
            started.append(_Block(_Kind.QUOTE))
            continue
        if room and (item := _list_item(line, blocks, matched, inside=bool(started))):
            started += item
            continue
        if line.indent >= 4 and not line.blank and not interrupts:
            started.append(_Block(_Kind.INDENTED))
        elif (fence := _FENCE.match(line.source, line.at, line.end)) and "`" not in line.source[fence.end() : line.end]:
            started.append(_Block(_Kind.FENCED, fence=fence[0]))
        elif started and not line.blank:
            started.append(_Block(_Kind.PARAGRAPH))
        break
    for parent, _ in pairwise(started):
        parent.empty = False
    return started


def _list_item(line: _Line, blocks: list[_Block], matched: int, *, inside: bool) -> list[_Block]:
    last = blocks[matched - 1]
    if line.indent > 3 and (inside or last.kind is not _Kind.LIST):
        return []
    marker = _MARKER.match(line.source, line.at, line.end)
    if marker is None:
        return []
    blank = marker.end() >= line.stop
    # Only an item with content, numbered 1 if at all, can interrupt a paragraph.
    if not inside and last.kind is _Kind.PARAGRAPH and (blank or int(marker[1] or 1) != 1):
        return []
    if not blank and line.source[marker.end()] not in " \t":
        return []
    indent = line.indent + len(marker[0])
    line.go_to(marker.end())
    # Five columns or more are one column of the marker and an indented code block.
    padding = 1 if blank or line.indent >= 5 else line.indent
    line.indent -= padding
    return [_Block(_Kind.LIST), _Block(_Kind.ITEM, indent=indent + padding)]


def _closes(fenced: _Block, line: _Line) -> bool:
    rest = line.source[line.at + len(fenced.fence) : line.end]
    return line.indent <= 3 and line.starts_with(fenced.fence) and not rest.strip().strip(fenced.fence[0])


def _attach(started: list[_Block], blocks: list[_Block], matched: int) -> None:
    """Add the new blocks to the innermost open block that accepts them, and close the blocks inside that one."""
    while not _accepts(blocks[matched - 1], started[0]):
        matched -= 1
    parent = blocks[matched - 1]
    parent.empty = False
    blocks[matched:] = started[1:] if parent.kind is _Kind.LIST else started


def _accepts(parent: _Block, child: _Block) -> bool:
    return parent.kind in _CONTAINERS or (parent.kind is child.kind is _Kind.LIST)
