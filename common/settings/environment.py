"""The only code that reads and sets environment variables. Imports nothing heavy: Hermes loads it on every start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def variables() -> Mapping[str, str]:
    """Return all variables that are set."""
    return os.environ


def value(name: str) -> str:
    """Return the value of a variable, stripped; empty when it is not set."""
    return os.environ.get(name, "").strip()


def show(settings: Mapping[str, Any], variables: Mapping[str, str]) -> None:
    """Export settings of `config.yaml`, because Hermes reads some from the environment alone. Set variables win.

    `variables` maps the name of a setting to the name of its variable.
    """
    for name, variable in variables.items():
        if name in settings and not value(variable):
            setting = settings[name]
            os.environ[variable] = ",".join(map(str, setting)) if isinstance(setting, list) else str(setting)
