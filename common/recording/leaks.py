"""The proof that a recording tells nothing: none of the originals can be found in what is to be written.

Knows nothing of the rules by which the recording was made: every string of the originals is looked for, whatever key
it stood under, except for words of the protocols themselves.
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
from .masking import mask
from .pseudonyms import KEPT, MILLISECONDS, SECONDS, leaves, nested, parsed_json

_WORD = re.compile(r"\w+")
_DIGITS = re.compile(r"\d{4,}", re.ASCII)
_ID = re.compile(r"(?<![\w+/=-])(?=[\w+/-]*[\d=])[\w+/-]{16,}={0,2}(?![\w+/=-])", re.ASCII)
"""Long, and no word of a language: an id of either network in whatever spelling. One without digits is a word."""
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
    """Originals were found; `kinds` counts them by kind. Nothing of them is told."""

    def __init__(self, kinds: Counter[str]) -> None:
        told = ", ".join(f"{number} of kind {kind}" for kind, number in sorted(kinds.items()))
        super().__init__(
            f"nothing was written: {sum(kinds.values())} originals would still be readable ({told});"
            " please report this, with the versions of signal-cli or Mattermost and of this package"
        )
        self.kinds = kinds


class Originals:
    """What must not be found.

    `vocabulary` are the protocols' own words, `names` the keys under which names stand, `numbers` those under which
    numbers may stay.
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

    def take(self, value: Any, key: str = "") -> None:
        """Remember all that a JSON document holds, JSON in its strings included."""
        match value:
            case dict():
                for name, inner in value.items():
                    if name not in self._keys:
                        self._take_string(name, "")
                    self.take(inner, name)
            case list():
                for inner in value:
                    self.take(inner, key)
            case str():
                inner = nested(value)
                self.take(inner, key) if inner is not None else self._take_string(value, key)
            case bool() | None:
                pass
            case int() if value in MILLISECONDS or value in SECONDS:
                self._digits[str(value)] = "time"
            case int() | float() if value and key not in self._free:
                self._numbers.add(value)

    def _take_string(self, value: str, key: str) -> None:
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
            self._take_id(found)
        for word in _WORD.findall(value.casefold()):
            self._take_word(word, is_name)

    def _take_id(self, found: str) -> None:
        """An id, and its parts where it is made of several. What is all words of the protocols is none."""
        if _is_mask(found) or {word.casefold() for word in _WORD.findall(found)} <= self._vocabulary:
            return
        parts = (found, *found.split("__"))
        self._ids.update(_folded(part) for part in parts if len(_folded(part)) >= _ID_LENGTH)

    def _take_word(self, word: str, is_name: bool) -> None:
        if len(word) < (_NAME_LENGTH if is_name else _WORD_LENGTH) or (word.isascii() and word.isdigit()):
            return
        if word not in self._vocabulary and not _is_mask(word):
            self._words[word] = "name" if is_name or self._words.get(word) == "name" else "word"

    def search(self, written: Iterable[bytes], minted: Iterable[str]) -> None:
        """Raises Leak when an original is in one of the files. `minted` are the pseudonyms, which are none."""
        ours = {word.casefold() for pseudonym in minted for word in _WORD.findall(pseudonym)}
        found: set[tuple[str, str]] = set()
        for content in written:
            documents = _documents(content.decode("utf-8", "replace"))
            found.update(("number under another key", str(number)) for number in self._stray(documents, ""))
            for surface in (*_surfaces(content), "\n".join(leaves(documents))):
                found.update(self._found(surface, ours))
        if found:
            raise Leak(Counter(kind for kind, _ in found))

    def _stray(self, value: Any, key: str) -> Iterator[float]:
        """The numbers of the originals that stand where none may stay. In a list of its own, a number is of us."""
        match value:
            case dict():
                for name, inner in value.items():
                    yield from self._stray(inner, name)
            case list():
                for inner in value:
                    yield from self._stray(inner, key)
            case str() if (inner := nested(value)) is not None:
                yield from self._stray(inner, key)
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
            # Short ones are met by chance, in a size or in an id.
            if digits not in ours and (digits in alone or (len(digits) >= _LONG_DIGITS and digits in runs)):
                yield kind, digits
        candidates = "\n".join({_folded(candidate) for candidate in _CANDIDATE.findall(folded)})
        yield from (("id", one) for one in self._ids if one in candidates)


def _folded(identifier: str) -> str:
    """One spelling for all of an id: dashes of UUIDs, the two base64 alphabets and padding set aside."""
    return re.sub(r"[-_+/=]", "", identifier).casefold()


def _is_mask(text: str) -> bool:
    """Whether masking shows the very same: then it tells nothing."""
    return mask(text) == text


def _hidden_lines(text: str) -> Iterator[str]:
    """What each line holds of characters that cannot be seen, unless masking would show the very same."""
    if text.isascii() and text.isprintable():
        return
    for line in text.split("\n"):
        hidden = invisible_characters(line)
        if len(hidden) >= _HIDDEN_LENGTH and not _is_mask(hidden):
            yield hidden


def _surfaces(content: bytes) -> Iterator[str]:
    """The ways to read a file: as it is, without JSON's escapes, and without those of URLs."""
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
