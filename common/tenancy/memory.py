"""The files of a context's memory, beside the host's own: `memories/contexts/<slug>-<hash>/`.

A folder holds MEMORY.md and USER.md in the host's format, and `context.json`, which says whose it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

FILES: Mapping[str, str] = {"memory": "MEMORY.md", "user": "USER.md"}
"""The host's file names, by the targets of its memory tool."""
DELIMITER = "\n§\n"
"""Separates entries, as in the host (tools/memory_tool.py, ENTRY_DELIMITER)."""
_LABEL = "context.json"
_SLUG = 40


def memories(home: Path) -> Path:
    """Return the host's folder of memories in a HERMES_HOME (tools/memory_tool.py, get_memory_dir)."""
    return home / "memories"


def folder_name(context: str) -> str:
    """Return the name of a context's folder: readable, never a path, and different for different contexts."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "_", context).strip("._-")[:_SLUG] or "context"
    return f"{slug}-{hashlib.sha256(context.encode()).hexdigest()[:12]}"


def folder(home: Path, context: str) -> Path:
    """Return the path of a context's folder."""
    return memories(home) / "contexts" / folder_name(context)


def make_folder(home: Path, context: str) -> Path:
    """Create a context's folder, readable for its owner only, and the label that says whose it is; return its path."""
    path = folder(home, context)
    for each in (path.parent, path):
        each.mkdir(parents=True, exist_ok=True, mode=0o700)
        each.chmod(0o700)
    label = path / _LABEL
    if not label.exists():
        with suppress(FileExistsError):
            descriptor = os.open(label, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump({"context": context}, file, ensure_ascii=False)
    return path


def make_private(path: Path) -> None:
    """Take everybody else's rights from the files of a context, which the host creates with its own."""
    for file in filter(Path.is_file, path.iterdir()):
        with suppress(FileNotFoundError):
            file.chmod(0o600)


def entries(path: Path) -> list[str]:
    """Return the entries of a memory file, none if it is missing or cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return []
    return list(dict.fromkeys(filter(None, (entry.strip() for entry in text.split(DELIMITER)))))


@dataclass(frozen=True, slots=True)
class Stored:
    """A context that has files."""

    context: str
    path: Path


def stored(home: Path) -> Iterator[Stored]:
    """Yield every context that has a folder, ordered by name. Folders without a valid label are left out."""
    root = memories(home) / "contexts"
    for path in sorted(root.iterdir()) if root.is_dir() else ():
        with suppress(OSError, ValueError, AttributeError):
            context = json.loads((path / _LABEL).read_text(encoding="utf-8")).get("context")
            if isinstance(context, str) and folder_name(context) == path.name:
                yield Stored(context, path)


def block(title: str, lines: Sequence[str], limit: int) -> str:
    """Return a part of the system prompt in the host's form; empty without lines. `limit` is in characters."""
    text = DELIMITER.join(lines)
    rule = "═" * 46
    return f"{rule}\n{title} [{len(text):,}/{limit:,} chars]\n{rule}\n{text}" if text else ""
