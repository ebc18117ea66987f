"""The operator's set-up from the gateway's point of view, for commands that run beside the gateway."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import profile
from .contract import table
from .contract.version import check_version


@dataclass(frozen=True, slots=True)
class Setup:
    """A profile's set-up. `extras` maps each of our platforms that Hermes would start to its `PlatformConfig.extra`."""

    home: Path
    environment: Mapping[str, str]
    extras: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    """All platforms that Hermes would start, those of others too."""

    @property
    def state(self) -> Path:
        """The path of the state file of this profile's gateway."""
        return profile.state_file(self.home)


def load_setup(platforms: Collection[str]) -> Setup:
    """Read `.env`, `config.yaml` and the environment with the host's own code. Raises HostContractError without it."""
    check_version()
    home = profile.home()
    table.LOAD_ENV_FILE(hermes_home=home)
    config: Any = table.LOAD_CONFIG()
    enabled = {platform.value: settings for platform, settings in config.platforms.items() if settings.enabled}
    extras = {
        platform: {**(settings.extra or {}), **({"token": settings.token} if settings.token else {})}
        for platform, settings in enabled.items()
        if platform in platforms
    }
    return Setup(home, profile.environment(), extras, tuple(enabled))


def slash_commands() -> frozenset[str]:
    """Return the names of the host's own slash commands, which are public; none if it does not list them."""
    registry: Any = table.COMMAND_REGISTRY.optional() or ()
    return frozenset(name for command in registry for name in (command.name, *command.aliases))


def gateway_runs() -> bool:
    """Return True if this profile's gateway is running. Raises HostContractError if Hermes does not tell."""
    return table.RUNNING_PID(cleanup_stale=False) is not None
