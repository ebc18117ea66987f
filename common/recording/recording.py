"""The base of each network's recording: events, their times, their rewriting and the leak check."""

from __future__ import annotations

from collections.abc import Collection

from .documents import Object, parsed_object
from .leaks import Originals
from .pseudonyms import Pseudonyms
from .rules import Rules


class Recording:
    """The events of a recording, held in memory only.

    `commands` holds the host's slash commands, which stay readable at the start of a text. `dropped` counts events that
    are no JSON object or nested too deeply.
    """

    def __init__(self, commands: Collection[str]) -> None:
        self.dropped = 0
        self.pseudonyms = Pseudonyms()
        self._commands = commands
        self._events: list[tuple[float, Object]] = []

    def add(self, text: str, at: float) -> None:
        """Add one event or frame, `at` seconds after the start."""
        if (event := parsed_object(text)) is None:
            self.dropped += 1
        else:
            self._events.append((at, event))

    def _rewritten(self, rules: Rules) -> tuple[list[Object], list[float], list[Object]]:
        """Return the rewritten events, their times, and the originals. An event that cannot be rewritten is dropped
        from all three."""
        rewritten, times, originals = [], [], []
        for at, event in self._events:
            try:
                rewritten.append(rules.apply(event))
            except RecursionError:
                self.dropped += 1
                continue
            times.append(round(at, 3))
            originals.append(event)
        return rewritten, times, originals

    def _check_for_leaks(
        self,
        written: Collection[bytes],
        originals: Collection[object],
        vocabulary: Collection[str],
        names: Collection[str],
        numbers: Collection[str],
    ) -> None:
        """Raise Leak if the files to write still contain any part of the originals."""
        sought = Originals({*vocabulary, *self._commands}, names, numbers)
        for original in originals:
            sought.add(original)
        sought.search(written, self.pseudonyms.issued)
