"""One recipe for every check of `doctor`.

To add a check:

1. Write a function in the area's folder (`adapters/<network>/doctor/`, or `common/host/checks.py` for Hermes). It takes
   the area's `Context`, which holds everything that checks examine, and yields `ok`, `advice`, `failed` or `skipped` of
   `findings.py`. It may be async. It handles only errors that need a special remedy; any other becomes a finding.
2. In the area's `checks.py`, give it a name in `CheckName` and a row in `CHECKS`: `Check(CheckName.X, x, needs=(…))`.
   Rows run from top to bottom, so slow ones belong at the end. `needs` names the checks on which this one depends: if
   one of them fails, this one is skipped with that reason.
3. Describe it in the table of checks in the network's page under `docs/` (Hermes' own in `docs/troubleshooting.md`), in
   the order of `CheckName`.
4. Test it in `tests/test_<network>_doctor.py`. The healthy set-ups there and in `tests/test_doctor.py` stay `ok`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..core.errors import HardenedError, HostContractError
from .findings import Finding, Result, Status, failed, skipped

Results = AsyncIterator[Result] | Iterable[Result]
C = TypeVar("C")


@dataclass(kw_only=True)
class NetworkContext:
    """The set-up that a network's checks examine. The network's own `Context` adds its server's reports."""

    extra: Mapping[str, Any]
    """The host's `PlatformConfig.extra`, which includes the token."""
    environment: Mapping[str, str]
    """The environment variables of the profile."""
    state: Path
    """The state file, which may not exist."""
    resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    """The resources that a check opened for later ones; closed at the end."""


@dataclass(frozen=True, slots=True)
class Check(Generic[C]):
    """A check: its name, its function, and the names of the checks that it depends on."""

    name: str
    run: Callable[[C], Results]
    needs: tuple[str, ...] = ()


def stopped(error: HardenedError) -> Result:
    """Return the failure of a check that ended with an error of ours."""
    return failed(f"The check stopped: {error}.", "Correct that and run this again.")


async def run_checks(
    checks: Sequence[Check[C]], context: C, explain: Callable[[HardenedError], Result] = stopped
) -> AsyncIterator[Finding]:
    """Run the checks in order and yield each finding at once. `explain` describes an error that a check did not handle.

    A check that raises has failed, or was skipped if Hermes lacks something for it; the others go on.
    """
    blocked_by: dict[str, str] = {}
    for check in checks:
        if cause := next((blocked_by[name] for name in check.needs if name in blocked_by), ""):
            blocked_by[check.name] = cause
            yield Finding(check.name, Status.SKIPPED, f"Not checked, because {cause} failed: {check.name}.")
            continue
        async for result in _guarded(check, context, explain):
            if result.status is Status.FAILED:
                blocked_by[check.name] = check.name
            yield Finding(check.name, result.status, result.what, result.remedy)


async def _guarded(check: Check[C], context: C, explain: Callable[[HardenedError], Result]) -> AsyncIterator[Result]:
    try:
        results = check.run(context)
        if isinstance(results, AsyncIterator):
            async for result in results:
                yield result
        else:
            for result in results:
                yield result
    except HostContractError as exc:
        yield skipped(f"Not checked: {exc}.", "`hermes adapters doctor --host` lists what this Hermes lacks.")
    except HardenedError as exc:
        yield explain(exc)
    except Exception as exc:
        # The text of a foreign exception may contain a secret.
        yield failed(f"The check stopped with {type(exc).__name__}.", "Run this again; if it fails again, report it.")
