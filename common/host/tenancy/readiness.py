"""Checks whether memory can be kept apart. If not, no platform starts: Hermes would show all memory in every chat."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...core.errors import HostContractError
from ...tenancy.contexts import KEY
from ..contract import table
from ..contract.check import examine
from . import rehearsal
from .tenant import tenant

_NEEDED: dict[str, Callable[..., object]] = {}
"""Our middleware and hooks, by the kind under which Hermes must have them."""


def expect(callbacks: Mapping[str, Callable[..., object]]) -> None:
    """Note what must be registered with Hermes before a platform starts."""
    _NEEDED.update(callbacks)


def require() -> None:
    """Raise HostContractError if memory cannot be kept apart here, ConfigError if its settings are wrong.

    A setting says that all memory may be global; then nothing is needed.
    """
    if tenant().is_off:
        return
    if refused := faults():
        raise HostContractError(
            f"the memory of chats cannot be kept apart with the installed hermes-agent: {'; '.join(refused)}."
            f" Upgrade hermes-hardened-adapters, or say that every chat may read it: {KEY}: {{policy: global}}"
        )


def faults(*, beside_gateway: bool = False) -> list[str]:
    """Return why the installed Hermes cannot keep memory apart, with every name that it lacks; empty if it can.

    A command that runs `beside_gateway` may have no plugin loaded, which its check of the plugin says.
    """
    if lacking := [str(row) for row in examine(table.MEMORY_NAMES) if row.fatal]:
        return lacking
    if beside_gateway and not _NEEDED:
        return rehearsal.faults()
    return _unregistered() or rehearsal.faults()


def _unregistered() -> list[str]:
    """Return a fault for each of our callbacks that the plugin manager of this HERMES_HOME does not have."""
    manager = table.PLUGIN_MANAGER()
    found = {**(table.REGISTERED_HOOKS.of(manager) or {}), **(table.REGISTERED_MIDDLEWARE.of(manager) or {})}
    missing = [kind for kind, callback in _NEEDED.items() if callback not in found.get(kind, ())]
    if not _NEEDED or missing:
        return [f"the plugin did not register {', '.join(missing) or 'its middleware'}"]
    return []
