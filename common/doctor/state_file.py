"""Checks of the state file: its permissions, and whether it can be used."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import StateError
from ..state.database import inspect, journal_of
from ..state.schema import SCHEMA_VERSION
from .findings import Finding, Status

_CHECK = "hermes.state"


def examine(path: Path) -> Iterator[Finding]:
    """Check the state file and its journal. A file that does not exist yet is in order."""
    yield from _kept_aside(path)
    if not path.exists():
        yield Finding(_CHECK, Status.OK, f"There is no state file yet; the gateway will make {path}.")
        return
    faults = [*_open_to_others(path), *_unsound(path), *_unsound_orders(path)]
    yield from faults or [Finding(_CHECK, Status.OK, "The state file is sound and private.")]


def _open_to_others(path: Path) -> Iterator[Finding]:
    if os.name != "posix":
        return
    beside = (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"), journal_of(path).path)
    for file in (path, *beside):
        if file.exists() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            what = f"The state file {file.name} is open to other users (mode {mode:04o})."
            yield Finding(_CHECK, Status.FAILED, what, f"Run `chmod 600 {file}`.")
    if (mode := stat.S_IMODE(path.parent.stat().st_mode)) & 0o007:
        what = f"The folder of the state file is open to all users (mode {mode:04o})."
        yield Finding(_CHECK, Status.FAILED, what, f"Run `chmod 700 {path.parent}`.")


def _unsound(path: Path) -> Iterator[Finding]:
    try:
        version, verdict = inspect(path)
    except StateError:
        what = "The state file cannot be read."
        remedy = f"Run this as the gateway's user, or move {path} away: the gateway then starts anew."
        yield Finding(_CHECK, Status.FAILED, what, remedy)
        return
    if version > SCHEMA_VERSION:
        what = f"The state file was written by a newer version (schema {version})."
        yield Finding(_CHECK, Status.FAILED, what, "Upgrade hermes-hardened-adapters to the version that wrote it.")
    if verdict != "ok":
        remedy = f"Stop the gateway and move {path} away: it then starts anew."
        yield Finding(_CHECK, Status.FAILED, "The state file is damaged.", remedy)


def _unsound_orders(path: Path) -> Iterator[Finding]:
    journal = journal_of(path)
    try:
        journal.read()
    except StateError:
        what = "The journal of orders beside the state file cannot be read: no gateway connects."
        remedy = f"Repair {journal.path}, or move it away if `hermes adapters groups list` shows all orders."
        yield Finding(_CHECK, Status.FAILED, what, remedy)


def _kept_aside(path: Path) -> Iterator[Finding]:
    if aside := sorted(path.parent.glob(f"{path.name}.unusable-*[0-9]")):
        what = f"An unusable state file was kept aside as {aside[-1].name}; no order was lost with it."
        remedy = "Look at `hermes adapters groups list`, then delete that file."
        yield Finding(_CHECK, Status.ADVICE, what, remedy)
