"""The profile the host runs in: its home, its environment, the time it gives an adapter that closes."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

from ..settings.environment import value
from ..settings.environment import variables as process_environment

_LIMIT = "HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT"
_LIMIT_SECONDS = 5.0
_MARGIN_SECONDS = 1.0
"""For closing what remains: sockets, tasks, the state file."""


def environment() -> Mapping[str, str]:
    """The environment of the profile in whose scope this is called; without a scope the process's.

    The host does the same while it loads its configuration (gateway/config.py, _getenv), and makes the adapters of the
    default profile in no scope.
    """
    scope: Mapping[str, str] | None = importlib.import_module("agent.secret_scope").current_secret_scope()
    return process_environment() if scope is None else scope


def home() -> Path:
    """HERMES_HOME of the profile in whose scope this is called."""
    return Path(importlib.import_module("hermes_constants").get_hermes_home())


def state_file(home: Path) -> Path:
    """Where a profile's gateway keeps our state."""
    return home / "hardened_adapters" / "state.db"


def handover_seconds() -> float:
    """Seconds in which a closing connection may hand over what it received, within the host's limit.

    The limit is read as the host reads it (gateway/run.py, _adapter_disconnect_timeout_secs); where it sets none, at
    0, it is as if nothing was set.
    """
    try:
        limit = float(value(_LIMIT) or _LIMIT_SECONDS)
    except ValueError:
        limit = _LIMIT_SECONDS
    limit = limit if limit > 0 else _LIMIT_SECONDS
    return max(limit - _MARGIN_SECONDS, limit / 2)
