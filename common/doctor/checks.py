"""How the checks of a set-up are run: one that breaks off is a finding itself, and the others go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from ..core.errors import HardenedError
from .findings import Finding, Status


async def guarded(check: str, findings: AsyncIterator[Finding] | Iterator[Finding]) -> AsyncIterator[Finding]:
    """The findings of one check; an exception ends it with a failure that names no more than its class or our words."""
    try:
        if isinstance(findings, AsyncIterator):
            async for finding in findings:
                yield finding
        else:
            for finding in findings:
                yield finding
    except HardenedError as exc:
        yield Finding(check, Status.FAILED, f"The check broke off: {exc}.", "Mend what it names and run this again.")
    except Exception as exc:
        what = f"The check broke off with {type(exc).__name__}."
        yield Finding(check, Status.FAILED, what, "Run this again, and report it if it stays so.")


def masked(identity: str) -> str:
    """Enough of a number or an id for its owner to find it again, not enough for anybody else."""
    return f"{identity[:5]}…{identity[-4:]}" if len(identity) >= 12 else "…"
