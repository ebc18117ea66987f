"""What the checks of a Signal set-up work on: settings, daemon, what they learn of it, and what is around it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....common.core.errors import Fatal, HardenedError, StateError
from ....common.core.events import Me
from ....common.core.people import as_aci, as_number
from ....common.doctor.findings import Finding, Status
from ....common.host import checks
from ....common.state.identities import Pair, pairs
from ..client import SignalClient
from ..settings import SignalSettings


def command_lines() -> Iterator[tuple[str, ...]]:
    """The command lines of this machine's processes, as far as /proc shows them."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        yield tuple(words[:-1])


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at besides the daemon. Times in seconds."""

    commands: Callable[[], Iterable[Sequence[str]]] = command_lines
    which: Callable[[str], str | None] = shutil.which
    clock: Callable[[], float] = time.monotonic
    listening: Callable[[], bool] = lambda: checks.listening("signal")
    """Whether a gateway of this set-up is subscribed now."""
    paired: Callable[[], int] = lambda: checks.paired("signal")
    outgoing: Callable[[], Path] = checks.outgoing_files
    headers_within: float = 20.0
    keepalive_within: float = 20.0
    answer_within: float = 10.0


@dataclass(slots=True)
class Case:
    """One set-up under examination; what a check learns the later ones use."""

    settings: SignalSettings
    labels: dict[str, str]
    """Where the operator wrote a setting: `SIGNAL_ACCOUNT`, or `signal.account` of config.yaml."""
    client: SignalClient
    state: Path
    around: Surroundings
    version: str = ""
    me: Me = field(default_factory=Me)
    contacts: tuple[tuple[str | None, str | None], ...] = ()
    """(number, ACI) of everybody whom the daemon's contact store knows."""

    def pairs(self) -> dict[str, str]:
        """Numbers to ACIs, as far as the contact store has both."""
        return {number: aci for number, aci in self.contacts if number and aci}

    def learnt(self) -> list[Pair]:
        """Return the pairs in the state file, none where it cannot be read: another check reports that."""
        try:
            return pairs(self.state)
        except StateError:
            return []

    def take_contacts(self, result: object) -> dict[str, Any] | None:
        """Remember the contact store; the row of the own account, None when it is not there."""
        rows = [row for row in (result if isinstance(result, list) else ()) if isinstance(row, dict)]
        self.contacts = tuple((as_number(row.get("number")), as_aci(row.get("uuid"))) for row in rows)
        for row, names in zip(rows, self.contacts, strict=True):
            if self.settings.account in names:
                self.me = Me(id=names[1], number=names[0])
                return row
        return None


def refusal(check: str, exc: HardenedError) -> Finding:
    """A failure whose text is `what: remedy`, as the stream's verdicts are written."""
    text = exc.remedy if isinstance(exc, Fatal) else str(exc)
    what, _, remedy = text.partition(": ")
    return Finding(
        check,
        Status.FAILED,
        _sentence(what),
        _sentence(remedy or "look into the log of signal-cli, and of a proxy before it"),
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
