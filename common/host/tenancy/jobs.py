"""Scheduled jobs: a chat sees and changes its own only, and they answer to it only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

TOOL = "cronjob"


def carry_out(args: Mapping[str, Any], next_call: Callable[[Any], Any], session_id: str) -> Any:
    """Carry out a call of the tool as far as it concerns jobs of the current chat."""
    return next_call(args)
