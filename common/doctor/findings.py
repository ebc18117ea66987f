"""What a check of a set-up found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    ADVICE = "advice"
    """It works, but something would be better."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """Another failure stands in the way of this check."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's result. `check` is a stable slug (`signal.account`), `what` and `remedy` one sentence each.

    Neither holds a secret; a number or an id stands only where the operator has to find it among his own settings.
    """

    check: str
    status: Status
    what: str
    remedy: str = ""
