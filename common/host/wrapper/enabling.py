"""Enabling the plugin in Hermes' configuration, as `hermes plugins enable` does."""

from __future__ import annotations

import importlib
import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from importlib.util import find_spec
from typing import Any

from ...core.errors import InstallError
from .files import PLUGIN

COMMAND = f"hermes plugins enable {PLUGIN} --no-allow-tool-override"


def has_hermes() -> bool:
    """Return True if Hermes is in this Python environment."""
    return find_spec("hermes_constants") is not None


def listed(config: Mapping[str, Any], key: str) -> set[str]:
    """Return `plugins.enabled` or `plugins.disabled` of a config.yaml; empty if it is missing or no list."""
    plugins = config.get("plugins")
    names = plugins.get(key) if isinstance(plugins, dict) else None
    return {name for name in names if isinstance(name, str)} if isinstance(names, list) else set()


def is_enabled() -> bool:
    """Return True if Hermes' configuration enables the plugin."""
    config = importlib.import_module("hermes_cli.config").load_config()
    return PLUGIN in listed(config, "enabled") - listed(config, "disabled")


def enable() -> None:
    """Enable the plugin without allowing it to override tools. Raises InstallError with what Hermes says."""
    try:
        with redirect_stdout(io.StringIO()) as said:
            if _enabling_reaches_this_environment():
                importlib.import_module("hermes_cli.plugins_cmd").cmd_enable(PLUGIN, allow_tool_override=False)
            else:
                _enable_in_configuration()
    except (Exception, SystemExit) as exc:
        raise InstallError(_refusal(said.getvalue() or type(exc).__name__)) from exc
    if not is_enabled():
        raise InstallError(_refusal(said.getvalue() or "its configuration is unchanged"))


def _refusal(why: str) -> str:
    return f"Hermes did not enable the plugin ({' '.join(why.split())}): correct that and run `{COMMAND}`"


def _enabling_reaches_this_environment() -> bool:
    """Return False if Hermes would build another environment for the plugin, which this process does not run in.

    Since 0.22, enabling a plugin builds an environment (pm/client.py, sync_venv). If Hermes was installed with pip, it
    has no sources to build one from.
    """
    try:
        environments, paths = importlib.import_module("pm.environments"), importlib.import_module("pm.paths")
    except ModuleNotFoundError:
        return True
    return bool(environments.running_from_selected_environment(paths.repo_root()))


def _enable_in_configuration() -> None:
    configuration = importlib.import_module("hermes_cli.config")
    config = configuration.load_config()
    plugins = config.setdefault("plugins", {})
    plugins["enabled"] = sorted(listed(config, "enabled") | {PLUGIN})
    plugins["disabled"] = sorted(listed(config, "disabled") - {PLUGIN})
    plugins.setdefault("entries", {}).setdefault(PLUGIN, {})["allow_tool_override"] = False
    configuration.save_config(config)
