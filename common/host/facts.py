"""Facts about Hermes that checks need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import profile
from .contract import table
from .profile import place
from .setup import gateway_home


def blocks(config: Mapping[str, Any], network: str) -> Iterator[Mapping[str, Any]]:
    """Yield a platform's blocks in config.yaml, the one that wins first."""
    gateway = config.get("gateway")
    for section in (config, config.get("platforms"), gateway.get("platforms") if isinstance(gateway, dict) else None):
        if isinstance(section, dict) and isinstance(block := section.get(network), dict):
            yield block


def switched_off(config: Mapping[str, Any], network: str) -> bool:
    """Return True if the operator disabled the platform with `enabled: false`."""
    written = [block["enabled"] for block in blocks(config, network) if "enabled" in block]
    return bool(written) and written[0] is False


def listening(network: str) -> bool:
    """Return True if a running gateway reports that it is connected to a network. Raises HostContractError."""
    return ((platform_states() or {}).get(network) or {}).get("state") == "connected"


def paired(network: str) -> int:
    """Return the number of people whom the host admits because of a pairing. Raises HostContractError."""
    return len(table.PAIRING_LIST(table.PAIRING_STORE(), network))


def outgoing_files() -> Path:
    """Return the folder of the documents that Hermes sends. Raises HostContractError."""
    return Path(table.DOCUMENT_CACHE())


def streaming_lacks(network: str) -> tuple[str, ...]:
    """Return the settings of config.yaml for want of which Hermes does not stream to a network; none if it does.

    Raises HostContractError if Hermes does not tell.
    """
    shown = table.DISPLAY_SETTING(table.LOAD_WHOLE_CONFIG() or {}, network, "streaming")
    lacks = () if shown else (f"`display.platforms.{network}.streaming: true`",)
    # Before Hermes had this, the platform's own setting was enough.
    enabled_for = table.STREAMING_ENABLED_FOR.of(table.STREAMING.of(table.LOAD_CONFIG()))
    return lacks if enabled_for is None or enabled_for(True) else (*lacks, "`streaming.enabled: true`")


def platform_states() -> Mapping[str, Mapping[str, Any]] | None:
    """Return the platform states that this profile's gateway reports, None if no gateway that serves it runs.

    Before 0.20.6, a gateway of several profiles reports only the latest state of a platform, whosever it is. Raises
    HostContractError if Hermes does not tell.
    """
    if (home := gateway_home()) is None:
        return None
    states = (table.RUNTIME_STATUS(home / "gateway_state.json") or {}).get("platforms")
    if not isinstance(states, dict):
        return {}
    own = place(profile.home())[1]
    keeper = place(home)[1] if any(":" in name for name in states) else own
    found: dict[str, Mapping[str, Any]] = {}
    for name, state in states.items():
        owner, _, network = name.rpartition(":")
        if isinstance(state, dict) and (owner or keeper) == own:
            found[network] = state
    return found
