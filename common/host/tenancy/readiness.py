"""Whether memory can be kept apart. If not, no platform starts: Hermes would show every chat's memory everywhere."""

from __future__ import annotations

from ...core.errors import HostContractError
from ...tenancy.contexts import KEY
from ..contract import table
from ..contract.check import examine
from .tenant import tenant

_registered = False


def registered() -> None:
    """Note that Hermes has our hooks and our middleware."""
    global _registered
    _registered = True


def require() -> None:
    """Raise HostContractError if memory cannot be kept apart here, ConfigError if its settings are wrong.

    A setting says that all memory may be global; then nothing is needed.
    """
    if tenant().is_off:
        return
    refused = [str(row) for row in examine(table.MEMORY_NAMES) if row.fatal]
    if not _registered and not refused:
        refused = ["the plugin's middleware was not registered"]
    if refused:
        raise HostContractError(
            f"the memory of chats cannot be kept apart with the installed hermes-agent: {'; '.join(refused)}."
            f" Upgrade hermes-hardened-adapters, or say that every chat may read it: {KEY}: {{policy: global}}"
        )
