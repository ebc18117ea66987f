"""The leak check: searches the files of a recording for any part of the originals before they are written.

It is independent of the rules that rewrote the recording: it looks for every string of the originals under any key,
except for the words of the protocols themselves.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from ..core.errors import HardenedError
from ..core.people import as_number
from ..core.wording import invisible_characters
from .documents import leaves, nested, parsed_json
from .masking import mask
from .pseudonyms import KEPT, MILLISECONDS, SECONDS

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d{4,}", re.ASCII)
_ID = re.compile(r"(?<![\w+/=-])(?=[\w+/-]*[\d=])[\w+/-]{16,}={0,2}(?![\w+/=-])", re.ASCII)
"""A long run of id characters with a digit or padding: an id in any spelling. Without a digit it is a word."""
_ALONE = re.compile(r"(?<!\w)\d{4,}(?!\w)")
_CANDIDATE = re.compile(r"[\w+/=-]{16,}", re.ASCII)
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_BARE_NUMBER = re.compile(r"(?<=[:\[,])-?\d+(?:\.\d+)?(?=[,\]}])", re.ASCII)

_NAME_LENGTH = 3
_WORD_LENGTH = 4
_ID_LENGTH = 12
_LONG_DIGITS = 10
_HIDDEN_LENGTH = 2


class Leak(HardenedError):
    """The files still contain originals; `kinds` counts them by kind. The message quotes none of them."""

    def __init__(self, kinds: Counter[str]) -> None:
        counts = ", ".join(f"{number} of kind {kind}" for kind, number in sorted(kinds.items()))
        super().__init__(
            f"nothing was written: {sum(kinds.values())} originals would still be readable ({counts});"
            " please report this, with the versions of the network's server and of this package"
        )
        self.kinds = kinds


class Originals:
    """The contents of the originals, for which files are searched.

    `vocabulary` holds the protocols' own words, `names` the keys of names, `numbers` the keys whose numbers are kept.
    """

    def __init__(self, vocabulary: Iterable[str], names: Collection[str], numbers: Collection[str] = ()) -> None:
        self._keys = frozenset(vocabulary)
        kept = {*self._keys, *KEPT}
        self._vocabulary = {word.casefold() for phrase in kept for word in _WORD.findall(phrase)}
        self._names = names
        self._free = numbers
        self._numbers: set[float] = set()
        self._hidden: set[str] = set()
        self._words: dict[str, str] = {}
        self._phrases: set[str] = set()
        self._digits: dict[str, str] = {}
        self._ids: set[str] = set()

    def add(self, value: Any, key: str = "") -> None:
        """Add all contents of a JSON document, including JSON inside its strings."""
        match value:
            case dict():
                for name, inner in value.items():
                    if name not in self._keys:
                        self._add_string(name, "")
                    self.add(inner, name)
            case list():
                for inner in value:
                    self.add(inner, key)
            case str():
                inner = nested(value)
                self.add(inner, key) if inner is not None else self._add_string(value, key)
            case bool() | None:
                pass
            case int() if value in MILLISECONDS or value in SECONDS:
                self._digits[str(value)] = "time"
            case int() | float() if value and key not in self._free:
                self._numbers.add(value)

    def _add_string(self, value: str, key: str) -> None:
        is_name = key in self._names
        if is_name and len(value) >= _NAME_LENGTH and not _is_mask(value.casefold()):
            self._phrases.add(value.casefold())
        if number := as_number(value):
            self._digits[number[1:]] = "number"
            return
        for digits in _DIGITS.findall(value):
            if digits.strip("0"):
                self._digits.setdefault(digits, "digits")
        self._hidden.update(_hidden_lines(value))
        for found in _ID.findall(value):
            self._add_id(found)
        for word in _WORD.findall(value.casefold()):
            self._add_word(word, is_name)

    def _add_id(self, found: str) -> None:
        """Add an id and, if it consists of several, its parts. The protocols' own words alone are no id."""
        if _is_mask(found) or {word.casefold() for word in _WORD.findall(found)} <= self._vocabulary:
            return
        parts = (found, *found.split("__"))
        self._ids.update(_folded(part) for part in parts if len(_folded(part)) >= _ID_LENGTH)

    def _add_word(self, word: str, is_name: bool) -> None:
        if len(word) < (_NAME_LENGTH if is_name else _WORD_LENGTH) or (word.isascii() and word.isdigit()):
            return
        if word not in self._vocabulary and not _is_mask(word):
            self._words[word] = "name" if is_name or self._words.get(word) == "name" else "word"

    def search(self, written: Iterable[bytes], issued: Iterable[str]) -> None:
        """Raise Leak if a file contains an original. `issued` holds the pseudonyms, which are no originals."""
        ours = {word.casefold() for pseudonym in issued for word in _WORD.findall(pseudonym)}
        found: set[tuple[str, str]] = set()
        for content in written:
            documents = _documents(content.decode("utf-8", "replace"))
            found.update(("number under another key", str(number)) for number in self._misplaced_numbers(documents, ""))
            for surface in (*_surfaces(content), "\n".join(leaves(documents))):
                found.update(self._found(surface, ours))
        if found:
            raise Leak(Counter(kind for kind, _ in found))

    def _misplaced_numbers(self, value: Any, key: str) -> Iterator[float]:
        """Yield the originals' numbers under keys whose numbers are not kept. A bare list contains our own times."""
        match value:
            case dict():
                for name, inner in value.items():
                    yield from self._misplaced_numbers(inner, name)
            case list():
                for inner in value:
                    yield from self._misplaced_numbers(inner, key)
            case str() if (inner := nested(value)) is not None:
                yield from self._misplaced_numbers(inner, key)
            case int() | float() if not isinstance(value, bool) and key and key not in self._free:
                if value in self._numbers:
                    yield value

    def _found(self, surface: str, ours: set[str]) -> Iterator[tuple[str, str]]:
        yield from (("hidden text", text) for text in self._hidden.intersection(_hidden_lines(surface)))
        folded = surface.casefold()
        without_numbers = _BARE_NUMBER.sub("", folded)
        for word in self._words.keys() & set(_WORD.findall(without_numbers)) - ours:
            yield self._words[word], word
        for phrase in self._phrases - self._vocabulary - ours:
            if phrase in folded and re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", without_numbers):
                yield "name", phrase
        runs, alone = "\n".join({*_DIGITS.findall(folded)}), set(_ALONE.findall(without_numbers))
        for digits, kind in self._digits.items():
            # Short runs of digits also occur by chance, in a size or an id.
            if digits not in ours and (digits in alone or (len(digits) >= _LONG_DIGITS and digits in runs)):
                yield kind, digits
        candidates = "\n".join({_folded(candidate) for candidate in _CANDIDATE.findall(folded)})
        yield from (("id", one) for one in self._ids if one in candidates)


