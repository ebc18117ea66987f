"""How often one message may change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """The edits of one message: the first one `gap` seconds after it was sent, each further gap `growth` times as long.

    With `most`, there are at most that many edits, of which one is kept for the end.
    """

    gap: float
    growth: float = 1.0
    most: int | None = None

    def due(self, times: Sequence[float], *, last: bool = False) -> float | None:
        """Return the earliest time of the next edit, None if there may be none.

        `times` are those of the sending and of each edit, in seconds, at least one. With `last`, the edit completes the
        message, which waits for nothing.
        """
        edits = len(times) - 1
        if self.most is not None and edits >= self.most - (not last):
            return None
        return times[-1] if last else times[-1] + self.gap * self.growth**edits
