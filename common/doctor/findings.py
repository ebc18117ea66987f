"""The results of checks: what was found, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ..core.errors import Fatal, HardenedError


class Status(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    ADVICE = "advice"
    """It works, but something could be better."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It could not be carried out, mostly because another check failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """A check's answer: `what` it found and the `remedy`, one sentence each.

    Neither holds a secret. They hold a number or an id only where the operator has to find it among their own settings.
    """

    status: Status
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result under the name of its check (`signal.account`), as the operator and `--json` get it."""

    check: str
    status: Status
    what: str
    remedy: str = ""


def ok(what: str) -> Result:
    return Result(Status.OK, what)


def advice(what: str, remedy: str) -> Result:
    return Result(Status.ADVICE, what, remedy)


def failed(what: str, remedy: str) -> Result:
    return Result(Status.FAILED, what, remedy)


def skipped(what: str, remedy: str = "") -> Result:
    return Result(Status.SKIPPED, what, remedy)


def refusal(error: HardenedError, otherwise: str) -> Result:
    """A failure from an error whose text is `what: remedy`, as the streams word theirs.

    `otherwise` is the remedy for an error without one.
    """
    what, _, remedy = (error.remedy if isinstance(error, Fatal) else str(error)).partition(": ")
    return failed(sentence(what), sentence(remedy or otherwise))


def sentence(text: str) -> str:
    """The text with a full stop, and with a capital unless it begins with a name, an id or an address."""
    starts_with_a_word = re.match(r"[a-z']{1,20}:? ", text)
    return (text[:1].upper() + text[1:] if starts_with_a_word else text) + ("" if text.endswith("?") else ".")


def masked(identity: str) -> str:
    """Enough of a number or an id for its owner to recognise it, and not enough for anybody else."""
    return f"{identity[:5]}…{identity[-4:]}" if len(identity) >= 12 else "…"
