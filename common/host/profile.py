"""The host's current profile: its home, its environment, its time limit for closing an adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from ..settings.environment import value
from ..settings.environment import variables as process_environment
from .contract import table

_LIMIT = "HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT"
_LIMIT_SECONDS = 5.0
_MARGIN_SECONDS = 1.0
"""Time to close the rest: sockets, tasks, the state file."""
DEFAULT = "default"
"""Hermes' name of the profile of the root home."""


def environment() -> Mapping[str, str]:
    """Return the environment of the profile whose scope is active; without a scope, that of the process.

    The host does the same while it loads its configuration (gateway/config.py, _getenv). It creates the adapters of the
    default profile without a scope.
    """
    scope: Mapping[str, str] | None = table.SECRET_SCOPE()
    return process_environment() if scope is None else scope


def home() -> Path:
    """Return HERMES_HOME of the profile whose scope is active."""
    return Path(table.HERMES_HOME())


@lru_cache(maxsize=64)
def place(home: Path) -> tuple[Path, str]:
    """Return the root home to which a profile's home belongs, and the profile's name."""
    for path in (home, home.resolve()):
        if path.parent.name == "profiles":
            return path.parent.parent, path.name
    return home, DEFAULT


@contextmanager
def entered(home: Path) -> Iterator[None]:
    """Work in another HERMES_HOME."""
    token = table.ENTER_HOME(str(home))
    try:
        yield
    finally:
        table.LEAVE_HOME(token)


def state_file(home: Path) -> Path:
    """Return the path of a profile's state file."""
    return home / "hardened_adapters" / "state.db"


def handover_seconds() -> float:
    """Return the seconds that a closing connection has to hand over received messages, within the host's limit.

    Reads the limit in the same way as the host (gateway/run.py, _adapter_disconnect_timeout_secs), except that 0, which
    means no limit there, is the default limit here.
    """
    try:
        limit = float(value(_LIMIT) or _LIMIT_SECONDS)
    except ValueError:
        limit = _LIMIT_SECONDS
    limit = limit if limit > 0 else _LIMIT_SECONDS
    return max(limit - _MARGIN_SECONDS, limit / 2)
