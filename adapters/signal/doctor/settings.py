"""The checks of the settings: every fault, with the value that was probably intended; and whether answers grow."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import TypeAdapter

from ....common.core.errors import ConfigError
from ....common.doctor.findings import Result, advice, failed, ok
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


def streaming(context: Context) -> Iterator[Result]:
    """Check that answers grow in both programs or in none: Hermes streams to Signal only where it is told to."""
    lacks = context.streaming_lacks()
    if not context.settings.streaming:
        if lacks:
            yield ok("Answers arrive whole.")
            return
        what = "Hermes streams to Signal, but SIGNAL_STREAMING is off, so answers arrive whole."
        yield advice(what, "Set SIGNAL_STREAMING=true, or `display.platforms.signal.streaming: false` in config.yaml.")
    elif lacks:
        what = "SIGNAL_STREAMING is on, but Hermes does not stream to Signal, so answers arrive whole."
        yield advice(what, f"Set {' and '.join(lacks)} in config.yaml.")
    else:
        yield ok("Answers grow while the model writes.")


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
