"""Sealed tool calls: a chat's call is rewritten so that the host alone refuses it. Only our half can carry it out.

Should our half ever be missing, or fail, nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEMORY, SEARCH = "memory", "session_search"
SEALED = frozenset({MEMORY, SEARCH})
"""The tools of the host whose calls are sealed."""
_TARGET = "chat:"
_WRAPPED = "sealed"


def sealed(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that the host's own tool refuses: no such target, no such session."""
    if tool == MEMORY:
        return {**args, "target": f"{_TARGET}{args.get('target') or 'memory'}"}
    return {"query": "", "session_id": _WRAPPED, _WRAPPED: dict(args)}


def unsealed(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the model gave them, whether or not they are sealed."""
    if tool == MEMORY:
        return {**args, "target": str(args.get("target") or "memory").removeprefix(_TARGET)}
    inner = args.get(_WRAPPED)
    return dict(inner) if isinstance(inner, Mapping) else dict(args)
