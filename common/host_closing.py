"""The time the host gives an adapter that closes."""

from __future__ import annotations

from .environment import value

_LIMIT = "HERMES_GATEWAY_ADAPTER_DISCONNECT_TIMEOUT"
_LIMIT_SECONDS = 5.0
_MARGIN_SECONDS = 1.0
"""For closing what remains: sockets, tasks, the state file."""


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
