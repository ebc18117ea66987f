"""Mentions in the text that the agent reads.

A mention of us that *addresses* us (at the start or end of the text) is removed, with the punctuation and invisible
characters that cling to it. A mention inside a sentence stays readable. Nothing else changes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter

from . import wording
from .events import Inbound, Me, Mention

INVISIBLE = "\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
"""Zero-width and bidi characters that clients put around mentions, for a character class."""
_BLANK = rf"[\s{INVISIBLE}]"
_LEADING_BLANK = re.compile(rf"{_BLANK}*")
_CLINGS_AFTER = re.compile(rf"[{INVISIBLE}]*(?:[,:;!]+|[ \t]*[—–]|\.{{1,3}}(?={_BLANK}|$)|…)?{_BLANK}*")
_CLINGS_BEFORE = frozenset(",;:—–")
# Next to one of these a mention is part of a longer word: `@bot's`, `@bot/ops`, `cc/@bot`, `**@bot**`.
_JOINS_AFTER = frozenset("'’/?)]}*_~`\"\\.-&@#=<>|+")
_JOINS_BEFORE = _JOINS_AFTER | frozenset("([{!")
# Possessive quantifiers: with thousands of blanks, backtracking would stall the event loop.
_CLOSING = re.compile(rf"{_BLANK}*+([.!?…]*+){_BLANK}*+$")

_Piece = str | Mention


def readable(text: str, mentions: Collection[Mention]) -> str:
    """Return the text with every mention as `@name`."""
    return _render(_pieces(text, mentions)) if mentions else text


def said(inbound: Inbound) -> str:
    """Return the text of a message with every mention as `@name`, and its cards."""
    return with_cards(readable(inbound.text, inbound.mentions), inbound.cards)


def with_cards(text: str, cards: Sequence[str]) -> str:
    """Return the text, and the cards below it. A command stays alone: lines below would be its arguments."""
    if not cards or starts_command(text):
        return text
    return "\n".join([*([text] if text.strip() else []), *cards])


def addressed(text: str, mentions: Collection[Mention], me: Me) -> str:
    """Return the text as a request to us, without our addressing mentions, and with a command at its very start.

    `@bot, /sethome` gives `/sethome`; `@bot/ops` stays unchanged. A text of nothing but our mention stays too.
    """
    if not mentions:
        return _command_first(text)
    pieces = _pieces(text, mentions)
    stripped = _command_first(_render(_strip_end(_strip_start(pieces, me), me)))
    return stripped if stripped.strip() else _render(pieces)


def starts_command(text: str) -> bool:
    """Return True for a slash command, after any white space and invisible characters."""
    return text.startswith("/", _blank_end(text))


def without_alias(text: str, aliases: Iterable[str]) -> str | None:
    """Return the text after the alias that it starts with; None if it starts with none of them."""
    start = _blank_end(text)
    for alias in aliases:
        end = start + len(alias)
        if text[start:end].casefold() == alias.casefold() and not text[end : end + 1].isalnum():
            rest = text[end:]
            cling = _clinging(rest)
            if cling == 0 and rest[:1] in _JOINS_AFTER:
                continue
            return _command_first(rest[cling:])
    return None


def _clinging(rest: str) -> int:
    """Return the length of the punctuation and blanks that cling to the mention before them."""
    cling = _CLINGS_AFTER.match(rest)
    return cling.end() if cling else 0


def _blank_end(text: str) -> int:
    if not text or text[0].isalnum():
        return 0
    blank = _LEADING_BLANK.match(text)
    return blank.end() if blank else 0


def _without_blank_end(text: str) -> str:
    # Reversed, because a search for blanks up to the end takes quadratic time.
    return text[: len(text) - _blank_end(text[::-1])]


def _command_first(text: str) -> str:
    start = _blank_end(text)
    return text[start:] if text.startswith("/", start) else text


def _pieces(text: str, mentions: Iterable[Mention]) -> list[_Piece]:
    """Split into literal text and mentions in turn, starting and ending with literal text."""
    pieces: list[_Piece] = []
    at = 0
    # The ranges are the sender's claims: they may overlap or exceed the text.
    spanned = [(mention.span, mention) for mention in mentions if mention.span]
    for (start, end), mention in sorted(spanned, key=itemgetter(0)):
        if start < at or end > len(text):
            continue
        pieces += [text[at:start], mention]
        at = end
    return [*pieces, text[at:]]


def _render(pieces: Sequence[_Piece]) -> str:
    shown = [_literal(pieces[0])]
    for piece, following in zip(pieces[1::2], pieces[2::2], strict=True):
        assert isinstance(piece, Mention)
        shown += [wording.mention(piece.name, _literal(following)), _literal(following)]
    return "".join(shown)


def _is_ours(piece: _Piece, me: Me) -> bool:
    return isinstance(piece, Mention) and me.recognises(piece.address) is True


def _is_blank(text: str) -> bool:
    return _blank_end(text) == len(text)


def _strip_start(pieces: list[_Piece], me: Me) -> list[_Piece]:
    at, left = 0, _literal(pieces[0])
    while at + 2 < len(pieces) and _is_blank(left) and _is_ours(pieces[at + 1], me):
        rest = _literal(pieces[at + 2])
        cling = _clinging(rest)
        if cling == 0 and rest[:1] in _JOINS_AFTER:
            break
        at, left = at + 2, rest[cling:]
    return [left, *pieces[at + 1 :]]


def _strip_end(pieces: list[_Piece], me: Me) -> list[_Piece]:
    at, left = len(pieces) - 1, _literal(pieces[-1])
    closings: list[str] = []
    while at >= 2 and _is_ours(pieces[at - 1], me) and (closing := _CLOSING.match(left)):
        before = _literal(pieces[at - 2])
        if before[-1:] in _JOINS_BEFORE:
            break
        before = _without_blank_end(before)
        if before[-1:] in _CLINGS_BEFORE:
            before = _without_blank_end(before[:-1])
        if not before and at == 2:
            break
        at, left = at - 2, before
        # The end of the sentence stays: `thanks @bot!` becomes `thanks!`.
        closings.append(closing[1])
    return [*pieces[:at], left + "".join(reversed(closings))]


def _literal(piece: _Piece) -> str:
    assert isinstance(piece, str)
    return piece
