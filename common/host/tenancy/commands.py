"""Commands of Hermes that show a chat what belongs to others."""

from __future__ import annotations

from typing import Any


def is_refused(event: Any, gateway: Any) -> bool:
    """Return True for a command that the host must not get, after answering it."""
    return False
