"""The memory of one HERMES_HOME: its settings, its contexts, its open stores."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...core import flags
from ...core.bounded import Bounded
from ...core.errors import ConfigError
from ...tenancy.chats import Chat, Operation
from ...tenancy.contexts import GLOBAL, KEY, Contexts
from .. import profile
from ..contract import table
from . import store
from .prompt import Prompts
from .store import Store

_KEEP_STORES = 256
_HOSTS_FLAGS = {"memory": "memory_enabled", "user": "user_profile_enabled"}
"""Hermes' own switches, by the targets of its memory tool."""
_MARKER = 19
"""Characters of the host's summary prefix that are the same in all its versions."""

_tenants: dict[Path, Tenant] = {}
_opening = threading.Lock()


class Tenant:
    """Settings and contexts of one HERMES_HOME, as they were when it was first used."""

    def __init__(self, home: Path, config: Mapping[str, Any]) -> None:
        # Here, because Hermes loads the plugin for each of its commands, and pydantic is slow to load.
        from ...tenancy.settings import MemorySettings

        self.home = home
        faults = _contradictions(config)
        try:
            self.settings = MemorySettings.load(_block(config))
        except ConfigError as exc:
            raise ConfigError([*exc.faults, *faults]) from exc
        if faults:
            raise ConfigError(faults)
        self.contexts: Contexts = self.settings.resolved(home.name)
        hosts = config.get("memory") or {}
        self._sizes = store.limits(hosts)
        self.targets: Sequence[str] = _targets(hosts, self.settings.strict)
        self.prompts = Prompts(home, self._sizes)
        self._stores: Bounded[tuple[str, str], Any] = Bounded(_KEEP_STORES)
        self._lock = threading.Lock()

    @property
    def is_off(self) -> bool:
        """True if every chat uses Hermes' own memory, as without this plugin."""
        return self.contexts.all_global and not self.settings.strict

    @property
    def summary_marker(self) -> str:
        """The beginning of the summary that Hermes leaves of a compacted conversation."""
        return str(table.SUMMARY_PREFIX.load()[:_MARKER])

    def of(self, chat: Chat | None, operation: Operation) -> tuple[str, ...]:
        """Return the contexts of a chat; of the operator's terminal with None. Raises Unknown."""
        if chat is None:
            return (self.contexts.named(self.settings.cli_context),) if self.settings.cli_context else GLOBAL
        return self.contexts.of(chat, operation)

    def shown(self, chat: Chat | None) -> tuple[str, ...]:
        """Return the contexts whose memory belongs into a system prompt besides what Hermes shows itself."""
        found = self.of(chat, Operation.READ)
        if self.settings.strict and (chat is None or self.settings.reads_global(chat)):
            return (*found, store.HOST_MEMORY)
        return found

    def may_write_global(self, chat: Chat, mine: tuple[str, ...]) -> bool:
        """Return True if a chat of the contexts `mine` may change the memory of all chats.

        In strict memory it must be shown it too: the tool's answers contain entries.
        """
        if self.settings.strict and not self.settings.reads_global(chat):
            return False
        return mine == GLOBAL or self.settings.writes_global(chat)

    def store(self, turn_id: str, context: str) -> Any:
        """Return the store of a context, the same during a turn: the host counts failed attempts on it."""
        if not turn_id:
            return store.open_store(self.home, context, self._sizes)
        with self._lock:
            opened = self._stores.get((turn_id, context))
            if opened is None:
                opened = store.open_store(self.home, context, self._sizes)
                self._stores.put((turn_id, context), opened)
            return opened

    def open(self, context: str, folder: Path | None = None) -> Store:
        """Return a new store of a context, `store.HOST_MEMORY` being the host's own, or of a folder that has none."""
        if folder is not None:
            return store.open_folder(self.home, folder, store.HOST_MEMORY, self._sizes)
        return store.open_store(self.home, context, self._sizes)


def tenant() -> Tenant:
    """Return the memory of the current HERMES_HOME. Raises ConfigError, every time, if its settings are wrong."""
    home = profile.home()
    found = _tenants.get(home)
    if found is None:
        with _opening:
            found = _tenants.get(home) or Tenant(home, table.LOAD_WHOLE_CONFIG() or {})
            _tenants[home] = found
    return found


def is_strict(config: Mapping[str, Any]) -> bool:
    """Return True if settings ask for strict memory. Loads nothing, and raises nothing for wrong settings."""
    block = _block(config)
    return isinstance(block, Mapping) and str(block.get("strict")).strip().lower() in flags.TRUE


def _block(config: Mapping[str, Any]) -> object:
    found: Any = config
    for key in KEY.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def _targets(hosts: Mapping[str, Any], strict: bool) -> Sequence[str]:
    """Return the targets of the memory tool that are on: in strict memory both, for Hermes' own are off then."""
    if strict:
        return ("memory", "user")
    return tuple(target for target, flag in _HOSTS_FLAGS.items() if hosts.get(flag))


def _contradictions(config: Mapping[str, Any]) -> list[str]:
    """Return a fault for each part of Hermes' own memory that is on in strict memory."""
    hosts = config.get("memory") or {}
    # Versions differ on what "false", 0 and a missing value mean.
    on = [flag for flag in _HOSTS_FLAGS.values() if hosts.get(flag) is not False]
    return [f"memory.{flag}: must be false, because {KEY}.strict is true" for flag in on if is_strict(config)]
