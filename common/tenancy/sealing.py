"""Sealed tool calls: a chat's call is rewritten so that the host alone refuses it. Only our half can carry it out.

Should our half ever be missing, or fail, nothing is read or written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEMORY, SEARCH = "memory", "session_search"
SEALED = frozenset({MEMORY, SEARCH})
"""The tools of the host whose calls are sealed."""
CHAT, GLOBAL = SCOPES = ("chat", "global")
"""The readers of an entry of memory: the context of its chat, or every chat."""
_TARGET = "chat:"
_TEXTS = ("action", "content", "new_text", "old_text")
_WRAPPED = "sealed"
_REFUSED = "refused by hardened-adapters"


def sealed(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments that the host's own tool refuses: no such target, no such session."""
    if tool == MEMORY:
        target = args.get("target")
        return {**args, "target": _TARGET if target is None else f"{_TARGET}{target}"}
    return {"query": "", "session_id": _WRAPPED, _WRAPPED: dict(args)}


def unsealed(tool: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments as the model gave them, whether or not they are sealed. A target is a text, or None."""
    if tool == MEMORY:
        target = args.get("target")
        return {**args, "target": None if target is None else str(target).removeprefix(_TARGET) or None}
    inner = args.get(_WRAPPED)
    return dict(inner) if isinstance(inner, Mapping) else dict(args)


def refused(tool: str, why: str) -> dict[str, Any]:
    """Return arguments that say why a call was refused, and nothing of what it asked for."""
    return {**(sealed(tool, {}) if tool in SEALED else {}), _REFUSED: why}


def refusal(args: object) -> str | None:
    """Return why a call was refused, None if it was not."""
    if not isinstance(args, Mapping) or _REFUSED not in args:
        return None
    return str(args[_REFUSED])


def check_form(args: Mapping[str, Any]) -> None:
    """Raise ValueError for a memory call with arguments of types that the host would fail at."""
    operations = args.get("operations") or []
    if not isinstance(operations, list) or not all(isinstance(each, Mapping) for each in operations):
        raise ValueError("operations must be a list of {action, content?, old_text?} objects.")
    for each in (args, *operations):
        for name in _TEXTS:
            if not isinstance(each.get(name), (str, type(None))):
                raise ValueError(f"{name} must be a text.")


def scope(args: Mapping[str, Any]) -> str:
    """Return the scope of a memory call, one of SCOPES. Raises ValueError for another, and for two in one call."""
    wanted = args.get("scope") or CHAT
    if not isinstance(wanted, str) or wanted not in SCOPES:
        raise ValueError("scope is 'chat' or 'global'.")
    operations = args.get("operations")
    for each in operations if isinstance(operations, (list, tuple)) else ():
        if isinstance(each, Mapping) and each.get("scope") not in (None, wanted):
            raise ValueError("One call has one scope: give it beside the operations, and make a call for each scope.")
    return wanted