def _folded(identifier: str) -> str:
    """Return one form for all spellings of an id: without dashes, padding, and the characters in which the two base64
    alphabets differ."""
    return re.sub(r"[-_+/=]", "", identifier).casefold()


def _is_mask(text: str) -> bool:
    """Return True if masking changes nothing, so that the text reveals nothing."""
    return mask(text) == text


def _hidden_lines(text: str) -> Iterator[str]:
    """Yield the invisible characters of each line, unless masking leaves them unchanged."""
    if text.isascii() and text.isprintable():
        return
    for line in text.split("\n"):
        hidden = invisible_characters(line)
        if len(hidden) >= _HIDDEN_LENGTH and not _is_mask(hidden):
            yield hidden


def _surfaces(content: bytes) -> Iterator[str]:
    """Yield the possible readings of a file: raw, without JSON's escapes, and without those of URLs."""
    raw = content.decode("utf-8", "replace")
    yield raw
    unescaped = _ESCAPE.sub(_unescaped, raw)
    if unescaped != raw:
        yield unescaped
    if "%" in raw:
        yield unquote(unescaped)


def _unescaped(escape: re.Match[str]) -> str:
    if escape[1]:
        return chr(int(escape[1], 16))
    return " " if escape[2] in "bfnrt" else escape[2]


def _documents(raw: str) -> list[Any]:
    documents = []
    for line in (raw, *raw.split("\n")):
        try:
            documents.append(parsed_json(line.removeprefix("data:")))
        except (ValueError, RecursionError):
            continue
    return documents
