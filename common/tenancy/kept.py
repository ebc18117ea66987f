"""The global entries that an operator decided to keep for all chats. The file holds digests, no text."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from .inventory import Entry
from .memory import write_private

_NAME = "memory_kept.json"


class Kept:
    """Decisions that are written as they are made, so that sorting can go on another day."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        self._digests = _read(self._path)

    def __contains__(self, entry: Entry) -> bool:
        return _digest(entry) in self._digests

    def add(self, entry: Entry) -> None:
        """Keep an entry. Raises OSError if that cannot be written."""
        self._digests.add(_digest(entry))
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._path, json.dumps(sorted(self._digests)).encode())


def _read(path: Path) -> set[str]:
    try:
        found = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return set()
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def _digest(entry: Entry) -> str:
    return hashlib.sha256(f"{entry.target}\n{entry.text}".encode()).hexdigest()
