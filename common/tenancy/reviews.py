"""Memory writes of a context that wait for a person's word: `pending/<id>.json` in the context's folder."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .memory import FILES, write_private

MOST = 50
"""Writes that may wait in one context."""
LONGEST = 65_536
"""Bytes of one of them in its file."""
_ID = re.compile(r"[0-9a-f]{8}")


class Full(Exception):
    """The queue takes no more, or the write is too long for it. Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A write that waits."""

    id: str
    summary: str
    origin: str
    """`foreground`, or `background_review` for one that the agent made without being asked."""
    at: float
    """When it was made, in Unix time."""
    payload: Mapping[str, Any]
    """The host's own form of it (tools/memory_tool.py, apply_memory_pending)."""

    @property
    def target(self) -> str:
        """The file that it changes, by its name in the host's memory tool; empty if it names none."""
        found = str(self.payload.get("target"))
        return found if found in FILES else ""

    @property
    def text(self) -> str:
        """What it changes, one operation a line."""
        return "\n".join(map(described, operations(self.payload)))


def stage(folder: Path, summary: str, origin: str, at: float, payload: Mapping[str, Any]) -> str:
    """Keep a write, readable for the owner of the files only; return its id. Raises Full.

    `folder` is the context's, which exists.
    """
    document = {"summary": summary, "origin": origin, "at": at, "payload": payload}
    content = json.dumps(document, ensure_ascii=False).encode(errors="replace")
    path = _pending(folder)
    path.mkdir(mode=0o700, exist_ok=True)
    if len(content) > LONGEST or len(_files(folder)) >= MOST:
        raise Full
    identity = secrets.token_hex(4)
    write_private(path / f"{identity}.json", content)
    return identity


def waiting(folder: Path) -> list[Waiting]:
    """Return the writes that wait, oldest first. Files that are damaged, or too long, are left out."""
    found = []
    for path in _files(folder):
        with suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
            found.append(_read(path))
    return sorted(found, key=lambda each: each.at)


def discard(folder: Path, identity: str) -> bool:
    """Drop a write, damaged or not; return False if there is none of that id."""
    if not _ID.fullmatch(identity):
        return False
    try:
        (_pending(folder) / f"{identity}.json").unlink()
    except FileNotFoundError:
        return False
    return True


def discard_all(folder: Path) -> int:
    """Drop every write, damaged and unfinished ones as well; return the number of the finished ones."""
    for unfinished in _pending(folder).glob(".*"):
        unfinished.unlink(missing_ok=True)
    return sum(discard(folder, path.stem) for path in _files(folder))


def operations(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the single operations of a write; an empty one stands for what is none."""
    found = payload.get("operations") if payload.get("action") == "batch" else [payload]
    return [each if isinstance(each, dict) else {} for each in found] if isinstance(found, list) else [{}]


def described(operation: Mapping[str, Any]) -> str:
    """Return what an operation changes, in words."""
    new = operation.get("content") or operation.get("new_text")
    change = " -> ".join(str(each) for each in (operation.get("old_text"), new) if each)
    return f"{operation.get('action')} {change}"


def _pending(folder: Path) -> Path:
    return folder / "pending"


def _files(folder: Path) -> list[Path]:
    try:
        return [path for path in _pending(folder).iterdir() if path.suffix == ".json" and _ID.fullmatch(path.stem)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: Path) -> Waiting:
    with path.open("rb") as file:
        content = file.read(LONGEST + 1)
    if len(content) > LONGEST:
        raise ValueError("too long")
    document = json.loads(content)
    if not isinstance(document["payload"], dict):
        raise TypeError("no write")
    summary, origin, at = str(document["summary"]), str(document["origin"]), float(document["at"])
    return Waiting(path.stem, summary, origin, at, document["payload"])
