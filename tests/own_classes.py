"""The classes of an adapter that are ours, and what they define."""

from __future__ import annotations

import dis
from collections.abc import Iterable
from types import FunctionType


def own_classes(adapter: type) -> list[type]:
    """Return those classes of an adapter that are ours."""
    return [cls for cls in adapter.__mro__ if cls.__module__.startswith("hermes_hardened_adapters.")]


def defined_by(classes: Iterable[type]) -> set[str]:
    """Return the attributes that classes define or declare, and those that their methods set.

    Leaves out functions that only wrap an inherited one.
    """
    found: set[str] = set()
    for cls in classes:
        found |= {name for name, member in vars(cls).items() if not _is_wrapper(member)}
        found |= set(vars(cls).get("__annotations__", ()))
        for member in vars(cls).values():
            if isinstance(function := getattr(member, "__func__", member), FunctionType):
                found |= {str(s.argval) for s in dis.get_instructions(function) if s.opname == "STORE_ATTR"}
    return found


def _is_wrapper(member: object) -> bool:
    return isinstance(member, FunctionType) and hasattr(member, "__wrapped__")
