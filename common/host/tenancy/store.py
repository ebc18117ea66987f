"""Hermes' own memory store over the files of one context: its locks, limits, scan and drift guard stay in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...tenancy import memory
from ..contract import table

_BLOCKED = "[BLOCKED: an entry of {file} contained threat pattern(s): {found}. Remove it with memory(action=remove).]"
HOST_MEMORY = ""
"""Stands among contexts for the host's own memory, which is that of all chats."""


class Limits(NamedTuple):
    """Characters that each of the two files of a context may have."""

    memory: int
    user: int

    def of(self, target: str) -> int:
        return self.user if target == "user" else self.memory


def limits(config: Mapping[str, Any]) -> Limits:
    """Return the limits that Hermes' settings give, or its defaults (agent/agent_init.py)."""
    return Limits(_limit(config.get("memory_char_limit"), 2200), _limit(config.get("user_char_limit"), 1375))


def _limit(value: object, default: int) -> int:
    try:
        return max(int(str(value)), 0) or default
    except ValueError:
        return default


class Store(NamedTuple):
    """An open store: the host's object, and the context in a HERMES_HOME that it works on."""

    hosts: Any
    home: Path
    folder: Path
    context: str


def open_store(home: Path, context: str, sizes: Limits) -> Store:
    """Return a store for the memory of a context, `HOST_MEMORY` being the host's own. Creates the context's folder.

    Raises Unknown if the context can have none.
    """
    folder = memory.make_folder(home, context) if context else memory.memories(home)
    return open_folder(home, folder, context, sizes)


def open_folder(home: Path, folder: Path, context: str, sizes: Limits) -> Store:
    """Return a store for the memory in a folder of a HERMES_HOME."""

    class ContextStore(table.MEMORY_STORE.load()):  # type: ignore[misc]
        @staticmethod
        def _path_for(target: str) -> Path:
            return folder / memory.FILES[target]

    opened = ContextStore(memory_char_limit=sizes.memory, user_char_limit=sizes.user)
    return Store(opened, home, folder, context)


def block(folder: Path, target: str, title: str, limit: int) -> str:
    """Return the part of the system prompt that shows a memory file, empty if there is nothing to show."""
    name = memory.FILES[target]
    return memory.block(title, [_harmless(entry, name) for entry in memory.entries(folder / name)], limit)


def _harmless(entry: str, file: str) -> str:
    """Return an entry, or a notice in its place if the host's scan finds a threat in it, as for its own prompt."""
    found: Sequence[str] = table.SCAN_FOR_THREATS(entry, scope="strict")
    return _BLOCKED.format(file=file, found=", ".join(found)) if found else entry
