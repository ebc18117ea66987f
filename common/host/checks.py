"""What the host can be asked about itself: its version, its configuration, whether it loaded us, what it runs."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from ..core.errors import HostContractError
from ..doctor.findings import Finding, Status
from ..settings import environment
from . import contract
from .setup import gateway_runs

PLUGIN = "hardened-adapters"


def version() -> Iterator[Finding]:
    """Whether hermes-agent is there and of a version these adapters know."""
    try:
        contract.check_version()
    except HostContractError as exc:
        remedy = "Run `pip install 'hermes-hardened-adapters[hermes]'` in the environment that `hermes` runs in."
        yield Finding("hermes.version", Status.FAILED, f"{exc}.", remedy)
        return
    installed = metadata.version("hermes-agent")
    newest = contract.VERIFIED_HERMES[-1]
    if contract.version_tuple(installed) > contract.version_tuple(newest):
        what = f"hermes-agent {installed} is newer than {newest}, the newest these adapters were tested with."
        remedy = f"Upgrade hermes-hardened-adapters, or go back to hermes-agent {newest} if something is amiss."
        yield Finding("hermes.version", Status.ADVICE, what, remedy)
    else:
        yield Finding("hermes.version", Status.OK, f"hermes-agent {installed} is a tested version.")


def configuration(home: Path) -> Iterator[Finding]:
    """Whether config.yaml can be read: the host goes on without it otherwise, and without this plugin."""
    yaml = importlib.import_module("yaml")
    path = home / "config.yaml"
    try:
        _read(path)
    except (OSError, UnicodeDecodeError) as exc:
        what = f"{path} cannot be read ({type(exc).__name__})."
        yield Finding("hermes.config", Status.FAILED, what, "Let the gateway's user read it, as UTF-8 text.")
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        what = f"{path} is no valid YAML{line}, so Hermes ignores all of it."
        yield Finding("hermes.config", Status.FAILED, what, "Correct the indentation, quotes and colons there.")
    else:
        yield Finding("hermes.config", Status.OK, f"Hermes is configured in {home}.")


def raw(home: Path) -> Mapping[str, Any]:
    """config.yaml as written; empty when there is none or it cannot be read."""
    try:
        return _read(home / "config.yaml")
    except Exception:
        # `configuration` tells about it.
        return {}


def blocks(config: Mapping[str, Any], network: str) -> Iterator[Mapping[str, Any]]:
    """A platform's blocks in config.yaml, the strongest first."""
    gateway = config.get("gateway")
    for section in (config, config.get("platforms"), gateway.get("platforms") if isinstance(gateway, dict) else None):
        if isinstance(section, dict) and isinstance(block := section.get(network), dict):
            yield block


def switched_off(config: Mapping[str, Any], network: str) -> bool:
    """Whether the operator wrote `enabled: false`."""
    said = [block["enabled"] for block in blocks(config, network) if "enabled" in block]
    return bool(said) and said[0] is False


def loaded(config: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether Hermes loaded this plugin. Where it did not, its own adapters run in our place, without a word."""
    check = "hermes.plugin"
    if environment.value("HERMES_SAFE_MODE").lower() in {"1", "true", "yes", "on"}:
        what = "Hermes runs in safe mode (HERMES_SAFE_MODE) and loads no plugin."
        yield Finding(check, Status.FAILED, what, "Unset HERMES_SAFE_MODE and start the gateway without --safe-mode.")
        return
    plugins = config.get("plugins")
    enabled = plugins.get("enabled") if isinstance(plugins, dict) else None
    disabled = plugins.get("disabled") if isinstance(plugins, dict) else None
    if isinstance(disabled, list) and PLUGIN in disabled:
        what = "The plugin stands in `plugins.disabled` of config.yaml."
        yield Finding(check, Status.FAILED, what, f"Run `hermes plugins enable {PLUGIN}` and restart the gateway.")
    elif not isinstance(enabled, list) or PLUGIN not in enabled:
        what = "The plugin is not enabled: `plugins.enabled` of config.yaml does not list it."
        yield Finding(check, Status.FAILED, what, f"Run `hermes plugins enable {PLUGIN}` and restart the gateway.")
    else:
        yield _loaded(check)


def _loaded(check: str) -> Finding:
    plugins = importlib.import_module("hermes_cli.plugins")
    plugins.discover_plugins()
    ours = next((p for p in plugins.get_plugin_manager().list_plugins() if p["name"] == PLUGIN), None)
    remedy = "Run `pip install --force-reinstall hermes-hardened-adapters` in the environment that `hermes` runs in."
    if ours is None:
        what = "Hermes does not find the plugin: its entry point is not in this Python environment."
        return Finding(check, Status.FAILED, what, remedy)
    if not ours["enabled"]:
        return Finding(
            check, Status.FAILED, f"Hermes could not load the plugin: {str(ours['error']).rstrip('.')}.", remedy
        )
    return Finding(check, Status.OK, "Hermes has loaded the plugin.")


def owner(network: str) -> Iterator[Finding]:
    """Whether the gateway would make our adapter for a network."""
    registry = importlib.import_module("gateway.platform_registry").platform_registry
    entry = registry.get(network)
    holder = getattr(entry, "plugin_name", "") or "Hermes itself"
    if entry is not None and holder == PLUGIN:
        yield Finding("hermes.platform", Status.OK, f"The platform {network} is ours.")
    else:
        what = f"The platform {network} belongs to {holder}, not to this plugin."
        remedy = f"Enable this plugin, and disable any other that registers {network}; then restart the gateway."
        yield Finding("hermes.platform", Status.FAILED, what, remedy)


def gateway(platforms: Collection[str]) -> Iterator[Finding]:
    """Whether a gateway runs, and what it says of our platforms."""
    check = "hermes.gateway"
    states = _platform_states()
    if states is None:
        what = "No gateway is running for this Hermes home."
        yield Finding(check, Status.ADVICE, what, "Start it with `hermes gateway run`, or `hermes gateway start`.")
        return
    yield Finding(check, Status.OK, "The gateway is running.")
    for network, state in states.items():
        if network in platforms and state.get("state") != "connected":
            what = f"The running gateway is not connected to {network} ({state.get('error_code') or 'no reason told'})."
            remedy = "See what fails below, then restart the gateway with `hermes gateway restart`."
            yield Finding(check, Status.ADVICE, what, remedy)


def listening(network: str) -> bool:
    """Whether a running gateway says that it is connected to a network."""
    return ((_platform_states() or {}).get(network) or {}).get("state") == "connected"


def _platform_states() -> Mapping[str, Mapping[str, Any]] | None:
    """What the gateway of this home says of its platforms, None when none runs."""
    if not gateway_runs():
        return None
    said = (importlib.import_module("gateway.status").read_runtime_status() or {}).get("platforms")
    return {n: s for n, s in said.items() if isinstance(s, dict)} if isinstance(said, dict) else {}


def paired(network: str) -> int:
    """How many people the host lets in because they were paired."""
    return len(importlib.import_module("gateway.pairing").PairingStore().list_approved(network))


def outgoing_files() -> Path:
    """The folder of the documents that Hermes sends."""
    return Path(importlib.import_module("gateway.platforms.base").get_document_cache_dir())


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    content = importlib.import_module("yaml").safe_load(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
