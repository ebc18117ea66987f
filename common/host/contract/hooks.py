"""Hooks, registered so that Hermes calls them for every turn.

Since 0.20.6, Hermes skips some hooks while they are at work for another turn, and for a minute after they took too
long. It tells them apart by their identity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

_SKIPPED = frozenset({"pre_llm_call", "transform_llm_output"})
"""Those of ours that Hermes may skip (_HOOK_TIMEOUT_BOUNDED_HOOKS in hermes_cli); others it runs to their end."""
_SPARES = 7
"""How many more times such a hook is registered: for as many turns more it can be at work at once."""


def register(register_hook: Callable[..., object], kind: str, callback: Callable[..., object]) -> None:
    """Register a hook with the host. One that the host may skip is called several times in a turn."""
    register_hook(kind, callback)
    for _ in range(_SPARES if kind in _SKIPPED else 0):
        register_hook(kind, partial(callback))
