"""Files of the agent in what people write to it, and in what it answers, on every platform.

The adapters of this plugin check what they send themselves; those of other platforms send each file that an answer
names.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ....tenancy.owners import Kind
from ... import files, profile
from ...contract import table
from .. import origins
from ..tenant import tenant
from . import guards, kept
from .guards import Guarded


def without_references(event: Any) -> str | None:
    """Return a message's text without references to the agent's files, None if nothing is to be changed."""
    text = event.text
    if not isinstance(text, str) or "@" not in text:
        return None
    here = tenant()
    if here.is_off or here.settings.trusts(origins.of_source(event.source)):
        return None
    changed = files.without_home_references(text, profile.home(), files.working_directory())
    return None if changed == text else changed


def without_files(answer: str, session_id: str) -> str | None:
    """Return an answer without the agent's files that Hermes would send for it, None if nothing is to be changed."""
    who = guards.guarded(session_id)
    if who is None or who.is_trusted:
        return None
    changed = answer
    for path in _kept_back(answer, who):
        for spelt in (path, path.replace(os.path.expanduser("~"), "~", 1)):
            changed = changed.replace(spelt, "…")
    if _kept_back(changed, who):
        # Written so that it cannot be found in the text.
        return files.NOT_SENT
    return None if changed == answer else f"{changed}\n\n{files.NOT_SENT}"


def _kept_back(answer: str, who: Guarded) -> list[str]:
    """Return the files that Hermes would send for an answer and that may not be sent to a chat."""
    media, rest = table.EXTRACT_MEDIA(answer)
    paths = [str(path) for path, _ in media] + [str(path) for path in table.EXTRACT_FILES(rest)[0]]
    homes = files.homes(profile.home())
    return [path for path in paths if not _may_be_sent(files.deliverable(path, homes), who)]


def _may_be_sent(path: str | None, who: Guarded) -> bool:
    """Return True if a chat may have a file that `files.deliverable` found; it finds none of other kinds."""
    return path is not None and kept.may_have(who.here, who.chat, Path(path), Kind.MEDIA)
