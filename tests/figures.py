"""The figures of the fault tests, counted over a whole run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Figures:
    """What a run of faults amounted to."""

    cuts: int = 0
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    kills: int = 0
    lost_at_kills: int = 0
    """Messages that were being handed over when the process was killed."""

    def __str__(self) -> str:
        whole = f"{self.cuts} cuts tried, {self.sent} events sent, {self.lost} lost, {self.doubled} doubled"
        return f"{whole}; {self.lost_at_kills} lost in hand-over at {self.kills} kills" if self.kills else whole
