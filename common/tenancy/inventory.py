"""All memory of a HERMES_HOME: that of all chats, that of each context, and folders without a label."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from ..core.wording import printable
from . import memory
from .contexts import GLOBAL_WORD
from .reviews import Waiting, waiting

_LONGEST_NAME = 120
_SEPARATORS = re.compile(r"[/\\_.]+")


class Kind(StrEnum):
    """The kind of memory that a folder holds."""

    GLOBAL = "global"
    """That of all chats: Hermes' own."""
    CONTEXT = "context"
    UNLABELLED = "unlabelled"
    """Nobody's: the folder has no valid label. Other programs use such folders under the same path."""


class Entry(NamedTuple):
    """An entry of a memory file. `target` is the file's name in the host's memory tool."""

    target: str
    text: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A folder of memory. `name` is what operators call it; `context` is empty where there is none."""

    name: str
    kind: Kind
    context: str
    path: Path
    entries: tuple[Entry, ...]
    size: int
    """Bytes of the files."""
    changed: float
    """Unix time of the last change, 0 without files."""
    unreadable: tuple[str, ...]
    """Files that exist, but cannot be read."""
    waiting: tuple[Waiting, ...] = ()
    """Writes that wait for approval, and are no entries yet."""

    def entry(self, number: int) -> Entry | None:
        """Return the entry of that number, counted from 1."""
        return self.entries[number - 1] if 0 < number <= len(self.entries) else None


def inventory(home: Path) -> list[Holding]:
    """Return every folder of memory: that of all chats, then the contexts, then folders without a label."""
    labelled = list(memory.stored(home))
    result = [read(memory.memories(home), GLOBAL_WORD, Kind.GLOBAL)]
    result += [read(each.path, _name(each), Kind.CONTEXT, each.context) for each in labelled]
    known = {each.path for each in labelled}
    result += [read(path, path.name, Kind.UNLABELLED) for path in _folders(home) if path not in known]
    return [each for each in result if each.kind is not Kind.UNLABELLED or each.changed or each.unreadable]


def entries(folder: Path) -> tuple[Entry, ...]:
    """Return the entries of a folder, in the order in which they are numbered."""
    return tuple(Entry(target, text) for target, file in memory.FILES.items() for text in memory.entries(folder / file))


def find(spelled: str, holdings: Iterable[Holding]) -> Holding | None:
    """Return the holding with that name, of that context, or in that folder; None if there is none."""
    holdings = list(holdings)
    named = [each for each in holdings if spelled and spelled in {each.name, each.context}]
    return next(iter(named or [each for each in holdings if each.path.name == spelled]), None)


def is_forks(folder: str, platform: str, chat_id: str) -> bool:
    """Return True if a fork of Hermes names a chat's folder so.

    It takes the chat's id, or `platform:type:id`, without the separators of paths.
    """
    owner, _, rest = folder.partition(":")
    spelled = {folder, rest.partition(":")[2]} if owner.lower() == platform else {folder}
    return _SEPARATORS.sub("", chat_id) in {_SEPARATORS.sub("", each) for each in spelled}


def _name(stored: memory.Stored) -> str:
    """Return a context's own name where a terminal shows it as it is, else that of its folder."""
    plain = printable(stored.context, len(stored.context)) == stored.context and not re.search(r"\s", stored.context)
    return stored.context if plain and len(stored.context) <= _LONGEST_NAME else stored.path.name


def _folders(home: Path) -> Iterator[Path]:
    root = memory.memories(home) / "contexts"
    return (path for path in sorted(root.iterdir()) if path.is_dir()) if root.is_dir() else iter(())


def read(path: Path, name: str, kind: Kind, context: str = "") -> Holding:
    """Read a folder of memory."""
    try:
        files = [path / file for file in memory.FILES.values() if (path / file).is_file()]
        states = [file.stat() for file in files]
    except OSError:
        return Holding(name, kind, context, path, (), 0, 0.0, tuple(memory.FILES.values()))
    size, changed = sum(state.st_size for state in states), max((state.st_mtime for state in states), default=0.0)
    unreadable = tuple(file.name for file in files if not _is_readable(file))
    waits = tuple(waiting(path)) if kind is Kind.CONTEXT else ()
    return Holding(name, kind, context, path, entries(path), size, changed, unreadable, waits)


def _is_readable(file: Path) -> bool:
    try:
        file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return False
    return True
