"""The check of the settings: reports every fault, with the value that was probably intended."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter

from ....common.core.errors import ConfigError
from ....common.doctor.findings import Result, failed, ok
from ....common.settings.config import Entries
from ..settings import SignalSettings, corrected_group_id
from .context import Context

_GROUPS = "group_allowed"


def settings(context: Context) -> Iterator[Result]:
    """Check that the settings are valid."""
    try:
        _ = context.settings
    except ConfigError as exc:
        for fault in exc.faults:
            yield _fault(context, fault)
    else:
        yield ok("The settings are valid.")


def _fault(context: Context, fault: str) -> Result:
    name, _, problem = fault.partition(": ")
    remedy = f"Correct {name} in `.env` or in the `signal:` block of config.yaml."
    if problem == "Field required":
        problem, remedy = (
            "is not set",
            f"Set {name} in `.env`, or the same setting in the `signal:` block of config.yaml.",
        )
    elif name == context.labels[_GROUPS] and (meant := list(_meant(context))):
        remedy = f"Write {' and '.join(meant)}."
    return failed(f"{name}: {problem}.", remedy)


def _meant(context: Context) -> Iterator[str]:
    written = context.written.get(_GROUPS)
    if written is None:
        written = context.environment.get(SignalSettings.environment_names()[_GROUPS], "")
    for position, entry in enumerate(TypeAdapter(Entries).validate_python(written), 1):
        if (corrected := corrected_group_id(entry)) and corrected != entry:
            yield f"entry {position} as `{corrected}`"
