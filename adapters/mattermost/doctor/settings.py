"""The check of the settings, which reports every fault."""

from __future__ import annotations

from collections.abc import Iterator

from ....common.core.errors import ConfigError
from ....common.doctor.findings import Result, failed, ok, sentence
from .context import Context


def settings(context: Context) -> Iterator[Result]:
    """Check that the settings are valid."""
    try:
        _ = context.settings
    except ConfigError as exc:
        for fault in exc.faults:
            yield failed(sentence(fault), "Correct that setting in config.yaml, .env or the environment.")
    else:
        yield ok("The settings are valid.")
