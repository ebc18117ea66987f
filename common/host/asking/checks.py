"""The doctor's check of approvals: whether people decide about dangerous commands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...doctor.findings import Result, advice, ok
from ..contract import table

_TOOLSETS = frozenset({"terminal", "code_execution"})
"""The toolsets whose commands are judged."""
_REMEDY = "Set `mode: manual` under `approvals:` in config.yaml, so that people are asked."


def approvals(platforms: Collection[str]) -> Iterator[Result]:
    """Say who allows the dangerous commands that chats of these platforms lead to."""
    config: Mapping[str, Any] = table.LOAD_WHOLE_CONFIG() or {}
    users = [each for each in sorted(platforms) if _TOOLSETS & set(table.PLATFORM_TOOLS(config, each))]
    if not users:
        yield ok("No chat may run commands.")
        return
    where, settings = f" in chats of {', '.join(users)}", config.get("approvals")
    match _mode(settings.get("mode") if isinstance(settings, Mapping) else None):
        case "smart":
            yield advice(f"A model may allow dangerous commands alone (`approvals.mode: smart`){where}.", _REMEDY)
        case "off":
            yield advice(f"Dangerous commands run without a question (`approvals.mode: off`){where}.", _REMEDY)
        case _:
            yield ok("People are asked about dangerous commands.")


def _mode(written: object) -> str:
    """Return the mode as Hermes reads it: anything unknown is `manual`, and YAML's `off` is a boolean."""
    return "off" if written is False else str(written).strip().lower()
