"""Keeps the agent's own files out of answers, and out of the references in people's messages.

HERMES_HOME holds the texts of all chats (state.db, memories, logs) and the operator's keys. Neither the model nor the
people who talk to it may have them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..core.wording import without_references
from ..settings.environment import variables
from .contract import table

MEDIA_CACHES = tuple(
    map(
        Path,
        (
            *("cache/images", "cache/audio", "cache/videos", "cache/documents", "cache/screenshots"),
            *("image_cache", "audio_cache", "video_cache", "document_cache", "browser_screenshots"),
            # What the agent generates, since 0.22; its temporary folder with the spoken answers, since 0.21.5.
            *("cache/generated", "cache/scratch"),
        ),
    )
)
"""The host's media caches in a HERMES_HOME, in its new and its old layout (gateway/platforms/base.py)."""

NOT_SENT = "⚠️ A file was not sent: it belongs to the agent itself."
"""The notice that the chat gets instead."""

_CANDIDATE = re.compile(r"@(?=(?:diff|staged)\b|[a-z_]+:)")
_MOST_REFERENCES = 50
_LONGEST_PATH = 4096


def homes(home: Path) -> tuple[Path, ...]:
    """Return a profile's HERMES_HOME, the root home it belongs to, and the default home."""
    return home, *(p.parent.parent for p in (home, home.resolve()) if p.parent.name == "profiles"), _default_home()


def _default_home() -> Path:
    return Path(os.path.expanduser("~")) / ".hermes"


def deliverable(path: str, own_homes: Sequence[Path]) -> str | None:
    """Return the resolved path of a file that may be sent, None for any other.

    Files in the media caches of the first home may be sent. The rest of all homes, /proc, and anything that is not a
    regular file may not. A missing file passes, because opening it fails later.
    """
    resolved = resolve(path)
    # /proc shows the gateway's environment, with its tokens.
    if resolved is None or resolved.is_relative_to("/proc") or (resolved.exists() and not resolved.is_file()):
        return None
    inside = within(resolved, own_homes[0])
    if inside is not None and any(inside.is_relative_to(cache) for cache in MEDIA_CACHES):
        return str(resolved)
    return None if any(within(resolved, home) is not None for home in own_homes) else str(resolved)


def deliverable_media(media: Sequence[Any], own_homes: Sequence[Path]) -> list[Any]:
    """Return the host's attachments that may be sent, unchanged. Each is a path, or a tuple or mapping with one."""
    kept = []
    for item in media:
        path = item.get("path") if isinstance(item, dict) else item[0] if isinstance(item, tuple) else item
        if path and deliverable(str(path), own_homes) is not None:
            kept.append(item)
    return kept


def working_directory() -> Path:
    """Return the directory from which the host resolves references (gateway/run.py)."""
    return Path(variables().get("TERMINAL_CWD", os.path.expanduser("~")))


def without_home_references(text: str, home: Path, cwd: Path) -> str:
    """Defuse the `@` of every reference that the host would expand to files of HERMES_HOME, or to a listing of it.

    Reads the file system, because of symbolic links. Defuses all references if there are more than fifty, or if the
    host's way of parsing them is unknown.
    """
    candidates = [found.start() for found in _CANDIDATE.finditer(text)]
    if not candidates:
        return text
    pattern, parse = table.REFERENCE_PATTERN.optional(), table.PARSE_REFERENCES.optional()
    known = pattern is not None and parse is not None and table.REFERENCE.optional() is not None
    if not known or len(candidates) > _MOST_REFERENCES:
        return without_references(text)
    # From the end, because the value of a reference may contain another one.
    for at in reversed(candidates):
        if (found := pattern.match(text, at)) is None:
            continue
        # With the character before: the host's pattern looks back at it.
        reference = parse(text[max(at - 1, 0) : found.end()])[0]
        if _reaches(reference.kind, reference.target, homes(home), cwd):
            text = f"{text[:at]}\uff20{text[at + 1 :]}"
    return text


def _reaches(kind: str, target: str, own_homes: Sequence[Path], cwd: Path) -> bool:
    """Return True if the host would show part of one of the homes (agent/context_references.py, _expand_reference)."""
    start = resolve(str(cwd))
    if start is None:
        return True
    match kind:
        case "url":
            # The host's fetcher may ignore blanks, as parsers of URLs do.
            return "".join(target.split()).lstrip("`\"'").lower().startswith("file:")
        case "diff" | "staged" | "git":
            # git shows changes anywhere in the work tree, not just below the directory.
            tree = next((d for d in (start, *start.parents) if (d / ".git").exists()), start)
            return any(
                within(start, home) is not None or within(home.resolve(), tree) is not None for home in own_homes
            )
        case "file" | "folder":
            path = resolve(str(start / os.path.expanduser(target))) if len(target) <= _LONGEST_PATH else None
            return path is None or any(
                within(path, home) is not None or (kind == "folder" and _lists(path, home.resolve()))
                for home in own_homes
            )
    return True


def _lists(folder: Path, home: Path) -> bool:
    """Return True if the host's listing of a folder descends into the home: it skips names that begin with a dot."""
    below = within(home, folder)
    return below is not None and not any(part.startswith(".") for part in below.parts)


def resolve(path: str) -> Path | None:
    """Return a path with its links resolved, None if that is impossible. A missing file is possible."""
    try:
        resolved = Path(os.path.expanduser(path)).resolve()
        # Since Python 3.13, `resolve` accepts a loop of symbolic links.
        resolved.stat()
    except (FileNotFoundError, NotADirectoryError):
        return resolved
    except (OSError, RuntimeError, ValueError):
        return None
    return resolved


def within(path: Path, folder: Path) -> Path | None:
    """Return a resolved path relative to the folder that contains it, None if it is elsewhere.

    Compares folders by device and inode, so that a mount under another name counts as the same folder.
    """
    try:
        wanted = folder.stat()
    except OSError:
        resolved = folder.resolve()
        return path.relative_to(resolved) if path.is_relative_to(resolved) else None
    for parent in (path, *path.parents):
        try:
            if os.path.samestat(parent.stat(), wanted):
                return path.relative_to(parent)
        except OSError:
            continue
    return None
