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

    def __str__(self) -> str:
        return f"{self.cuts} cuts tried, {self.sent} events sent, {self.lost} lost, {self.doubled} doubled"
