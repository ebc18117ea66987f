"""What both networks' recordings have in common: what came, when, and its rewriting."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .leaks import Originals
from .pseudonyms import Pseudonyms, Rules, parsed_object

Object = dict[str, Any]


class Recording:
    """What came, as it arrived; held in memory only.

    `commands` are the host's slash commands, which stay readable at the start of a text. `dropped` counts what is no
    JSON or nested beyond reason.
    """

    def __init__(self, commands: Collection[str]) -> None:
        self.dropped = 0
        self.pseudonyms = Pseudonyms()
        self._commands = commands
        self._taken: list[tuple[float, Object]] = []

    def take(self, text: str, at: float) -> None:
        """One event or frame, `at` seconds after the start."""
        if (event := parsed_object(text)) is None:
            self.dropped += 1
        else:
            self._taken.append((at, event))

    def _rewritten(self, rules: Rules) -> tuple[list[Object], list[float], list[Object]]:
        """What came under its pseudonyms, when, and as it was; what cannot be rewritten is dropped from all three."""
        rewritten, times, originals = [], [], []
        for at, event in self._taken:
            try:
                rewritten.append(rules.apply(event))
            except RecursionError:
                self.dropped += 1
                continue
            times.append(round(at, 3))
            originals.append(event)
        return rewritten, times, originals

    def _prove(
        self,
        written: Collection[bytes],
        originals: Collection[object],
        vocabulary: Collection[str],
        names: Collection[str],
        numbers: Collection[str],
    ) -> None:
        """Raises Leak when anything of the originals is in what is to be written."""
        sought = Originals({*vocabulary, *self._commands}, names, numbers)
        for original in originals:
            sought.take(original)
        sought.search(written, self.pseudonyms.minted)
