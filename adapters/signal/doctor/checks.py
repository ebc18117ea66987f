"""Every way a Signal set-up fails, checked against the live daemon, each with its remedy.

Nothing is sent, accepted or changed, and no message is taken from the gateway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ....common.core.errors import ConfigError
from ....common.doctor.checks import guarded
from ....common.doctor.findings import Finding, Status
from ....common.settings.config import Entries
from ..client import SignalClient
from ..settings import SignalSettings, corrected_group_id
from . import daemon, files, groups, people, stream
from .case import Case, Surroundings

_GROUPS = "group_allowed"


async def examine(
    extra: Mapping[str, Any], environment: Mapping[str, str], state: Path, around: Surroundings | None = None
) -> AsyncIterator[Finding]:
    """Findings as they come, the slow ones last. `extra` is `PlatformConfig.extra`, `state` the state file's path."""
    names = SignalSettings.environment_names()
    # The host shows some variables among the extras, too; the operator knows them by their own name.
    extra = {f: value for f, value in extra.items() if f not in names or environment.get(names[f]) != value}
    labels = SignalSettings.sources(extra, environment)
    try:
        settings = SignalSettings.load(extra, environment)
    except ConfigError as exc:
        for fault in exc.faults:
            yield _fault(fault, extra, environment, labels)
        yield Finding("signal.daemon", Status.SKIPPED, "The daemon was not asked: the settings come first.")
        return
    yield Finding("signal.settings", Status.OK, "The settings are valid.")
    async with SignalClient(settings.http_url, settings.account) as client:
        case = Case(settings, labels, client, state, around or Surroundings())
        async for finding in guarded("signal.allowed", people.admission(case, environment)):
            yield finding
        async for finding in _of_daemon(case):
            yield finding


async def _of_daemon(case: Case) -> AsyncIterator[Finding]:
    failed = False
    async for finding in guarded("signal.daemon", daemon.reach(case)):
        failed = failed or finding.status is Status.FAILED
        yield finding
    independent = (
        ("signal.receive_mode", stream.receive_mode),
        ("signal.ffmpeg", files.voice),
    )
    for check, run in independent:
        async for finding in guarded(check, run(case)):
            yield finding
    if failed:
        yield Finding("signal.account", Status.SKIPPED, "Account, people, groups and files: the daemon comes first.")
        return
    async for finding in guarded("signal.version", daemon.version(case)):
        yield finding
    async for finding in guarded("signal.account", daemon.account(case)):
        failed = failed or finding.status is Status.FAILED
        yield finding
    if failed:
        yield Finding("signal.people", Status.SKIPPED, "People, groups, files and events: the account comes first.")
        return
    dependent = (
        ("signal.network", daemon.network),
        ("signal.people", people.people),
        ("signal.groups", groups.groups),
        ("signal.files", files.attachments),
        ("signal.stream", stream.stream),
    )
    for check, run in dependent:
        async for finding in guarded(check, run(case)):
            yield finding


def _fault(fault: str, extra: Mapping[str, Any], environment: Mapping[str, str], labels: Mapping[str, str]) -> Finding:
    """A fault of the settings, with what it should be where that can be guessed."""
    name, _, problem = fault.partition(": ")
    remedy = f"Correct {name} in `.env` or in the `signal:` block of config.yaml."
    if problem == "Field required":
        problem, remedy = "is not set", f"Set {name} in `.env`, or its twin in the `signal:` block of config.yaml."
    elif name == labels[_GROUPS] and (meant := list(_meant(extra, environment))):
        remedy = f"Write {' and '.join(meant)}."
    return Finding("signal.settings", Status.FAILED, f"{name}: {problem}.", remedy)


def _meant(extra: Mapping[str, Any], environment: Mapping[str, str]) -> Iterator[str]:
    written = extra.get(_GROUPS)
    if written is None:
        written = environment.get(SignalSettings.environment_names()[_GROUPS], "")
    for position, entry in enumerate(TypeAdapter(Entries).validate_python(written), 1):
        if (corrected := corrected_group_id(entry)) and corrected != entry:
            yield f"entry {position} as `{corrected}`"
