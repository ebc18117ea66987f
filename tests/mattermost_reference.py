"""The server's mention grammar once more: slow, recursive and with nothing clever, to compare with."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from html import unescape

WHITE = " \t\n\v\f\r"
WORDS = string.ascii_letters + string.digits + "_"


@dataclass(frozen=True)
class Line:
    """`lazy`: it only goes on with the paragraph that is open somewhere inside."""

    indent: int
    rest: str
    lazy: bool = False

    @property
    def blank(self) -> bool:
        return not self.rest.strip()


def line_of(text: str, take: int = 0) -> Line:
    rest = text.lstrip(" \t")
    indent = sum(4 if c == "\t" else 1 for c in text[: len(text) - len(rest)])
    return Line(max(0, indent - take), rest)


def start_of(line: Line, *, after_list: bool, in_paragraph: bool, unmatched_paragraph: bool) -> str | None:
    if line.indent <= 3 and line.rest.startswith(">"):
        return "quote"
    if marker := re.match(r"(\d{1,9})[.)]|[-+*]", line.rest):
        rest = line.rest[marker.end() :]
        cannot = in_paragraph and (not rest.strip() or int(marker[1] or 1) != 1)
        if (line.indent <= 3 or after_list) and not cannot and (not rest.strip() or rest[0] in " \t"):
            return "list"
    if line.indent >= 4 and not line.blank and not in_paragraph and not unmatched_paragraph:
        return "indented"
    if (fence := re.match("```+|~~~+", line.rest)) and "`" not in line.rest[fence.end() :]:
        return "fence"
    return None


def blocks(lines: list[Line]) -> tuple[list[str], bool]:
    """The paragraphs in these lines, and whether a paragraph is still open at their end."""
    found: list[str] = []
    is_open = False
    after_list = False
    i = 0
    while i < len(lines):
        line = lines[i]
        start = start_of(line, after_list=after_list, in_paragraph=is_open, unmatched_paragraph=False)
        after_list = False
        if line.lazy or start is None:
            if line.blank:
                is_open = False
            elif is_open:
                found[-1] += line.rest
            else:
                found.append(line.rest)
                is_open = True
            i += 1
            continue
        if start == "quote":
            inner, i = quoted(lines, i)
            paragraphs, is_open = blocks(inner)
            found += paragraphs
        elif start == "list":
            items, i = listed(lines, i)
            for item in items:
                paragraphs, is_open = blocks(item)
                found += paragraphs
            after_list = True
        else:
            is_open = False
            i = after_code(lines, i, start)
        is_open = is_open and i == len(lines)
    return found, is_open


def quoted(lines: list[Line], i: int) -> tuple[list[Line], int]:
    rest = lines[i].rest[1:]
    inner = [line_of(rest[1:] if rest.startswith(" ") else rest)]
    for j in range(i + 1, len(lines)):
        line = lines[j]
        if line.lazy:
            inner.append(line)
        elif line.indent <= 3 and line.rest.startswith(">"):
            inner.append(line_of(line.rest[1:], 1))
        elif goes_on(line, inner, after_list=False):
            inner.append(Line(line.indent, line.rest, lazy=True))
        else:
            return inner, j
    return inner, len(lines)


def goes_on(line: Line, inner: list[Line], *, after_list: bool) -> bool:
    start = start_of(line, after_list=after_list, in_paragraph=False, unmatched_paragraph=True)
    return not line.blank and start is None and blocks(inner)[1]


def listed(lines: list[Line], i: int) -> tuple[list[list[Line]], int]:
    items: list[list[Line]] = []
    indent = 0
    closed = True
    for j in range(i, len(lines)):
        line = lines[j]
        paragraph = not closed and blocks(items[-1])[1]
        if line.lazy:
            items[-1].append(line)
        elif line.blank:
            closed = closed or all(inner.blank for inner in items[-1])
            if not closed:
                items[-1].append(line)
        elif not closed and line.indent >= indent:
            items[-1].append(Line(line.indent - indent, line.rest))
        elif start_of(line, after_list=True, in_paragraph=False, unmatched_paragraph=paragraph) == "list":
            width = len(line.rest) - len(line.rest.lstrip(string.digits)) + 1
            first = line_of(line.rest[width:])
            eaten = 1 if first.blank or first.indent >= 5 else first.indent
            indent, closed = line.indent + width + eaten, False
            items.append([Line(max(0, first.indent - eaten), first.rest)])
        elif not closed and goes_on(line, items[-1], after_list=True):
            items[-1].append(Line(line.indent, line.rest, lazy=True))
        else:
            return items, j
    return ([*items, []] if closed else items), len(lines)


def after_code(lines: list[Line], i: int, start: str) -> int:
    fence = re.match("`+|~+", lines[i].rest) if start == "fence" else None
    for j in range(i + 1, len(lines)):
        line = lines[j]
        if not fence and not line.blank and line.indent < 4:
            return j
        if fence and line.indent <= 3 and re.fullmatch(rf"{fence[0]}\s*{fence[0][0]}*\s*", line.rest):
            return j + 1
    return len(lines)


def escaped(raw: str, i: int) -> bool:
    return raw[i] == "\\" and i + 1 < len(raw) and raw[i + 1] in string.punctuation


def skipped(raw: str, i: int) -> int:
    return len(raw) - len(raw[i:].lstrip(WHITE))


def closed_by(raw: str, i: int, closers: str, never: str = "") -> int | None:
    while i < len(raw):
        if escaped(raw, i):
            i += 2
        elif raw[i] in closers:
            return i
        elif raw[i] in never:
            return None
        else:
            i += 1
    return None


def after_destination(raw: str, i: int) -> int | None:
    if i >= len(raw):
        return None
    if raw[i] == "<" and (end := closed_by(raw, i + 1, ">", "<" + WHITE)) is not None:
        return end + 1
    depth = 0
    while i < len(raw):
        if escaped(raw, i):
            i += 2
            continue
        if raw[i] in WHITE or (raw[i] == ")" and depth == 0):
            return i
        depth += {"(": 1, ")": -1}.get(raw[i], 0)
        i += 1
    return i


def after_title(raw: str, i: int) -> int | None:
    """Behind white space and a title; None when there is none."""
    begin = skipped(raw, i)
    if begin == i or begin >= len(raw) or raw[begin] not in "\"'(":
        return None
    closer = ")" if raw[begin] == "(" else raw[begin]
    end = closed_by(raw, begin + 1, closer, "(" if closer == ")" else "")
    return None if end is None else end + 1


def after_link(raw: str, i: int) -> int | None:
    if raw[i : i + 1] != "(":
        return None
    i = skipped(raw, i + 1)
    if raw[i : i + 1] == ")":
        return i + 1
    end = after_destination(raw, i)
    if end is None:
        return None
    title = after_title(raw, end)
    end = skipped(raw, end if title is None else title)
    return end + 1 if raw[end : end + 1] == ")" else None


def after_label(raw: str, i: int) -> int | None:
    end = closed_by(raw, i + 1, "]", "[") if raw[i : i + 1] == "[" else None
    return None if end is None else end + 1


def without_definitions(raw: str, labels: list[str]) -> str:
    raw = raw.lstrip(WHITE)
    end = after_label(raw, 0)
    if end is None or raw[end : end + 1] != ":":
        return raw
    destination = after_destination(raw, skipped(raw, end + 1))
    for i in (None if destination is None else after_title(raw, destination), destination):
        if i is not None and (rest := re.match(r"[ \t\v\f]*(\r\n|\r|\n|\Z)", raw[i:])):
            labels.append(" ".join(raw[1 : end - 1].lower().split()))
            return without_definitions(raw[i + rest.end() :], labels)
    return raw


def after_url(raw: str, i: int) -> int | None:
    scheme = re.match("(https?|ftp|mailto|tel|gemini)://", raw[i:], re.I)
    www = re.match(r"www\d{0,3}\.", raw[i:], re.I)
    if scheme and (i == 0 or raw[i - 1] not in string.ascii_letters + string.digits):
        host = i + scheme.end()
    elif www and (i <= 1 or raw[i - 1] in WHITE + "*_~)<(>"):
        host = i
    else:
        return None
    punctuation = "!\"#%&'()*,-./:;?@[\\]_{}"
    if host >= len(raw) or raw[host] in WHITE + punctuation:
        return None
    at = host + 1
    while at < len(raw) - 1 and raw[at].isascii() and (raw[at] in "-." or raw[at] not in WHITE + punctuation):
        at += 1
    if raw[at : at + 1] == "_" and at < len(raw) - 1:
        return None
    return i + len(re.split("[ \t\n\v\f\r<>]", raw[i:])[0])


def read(raw: str, labels: list[str]) -> str:
    """What is readable of a paragraph, a line break for all that is not."""
    text = ""
    i = 0
    openings: list[list[object]] = []
    while i < len(raw):
        ticks = re.match("`+", raw[i:])
        entity = re.match("&(#[xX][0-9a-fA-F]{1,8}|#[0-9]{1,8}|[A-Za-z][A-Za-z0-9]{1,31});", raw[i:])
        emoji = re.match(":[a-z0-9_+-]+:(?![A-Za-z0-9_])", raw[i:])
        url = None if any(opening[0] for opening in openings) else after_url(raw, i)
        if escaped(raw, i):
            text, i = text + raw[i + 1], i + 2
        elif ticks:
            code = re.match(rf"`{{{ticks.end()}}}(?!`).*?(?<!`)`{{{ticks.end()}}}(?!`)", raw[i:], re.S)
            text, i = text + "\n", i + (code.end() if code else ticks.end())
        elif entity and unescape(entity[0]) != entity[0]:
            text, i = text + unescape(entity[0]), i + entity.end()
        elif emoji and not (i > 1 and raw[i - 1] in WORDS):
            text, i = text + "\n", i + emoji.end()
        elif raw[i] == "[" or raw[i : i + 2] == "![":
            width = 1 if raw[i] == "[" else 2
            openings.append([True, width == 2, i + width])
            text, i = text + "\n", i + width
        elif raw[i] == "]":
            text += "\n"
            alive, is_image, inside = openings.pop() if openings else (False, False, 0)
            end = after_link(raw, i + 1) if alive else None
            if alive and end is None:
                assert isinstance(inside, int)
                label = after_label(raw, i + 1)
                named = raw[i + 2 : label - 1] if label and label > i + 3 else raw[inside:i]
                if " ".join(named.lower().split()) in labels:
                    end = label or i + 1
            if end is not None and not is_image:
                for opening in openings:
                    opening[0] = opening[1]
            i = end or i + 1
        elif url is not None and url > i:
            text, i = text + "\n", url
        else:
            text, i = text + raw[i], i + 1
    return text


def reference(source: str, users: dict[str, str]) -> tuple[list[str], bool]:
    """The ids of the mentioned, in order, and whether everybody is."""
    lines = [line_of(text) for text in re.findall("[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+", source)]
    labels: list[str] = []
    raws = [without_definitions(raw, labels) for raw in blocks(lines)[0]]
    names: list[str] = []
    known = {f"@{name}" for name in (*users, "all", "channel", "here")}
    for word in re.findall(r"[\w.:@-]+", "\n".join(read(raw, labels) for raw in raws)):
        core = word.lstrip(":.-_").lower()
        if word.startswith(":") and word.endswith(":"):
            continue
        if core.startswith("@"):
            tries = [core[:end] for end in range(len(core), 0, -1) if not core[end:].strip(".-:_")]
            names += [name for name in tries if name in known][:1]
        else:
            names += [part for part in re.split("[.:-]", core) if part in known]
    ids = [users.get(name[1:]) for name in names]
    return [user_id for user_id in ids if user_id], None in ids
