"""The results of checks: a finding and its remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from ..core.errors import Fatal, HardenedError


class Status(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    ADVICE = "advice"
    """The thing checked works, but could be better."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """The check could not be carried out, usually because another one failed."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check: `what` it found and the `remedy`, one sentence each.

    Neither contains a secret. They contain a number or an id only if the operator must find it in their own settings.
    """

    status: Status
    what: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result with the name of its check (`signal.account`), for the operator and `--json`."""

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
    """Return the failure for an error whose text is `what: remedy`, like those of the streams.

    `otherwise` is the remedy for an error without one.
    """
    what, _, remedy = (error.remedy if isinstance(error, Fatal) else str(error)).partition(": ")
    return failed(sentence(what), sentence(remedy or otherwise))


def sentence(text: str) -> str:
    """Return the text with a full stop, and with a capital unless it begins with a name, an id or an address."""
    starts_with_a_word = re.match(r"[a-z']{1,20}:? ", text)
    return (text[:1].upper() + text[1:] if starts_with_a_word else text) + ("" if text.endswith("?") else ".")


def masked(identity: str) -> str:
    """Return so much of a number or an id that its owner recognises it, but nobody else."""
    return f"{identity[:5]}…{identity[-4:]}" if len(identity) >= 12 else "…"
