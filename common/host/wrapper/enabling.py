"""Enabling the plugin in Hermes' configuration, as `hermes plugins enable` does."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ...core.errors import InstallError
from ..contract import table
from ..documents import parse_yaml, yaml_error
from .files import PLUGIN

COMMAND = f"hermes plugins enable {PLUGIN} --no-allow-tool-override"


def has_hermes() -> bool:
    """Return True if Hermes is in this Python environment."""
    return table.HERMES_HOME.optional() is not None


def listed(config: Mapping[str, Any], key: str) -> set[str]:
    """Return `plugins.enabled` or `plugins.disabled` of a config.yaml; empty if it is missing or no list."""
    plugins = config.get("plugins")
    names = plugins.get(key) if isinstance(plugins, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def is_enabled(home: Path) -> bool:
    """Return True if Hermes' configuration enables the plugin. Raises InstallError if it cannot be read."""
    config: Mapping[str, Any] = table.MANAGED_CONFIG(_configuration(home / "config.yaml"))
    return PLUGIN in listed(config, "enabled") - listed(config, "disabled")


def _configuration(path: Path) -> dict[str, Any]:
    # Some versions of Hermes replace a file that they cannot read by their defaults.
    try:
        content = parse_yaml(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml_error()) as exc:
        raise InstallError(f"{path} cannot be read ({type(exc).__name__}): correct it") from exc
    if not isinstance(content, dict):
        raise InstallError(f"{path} is not a mapping: correct it")
    return content


def enable(home: Path) -> None:
    """Enable the plugin without allowing it to override tools. Raises InstallError with what Hermes says."""
    try:
        with redirect_stdout(io.StringIO()) as said:
            if _reaches_this_environment():
                table.ENABLE_PLUGIN(PLUGIN, allow_tool_override=False)
            else:
                _write()
    except (Exception, SystemExit) as exc:
        raise InstallError(_refusal(said.getvalue() or type(exc).__name__)) from exc
    if not is_enabled(home):
        raise InstallError(_refusal(said.getvalue() or "its configuration is unchanged"))


def _refusal(why: str) -> str:
    return f"Hermes did not enable the plugin ({' '.join(why.split())}): correct that and run `{COMMAND}`"


def _reaches_this_environment() -> bool:
    """Return False if Hermes would build another environment for the plugin, which this process does not run in.

    Since 0.22, enabling a plugin builds an environment (pm/client.py, sync_venv). If Hermes was installed with pip, it
    has no sources to build one from.
    """
    runs_in_its_environment, sources = table.RUNS_IN_ITS_ENVIRONMENT.optional(), table.SOURCES.optional()
    return runs_in_its_environment is None or sources is None or bool(runs_in_its_environment(sources()))


def _write() -> None:
    config = table.LOAD_WHOLE_CONFIG()
    plugins = config.setdefault("plugins", {})
    plugins["enabled"] = sorted(listed(config, "enabled") | {PLUGIN})
    plugins["disabled"] = sorted(listed(config, "disabled") - {PLUGIN})
    plugins.setdefault("entries", {}).setdefault(PLUGIN, {})["allow_tool_override"] = False
    table.SAVE_WHOLE_CONFIG(config)
