"""The places that paths in tool calls lead to, as Hermes resolves them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

from ....settings.environment import value
from ....tenancy.guard import Place
from ....tenancy.owners import Kind
from ... import files
from ...contract import table
from . import kept

_SYSTEM = ("/proc", "/sys", "/dev")
"""Folders that show other processes, the gateway's environment with its tokens among them."""
_LONGEST = 4096
_COMMON = "default"
"""The task of the shell that is common to all."""


class Places:
    """The places of one HERMES_HOME. `shells` holds the folders of chats' own shells, `own` is that of this chat.

    `may_have` says whether this chat may have a file that is kept for chats, given its resolved path.
    """

    def __init__(self, home: Path, shells: Path, own: Path | None, may_have: Callable[[Path, Kind], bool]) -> None:
        self._homes, self._root = files.homes(home), home.resolve()
        self._shells, self._own = shells, own
        self._may_have = may_have
        self._mounted: tuple[Path, ...] = () if value("TERMINAL_ENV") in {None, "", "local"} else (kept.MOUNTED,)
        self._protected: tuple[Path, ...] = (*self._homes, kept.results(), shells, *self._mounted)

    def of(self, text: str, task_id: str, *, in_shell: bool) -> list[Place]:
        """Return the places that a path may mean. Hermes resolves relative ones in its process or `in_shell`."""
        meanings = _meanings(text, task_id, in_shell=in_shell)
        return [Place.AGENTS if path is None else self._place(path) for path in meanings]

    def _place(self, path: Path) -> Place:
        if self._own is not None and files.within(path, self._own) is not None:
            return Place.OUTSIDE
        if any(path.is_relative_to(folder) for folder in _SYSTEM):
            return Place.AGENTS
        for folder in self._protected:
            inside = files.within(path, folder)
            if inside is not None:
                kind = self._kind(folder, inside)
                if folder in self._mounted:
                    path = self._root / inside
                # Of a missing file, Hermes names those beside it.
                is_own = kind is not None and path.is_file() and self._may_have(path, kind)
                return Place.RECEIVED if is_own else Place.AGENTS
        around = any(files.within(folder.resolve(), path) is not None for folder in self._protected)
        return Place.AROUND if around else Place.OUTSIDE

    def _kind(self, folder: Path, inside: Path) -> Kind | None:
        """Return what is kept for chats at a path in a protected folder, None if nothing is."""
        if folder == kept.results():
            return Kind.RESULT
        return kept.kind_of(inside) if folder in (self._homes[0], *self._mounted) else None


def _meanings(text: str, task_id: str, *, in_shell: bool) -> Iterator[Path | None]:
    """Yield the path that a text means, in each way of Hermes' tools; None if it cannot be resolved."""
    address = text[:5].lower() == "file:"
    for spelt in {text[5:].removeprefix("//"), unquote(text[5:]).removeprefix("//")} if address else {text}:
        if "\0" in spelt or len(spelt) > _LONGEST:
            yield None
            continue
        yield files.resolve(str(table.RESOLVE_PATH(spelt, task_id or _COMMON)))
        base = Path.cwd()
        if in_shell:
            # A shell that chats share is where the last one left it.
            cwd = table.ENVIRONMENT_CWD.of(table.ACTIVE_ENVIRONMENT(task_id or _COMMON))
            base = Path(cwd) if isinstance(cwd, str) else Path("/")
        yield files.resolve(os.path.join(base, os.path.expanduser(spelt)))
