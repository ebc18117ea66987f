"""Rewrites JSON documents by rules for their keys. A value under an unknown key is masked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from .documents import dumped, nested
from .masking import mask
from .pseudonyms import Pseudonyms

_LARGEST = 10**9
"""The bound of numbers kept under known keys: a larger one might be a phone number."""

Text = Callable[[str], str]
"""Rewrites a string."""


def words(listed: str) -> frozenset[str]:
    """Split a list of words at white space."""
    return frozenset(listed.split())


def vocabulary(words: Collection[str]) -> Text:
    """Return a rule that keeps those words and masks any other text."""
    return lambda value: value if value in words else mask(value)


class Rules:
    """Rewrites every value of a JSON document by its key.

    `strings` has a function for each known key; `times` and `numbers` are keys of numbers to shift and to keep. Values
    under unknown keys fail closed: a string becomes a pseudonym or a mask, a number 0, a flag false, and the key itself
    a pseudonym.
    """

    def __init__(
        self,
        pseudonyms: Pseudonyms,
        strings: Mapping[str, Text],
        times: frozenset[str],
        numbers: frozenset[str],
        others: frozenset[str],
    ) -> None:
        self._pseudonyms = pseudonyms
        self._strings = strings
        self._times = times
        self.numbers = numbers
        self.keys = frozenset({*strings, *times, *numbers, *others})
        """The keys that are kept. `others` are keys of objects, lists and flags."""

    def apply(self, value: Any, key: str = "") -> Any:
        """Return the rewritten value. Raises RecursionError when it is nested too deeply."""
        match value:
            case dict():
                return {self._key(name): self.apply(inner, name) for name, inner in value.items()}
            case list():
                return [self.apply(inner, key) for inner in value]
            case str():
                return self._string(value, key)
            case bool():
                return value and key in self.keys
            case int() if key in self._times:
                return self._pseudonyms.time(value)
            case int() | float() if key in self.numbers and abs(value) < _LARGEST:
                return value
            case None:
                return None
        return 0

    def _key(self, name: str) -> str:
        if name in self.keys:
            return name
        return self._pseudonyms.word(name)

    def _string(self, value: str, key: str) -> str:
        if (rule := self._strings.get(key)) is not None:
            return rule(value)
        if (inner := nested(value)) is not None:
            return dumped(self.apply(inner, key))
        return self._pseudonyms.identity(value) or mask(value)
