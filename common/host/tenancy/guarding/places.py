"""Where the paths in tool calls lead, as Hermes resolves them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote

from ....tenancy.guard import Place
from ... import files
from ...contract import table

_SYSTEM = ("/proc", "/sys", "/dev")
"""Folders that show other processes, the gateway's environment with its tokens among them."""
_LONGEST = 4096
_COMMON = "default"
"""The task of the shell that is common to all."""
_RESULTS = "hermes-results"
"""Holds results of tools that were too long to show, in the temporary folder (tools/tool_result_storage.py)."""


class Places:
    """The places of one HERMES_HOME. `shells` holds the folders of chats' own shells, `own` is that of this chat."""

    def __init__(self, home: Path, shells: Path, own: Path | None) -> None:
        self._homes = files.homes(home)
        self._shells, self._own = shells, own
        self._results = Path(tempfile.gettempdir()) / _RESULTS

    def of(self, text: str, task_id: str, *, in_shell: bool) -> list[Place]:
        """Return the places that a path may mean. Hermes resolves relative ones in its process or `in_shell`."""
        meanings = _meanings(text, task_id, in_shell=in_shell)
        return [Place.AGENTS if path is None else self._place(path) for path in meanings]

    def _place(self, path: Path) -> Place:
        if self._own is not None and files.within(path, self._own) is not None:
            return Place.OUTSIDE
        if any(path.is_relative_to(folder) for folder in _SYSTEM):
            return Place.AGENTS
        for folder, kept in self._kept():
            inside = files.within(path, folder)
            if inside is not None:
                # Of a missing file, Hermes names those beside it.
                is_kept = any(inside != each and inside.is_relative_to(each) for each in kept) and path.is_file()
                return Place.RECEIVED if is_kept else Place.AGENTS
        around = any(files.within(folder.resolve(), path) is not None for folder, _ in self._kept())
        return Place.AROUND if around else Place.OUTSIDE

    def _kept(self) -> Iterator[tuple[Path, Sequence[Path]]]:
        """Yield each protected folder, with what is kept for chats in it."""
        yield self._homes[0], files.KEPT_FOR_CHATS
        yield from ((home, ()) for home in self._homes[1:])
        yield self._results, (Path(),)
        yield self._shells, ()


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
