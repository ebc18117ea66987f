"""The operator's set-up from the gateway's point of view, for commands that run beside the gateway."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import profile
from .contract import table
from .contract.version import check_version
from .documents import parse_yaml
from .profile import place


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


def gateway_home() -> Path | None:
    """Return the home of the running gateway that serves this profile: its own, or that of another profile.

    Raises HostContractError if Hermes does not tell.
    """
    home = profile.home()
    if table.RUNNING_PID(cleanup_stale=False) is not None:
        return home
    root, name = place(home)
    others = [root, *sorted((root / "profiles").glob("*"))]
    return next((each for each in others if each != home and _serves(each, name)), None)


def _serves(home: Path, name: str) -> bool:
    """Return True if the gateway of another profile's home runs and serves a profile."""
    if table.RUNNING_PID(home / "gateway.pid", cleanup_stale=False) is None:
        return False
    served = (table.RUNTIME_STATUS(home / "gateway_state.json") or {}).get("served_profiles")
    return name in served if isinstance(served, list) else _serves_all(home)


def _serves_all(home: Path) -> bool:
    """Return True if that home's settings ask for all profiles: Hermes 0.18 fails to note which it serves."""
    try:
        gateway = parse_yaml((home / "config.yaml").read_text(encoding="utf-8"))["gateway"]
        return gateway["multiplex_profiles"] is True
    except Exception:
        return False


def gateway_runs() -> bool:
    """Return True if a gateway that serves this profile runs. Raises HostContractError if Hermes does not tell."""
    return gateway_home() is not None
