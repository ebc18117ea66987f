"""The doctor's checks of memory: whether that of each chat is kept apart, and what chats share all the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ...core.errors import ConfigError
from ...doctor.findings import Result, advice, failed, ok, sentence
from ...tenancy import memory
from ...tenancy.contexts import KEY
from ..contract import table
from . import readiness
from .tenant import Tenant

_GLOBAL = f"say `policy: global` under {KEY} if every chat may read everything"
_COMMANDS: Mapping[str, str] = {"terminal": "terminal", "code_execution": "execute_code"}
"""The toolsets that run commands, with the tool that a setting denies."""
_LOCAL = "local"
_BY_PERSON = frozenset({"honcho", "mem0", "retaindb"})
"""Providers that know people: what somebody told the agent in private comes up in a group."""


def memory_settings(home: Path) -> Iterator[Result]:
    """Check the settings of memory, and whether the installed Hermes lets them be kept."""
    try:
        here = Tenant(home, table.LOAD_WHOLE_CONFIG() or {})
    except ConfigError as exc:
        for fault in exc.faults:
            yield failed(sentence(fault), "Correct it in config.yaml: until then no platform starts.")
        return
    if here.is_off:
        yield ok("All chats share one memory: `policy: global`.")
        return
    if faults := readiness.faults(beside_gateway=True):
        what = f"The memory of chats cannot be kept apart with this Hermes: {'; '.join(faults)}."
        yield failed(what, f"Upgrade hermes-hardened-adapters, or {_GLOBAL}.")
        return
    yield ok(_mode(here))
    yield from _old_entries(here)


def _mode(here: Tenant) -> str:
    contexts = sum(1 for _ in memory.stored(here.home))
    kept = f"`policy: {here.settings.policy}`, {_counted(contexts, 'context')} stored"
    if here.settings.strict:
        return f"Strict memory: this plugin keeps all of it, {kept}."
    return f"Each chat's memory is kept apart: {kept}."


def _old_entries(here: Tenant) -> Iterator[Result]:
    """Yield how many entries of Hermes' own files chats read besides their own."""
    files = (memory.memories(here.home) / memory.FILES[target] for target in here.targets)
    if count := sum(len(memory.entries(file)) for file in files):
        readers = here.settings.global_readers
        who = "Every chat reads" if "all" in readers else f"The chats of `global_readers` ({', '.join(readers)}) read"
        what = f"{who} {_counted(count, 'entry')} of MEMORY.md and USER.md."
        yield advice(what, "Run `hermes adapters memory sort` to keep, move or delete each of them.")


def shared(home: Path, platforms: Collection[str], environment: Mapping[str, str]) -> Iterator[Result]:
    """Name what chats of these platforms share beyond what this plugin keeps apart."""
    config = table.LOAD_WHOLE_CONFIG() or {}
    here = Tenant(home, config)
    if here.is_off:
        yield ok("All chats share one memory, so nothing is kept apart.")
        return
    toolsets = {platform: table.PLATFORM_TOOLS(config, platform) for platform in sorted(platforms)}
    found = [
        *_commands(here, toolsets, environment.get("TERMINAL_ENV") or _part(config, "terminal").get("backend")),
        *_servers(_part(config, "mcp_servers")),
        *_boards(config, toolsets),
        *_provider(str(_part(config, "memory").get("provider") or "")),
    ]
    yield from found or [ok("No setting lets chats share more than this plugin keeps apart.")]


def _commands(here: Tenant, toolsets: Mapping[str, Collection[str]], backend: object) -> Iterator[Result]:
    tools = {
        tool: [platform for platform, enabled in toolsets.items() if toolset in enabled]
        for toolset, tool in _COMMANDS.items()
        if tool not in here.settings.deny_tools
    }
    if not any(tools.values()):
        return
    who = f"Chats of {_listed(platform for users in tools.values() for platform in users)} may use"
    what = f"{who} {_listed(tool for tool, users in tools.items() if users)}"
    deny = f"`deny_tools: [{', '.join([*_COMMANDS.values(), 'process'])}]` under {KEY}"
    if (backend or _LOCAL) == _LOCAL:
        what += " on this machine: commands read whatever its user may read, the memory of other chats too."
        yield advice(what, f"Set {deny}, or a container as `terminal.backend` with `own_shells: true`.")
    elif not here.settings.own_shells:
        yield advice(f"{what} in one container: chats see each other's files there.", f"Set {deny}, or `own_shells`.")


def _servers(servers: Mapping[str, Any]) -> Iterator[Result]:
    if names := [name for name, server in servers.items() if not _is_off(server)]:
        what = f"All chats share the MCP servers {_listed(names)}, and whatever these remember."
        yield advice(what, "Keep those that remember away from chats: `hermes tools`.")


def _boards(config: Mapping[str, Any], platforms: Iterable[str]) -> Iterator[Result]:
    # Hermes lists the toolset for every platform, and offers its tools where the operator named it.
    lists = _part(config, "platform_toolsets")
    everywhere = "kanban" in (config.get("toolsets") or ())
    if users := [platform for platform in platforms if everywhere or "kanban" in (lists.get(platform) or ())]:
        what = f"Chats of {_listed(users)} share one kanban board."
        yield advice(what, "Remove kanban from `toolsets` and `platform_toolsets` in config.yaml.")


def _provider(name: str) -> Iterator[Result]:
    if name:
        whose = "knows people, not chats" if name in _BY_PERSON else "is one pool for all chats"
        what = f"The memory provider {name} {whose}: what it recalls in one chat may come from another."
        yield advice(what, "Remove `memory.provider` from config.yaml, or use it for what every chat may know.")


def _part(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = config.get(key)
    return found if isinstance(found, Mapping) else {}


def _is_off(server: object) -> bool:
    return isinstance(server, Mapping) and server.get("enabled") is False


def _listed(names: Iterable[object]) -> str:
    return ", ".join(dict.fromkeys(map(str, names)))


def _counted(number: int, what: str) -> str:
    several = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    return f"{number} {what if number == 1 else several}"
