"""The checks of Hermes itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core import flags
from ..core.errors import HostContractError, InstallError
from ..doctor.checks import Check
from ..doctor.findings import Result, Status, advice, failed, ok, refusal, sentence
from ..doctor.state_file import state_file
from ..settings import environment
from . import profile
from .accounts.checks import Names, separate
from .asking import checks as asking
from .contract import table
from .contract.check import examine
from .contract.names import HostName
from .contract.version import VERIFIED_HERMES, check_version, host_version, version_tuple
from .documents import parse_yaml, yaml_error
from .facts import platform_states
from .profile import place
from .setup import Setup, gateway_home, load_setup
from .tenancy import checks as tenancy
from .wrapper import files
from .wrapper.enabling import listed
from .wrapper.files import PLUGIN
from .wrapper.origin import DISTRIBUTION, installed

UPGRADE = "Upgrade hermes-hardened-adapters; `hermes adapters doctor --host` lists what it needs of Hermes."


class CheckName(StrEnum):
    """The checks of Hermes, in the order in which they run."""

    VERSION = "hermes.version"
    CONFIG = "hermes.config"
    SETUP = "hermes.setup"
    PLUGIN = "hermes.plugin"
    PLATFORM = "hermes.platform"
    CONTRACT = "hermes.contract"
    MEMORY = "hermes.memory"
    SHARED = "hermes.shared"
    APPROVALS = "hermes.approvals"
    ACCOUNTS = "hermes.accounts"
    GATEWAY = "hermes.gateway"
    STATE = "hermes.state"


@dataclass
class Context:
    """The input of the checks of Hermes."""

    adapters: Mapping[str, Callable[[], object]]
    """Maps a network to a function that imports its adapter."""
    names: Mapping[str, Callable[[], Iterable[HostName]]] = field(default_factory=dict)
    """Maps a network to a function that returns the names of Hermes that it uses."""
    accounts: Mapping[str, Names] = field(default_factory=dict)
    """Maps a network to a function that returns the names of the account in settings of it."""

    @cached_property
    def home(self) -> Path:
        return profile.home()

    @cached_property
    def setup(self) -> Setup:
        """The operator's set-up. Raises the errors of Hermes if it cannot be read."""
        return load_setup(self.adapters)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The content of config.yaml; empty if the file is missing or unreadable, which `configuration` reports."""
        try:
            return _read(self.home / "config.yaml")
        except Exception:
            return {}


def version(_: Context) -> Iterator[Result]:
    """Check that hermes-agent is installed in a supported version."""
    try:
        check_version()
    except HostContractError as exc:
        remedy = "Run `pip install 'hermes-hardened-adapters[hermes]'` in the environment that `hermes` runs in."
        yield failed(f"{exc}.", remedy)
        return
    installed, newest = host_version(), VERIFIED_HERMES[-1]
    if installed is None:
        what = "Hermes does not know its version: a source checkout without tags."
        yield advice(what, f"These adapters were tested with {VERIFIED_HERMES[0]} to {newest}; run `git fetch --tags`.")
    elif version_tuple(installed) > version_tuple(newest):
        what = f"hermes-agent {installed} is newer than {newest}, the newest these adapters were tested with."
        yield advice(what, f"Upgrade hermes-hardened-adapters, or go back to hermes-agent {newest} if anything fails.")
    else:
        yield ok(f"hermes-agent {installed} is a tested version.")


def configuration(context: Context) -> Iterator[Result]:
    """Check that config.yaml can be read: otherwise Hermes runs without it, and without this plugin."""
    path = context.home / "config.yaml"
    try:
        _read(path)
    except (OSError, UnicodeDecodeError) as exc:
        what = f"{path} cannot be read ({type(exc).__name__})."
        yield failed(what, "Let the gateway's user read it, as UTF-8 text.")
    except yaml_error() as exc:
        mark = getattr(exc, "problem_mark", None)
        line = f" at line {mark.line + 1}" if mark else ""
        what = f"{path} is not valid YAML{line}, so Hermes ignores all of it."
        yield failed(what, "Correct the indentation, quotes and colons there.")
    else:
        yield ok(f"Hermes is configured in {context.home}.")


def setup(context: Context) -> Iterator[Result]:
    """Check that Hermes can load its configuration and `.env`, which the checks after this one need."""
    try:
        _ = context.setup
    except HostContractError as exc:
        yield failed(f"Hermes' configuration cannot be read: {exc}.", UPGRADE)
    except Exception as exc:
        what = f"Hermes cannot read its own configuration: {type(exc).__name__}."
        yield failed(what, "Run `hermes doctor` and correct what it names.")


def plugin(context: Context) -> Iterator[Result]:
    """Check that Hermes loads this plugin; otherwise its own adapters run in our place without a warning."""
    if environment.value("HERMES_SAFE_MODE").lower() in flags.TRUE:
        what = "Hermes runs in safe mode (HERMES_SAFE_MODE) and loads no plugin."
        yield failed(what, "Unset HERMES_SAFE_MODE and start the gateway without --safe-mode.")
        return
    remedy = "Run `python -m hermes_hardened_adapters install` and restart the gateway."
    if PLUGIN in listed(context.config, "disabled"):
        yield failed("The plugin is listed in `plugins.disabled` of config.yaml.", remedy)
    elif PLUGIN not in listed(context.config, "enabled"):
        yield failed("The plugin is not enabled: `plugins.enabled` of config.yaml does not list it.", remedy)
    else:
        fault = _not_loaded(context.config["plugins"])
        yield fault or ok("Hermes has loaded the plugin.")
        kept = _not_kept(context.home)
        if kept and (kept.status is Status.FAILED or not fault):
            yield kept


def _not_loaded(settings: Mapping[str, Any]) -> Result | None:
    """Return why Hermes has not loaded the plugin; None if it has. `settings` are the `plugins` of config.yaml."""
    table.DISCOVER_PLUGINS()
    ours = next((p for p in table.PLUGIN_LIST(table.PLUGIN_MANAGER()) if p["name"] == PLUGIN), None)
    remedy = f"Run `pip install --force-reinstall {_origin()}` in the environment that `hermes` runs in."
    if ours is None:
        return failed("Hermes does not find the plugin: its entry point is not in this Python environment.", remedy)
    if ours["enabled"]:
        return None
    if str(settings.get("isolation")).strip().lower() == "host":
        remedy = "Set `isolation: in_process` under `plugins:` in config.yaml and restart the gateway."
    return failed(f"Hermes could not load the plugin: {str(ours['error']).rstrip('.')}.", remedy)


def _origin() -> str:
    try:
        return installed().pip
    except InstallError:
        return DISTRIBUTION


def _not_kept(home: Path) -> Result | None:
    """Return why an update of Hermes, which may build a new environment, would not keep the plugin; None if it would.

    It is a failure if the plugin's folder holds something else, which Hermes may load instead.
    """
    # The host's sign of an environment that is never changed, as in a container.
    if environment.value("HERMES_DISABLE_LAZY_INSTALLS") == "1":
        return None
    try:
        expected = files.contents(installed())
    except InstallError as exc:
        what, _, remedy = str(exc).partition(": ")
        return advice(f"An update of Hermes would lose the plugin: {what}.", sentence(remedy))
    try:
        stale = files.outdated(home, expected)
    except InstallError as exc:
        return refusal(exc, otherwise="")
    if not stale:
        return None
    what = f"An update of Hermes would install the plugin as {files.folder(home)} names it, which is not this one."
    if not (files.folder(home) / "plugin.yaml").exists():
        what = "An update of Hermes would lose the plugin, because only this Python environment has it."
    return advice(what, "Run `hermes adapters install`.")


def platform(context: Context) -> Iterator[Result]:
    """Check for each network that the gateway would use our adapter."""
    registry = table.PLATFORM_REGISTRY.load()
    for network in context.adapters:
        entry = table.PLATFORM_GET(registry, network)
        holder = getattr(entry, "plugin_name", "") or "Hermes itself"
        if entry is not None and holder == PLUGIN:
            yield ok(f"The platform {network} is ours.")
        else:
            what = f"The platform {network} belongs to {holder}, not to this plugin."
            remedy = f"Enable this plugin, and disable any other that registers {network}; then restart the gateway."
            yield failed(what, remedy)


def inherited(context: Context) -> Iterator[Result]:
    """Check for each network that Hermes offers what our adapter builds on, which importing the adapter verifies.

    Names the features that are off because Hermes lacks what they alone need.
    """
    for network, import_adapter in context.adapters.items():
        try:
            import_adapter()
        except HostContractError as exc:
            what, _, remedy = str(exc).rpartition(". ")
            yield failed(f"{what or exc}.", f"{remedy}." if what else UPGRADE)
        else:
            yield ok(f"Hermes offers what the {network} adapter builds on.")
    lacking: dict[str, list[str]] = {}
    for row in examine(dict.fromkeys(name for names in context.names.values() for name in names())):
        if row.consequence and not row.fatal:
            lacking.setdefault(row.consequence, []).append(str(row))
    for feature, rows in lacking.items():
        what = f"Off with this Hermes: {feature} ({', '.join(rows)})."
        yield advice(what, "Upgrade hermes-hardened-adapters if you need that.")


def memory(context: Context) -> Iterator[Result]:
    """Check that the memory of each chat can be kept apart as the settings want it."""
    yield from tenancy.memory_settings(context.home)


def shared(context: Context) -> Iterator[Result]:
    """Name what chats share all the same, because of settings of Hermes."""
    yield from tenancy.shared(context.home, context.setup.platforms, context.setup.environment)


def approvals(context: Context) -> Iterator[Result]:
    """Name the chats whose dangerous commands people do not decide about."""
    yield from asking.approvals(context.setup.platforms)


def accounts(context: Context) -> Iterator[Result]:
    """Check that no two profiles have the same account: both would answer, and the second is refused."""
    yield from separate(context.setup, context.accounts)


def gateway(context: Context) -> Iterator[Result]:
    """Check that a gateway is running and connected to our platforms."""
    states = platform_states()
    if states is None:
        what = "No gateway is running for this Hermes home."
        yield advice(what, "Start it with `hermes gateway run`, or `hermes gateway start`.")
        return
    keeper = gateway_home() or context.home
    whose = f" of the profile {place(keeper)[1]}, which serves this one," if keeper != context.home else ""
    yield ok(f"The gateway{whose} is running.")
    for network, state in states.items():
        if network in context.adapters and state.get("state") != "connected":
            what = (
                f"The running gateway is not connected to {network} ({state.get('error_code') or 'no reason given'})."
            )
            remedy = "Fix what fails below, or see in the gateway's log whether it loads this plugin; then restart it."
            yield advice(what, remedy)


def state(context: Context) -> Iterator[Result]:
    """Check the state file of this profile."""
    yield from state_file(context.setup.state)


_READABLE = (CheckName.SETUP,)
CHECKS: tuple[Check[Context], ...] = (
    Check(CheckName.VERSION, version),
    Check(CheckName.CONFIG, configuration, needs=(CheckName.VERSION,)),
    Check(CheckName.SETUP, setup, needs=(CheckName.VERSION,)),
    Check(CheckName.PLUGIN, plugin, needs=_READABLE),
    Check(CheckName.PLATFORM, platform, needs=_READABLE),
    Check(CheckName.CONTRACT, inherited, needs=(CheckName.VERSION,)),
    Check(CheckName.MEMORY, memory, needs=_READABLE),
    Check(CheckName.SHARED, shared, needs=(CheckName.SETUP, CheckName.MEMORY)),
    Check(CheckName.APPROVALS, approvals, needs=_READABLE),
    Check(CheckName.ACCOUNTS, accounts, needs=_READABLE),
    Check(CheckName.GATEWAY, gateway, needs=_READABLE),
    Check(CheckName.STATE, state, needs=_READABLE),
)


def _read(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    content = parse_yaml(path.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) else {}
