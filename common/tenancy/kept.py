"""The global entries that an operator decided to keep for all chats. The file holds digests, no text."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from .inventory import Entry

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
        new = self._path.with_suffix(".new")
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
            json.dump(sorted(self._digests), file)
        new.replace(self._path)


def _read(path: Path) -> set[str]:
    try:
        found = json.loads(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return set()
    return {each for each in found if isinstance(each, str)} if isinstance(found, list) else set()


def _digest(entry: Entry) -> str:
    return hashlib.sha256(f"{entry.target}\n{entry.text}".encode()).hexdigest()
