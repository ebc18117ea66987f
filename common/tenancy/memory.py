"""The files of a context's memory, beside the host's own: `memories/contexts/<slug>-<hash>/`.

A folder holds MEMORY.md and USER.md in the host's format, and `context.json`, which says whose it is.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .chats import Unknown

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
    return f"{slug}-{hashlib.sha256(context.encode(errors='surrogatepass')).hexdigest()[:12]}"


def folder(home: Path, context: str) -> Path:
    """Return the path of a context's folder. Raises Unknown if it is another context's, whose hash is the same."""
    path = memories(home) / "contexts" / folder_name(context)
    if label(path) not in (None, context):
        raise Unknown("another context has its folder")
    return path


def make_folder(home: Path, context: str) -> Path:
    """Create a context's folder, readable for its owner only, and its label; return its path.

    A label that is missing, or that belongs to another folder, is written anew. Raises Unknown as `folder` does.
    """
    path = folder(home, context)
    # With the umask of an operator, a folder in between could be everybody's.
    for each in (path.parent.parent, path.parent, path):
        with suppress(FileExistsError):
            each.mkdir(mode=0o700)
    for each in (path.parent, path):
        each.chmod(0o700)
    if label(path) is None:
        write_private(path / _LABEL, json.dumps({"context": context}).encode())
    return path


def write_private(path: Path, content: bytes) -> None:
    """Write a file as a whole, readable for its owner only. Raises OSError; a file that was there is unchanged then."""
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    os.replace(draft, path)


def make_private(path: Path) -> None:
    """Take everybody else's rights from a context's folder and files, which the host creates with its own."""
    with suppress(FileNotFoundError):
        path.chmod(0o700)
        for file in path.iterdir():
            if file.is_file() and not file.is_symlink():
                with suppress(FileNotFoundError):
                    file.chmod(0o600)


def label(path: Path) -> str | None:
    """Return the context that a folder says it belongs to, None if it says nothing that can be true."""
    try:
        context = json.loads((path / _LABEL).read_text(encoding="utf-8")).get("context")
    except (OSError, ValueError, AttributeError, RecursionError):
        return None
    return context if isinstance(context, str) and folder_name(context) == path.name else None


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
        if (context := label(path)) is not None:
            yield Stored(context, path)


def block(title: str, lines: Sequence[str], limit: int) -> str:
    """Return a part of the system prompt in the host's form; empty without lines. `limit` is in characters."""
    text = DELIMITER.join(lines)
    rule = "═" * 46
    return f"{rule}\n{title} [{len(text):,}/{limit:,} chars]\n{rule}\n{text}" if text else ""
