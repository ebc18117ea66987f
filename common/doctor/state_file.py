"""The check of the state file: its permissions, its schema, its soundness and its journal."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import StateError
from ..state.database import inspect, journal_of
from ..state.schema import SCHEMA_VERSION
from .findings import Result, advice, failed, ok


def state_file(path: Path) -> Iterator[Result]:
    """Check the state file and the journal of orders beside it. A file that does not exist yet is fine."""
    yield from _kept_aside(path)
    if not path.exists():
        yield ok(f"There is no state file yet; the gateway will create {path}.")
        return
    faults = [*_open_to_others(path), *_unsound(path), *_unsound_orders(path)]
    yield from faults or [ok("The state file is sound and private.")]


def _open_to_others(path: Path) -> Iterator[Result]:
    if os.name != "posix":
        return
    beside = (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm"), journal_of(path).path)
    for file in (path, *beside):
        if file.exists() and (mode := stat.S_IMODE(file.stat().st_mode)) & 0o077:
            what = f"The state file {file.name} is open to other users (mode {mode:04o})."
            yield failed(what, f"Run `chmod 600 {file}`.")
    if (mode := stat.S_IMODE(path.parent.stat().st_mode)) & 0o007:
        what = f"The folder of the state file is open to all users (mode {mode:04o})."
        yield failed(what, f"Run `chmod 700 {path.parent}`.")


def _unsound(path: Path) -> Iterator[Result]:
    try:
        version, verdict = inspect(path)
    except StateError:
        remedy = f"Run this as the gateway's user, or move {path} away: the gateway then starts with a new one."
        yield failed("The state file cannot be read.", remedy)
        return
    if version > SCHEMA_VERSION:
        what = f"The state file was written by a newer version (schema {version})."
        yield failed(what, "Upgrade hermes-hardened-adapters to the version that wrote it.")
    if verdict != "ok":
        remedy = f"Stop the gateway and move {path} away: it then starts with a new one."
        yield failed("The state file is damaged.", remedy)


def _unsound_orders(path: Path) -> Iterator[Result]:
    journal = journal_of(path)
    try:
        journal.read()
    except StateError:
        what = "The journal of orders beside the state file cannot be read: no gateway connects."
        remedy = f"Repair {journal.path}, or move it away if `hermes adapters groups list` shows all orders."
        yield failed(what, remedy)


def _kept_aside(path: Path) -> Iterator[Result]:
    if aside := sorted(path.parent.glob(f"{path.name}.unusable-*[0-9]")):
        what = f"An unusable state file was kept aside as {aside[-1].name}; no order was lost with it."
        yield advice(what, "Look at `hermes adapters groups list`, then delete that file.")
