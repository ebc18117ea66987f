"""A shell of its own for every session, in a folder of its own for every chat."""

from __future__ import annotations

from pathlib import Path

from ....core.bounded import Bounded
from ....settings.environment import value
from ....tenancy.chats import Chat
from ....tenancy.memory import folder_name
from ... import files, profile
from ...contract import table
from ..tenant import Tenant

_FOLDER = "hermes-chats"
_LOCAL = "local"
_KEEP = 4_000

_given: Bounded[tuple[Path, str], str] = Bounded(_KEEP)
"""The turns of the tasks that have a shell of their own, by HERMES_HOME and task."""


def root() -> Path:
    """Return the folder of all chats' folders. It lies where commands start, outside of what an answer may not send."""
    return files.working_directory() / _FOLDER


def folder(here: Tenant, chat: Chat | None) -> Path | None:
    """Return the folder in which a chat's commands start, None if it has none of its own."""
    return root() / folder_name(chat.key) if chat and here.settings.own_shells and _backend() == _LOCAL else None


def give(here: Tenant, chat: Chat | None, task_id: str, turn_id: str) -> None:
    """Give a task a shell of its own, once a turn: without a chat, too, for it could be that of any chat."""
    # Again, the shell would leave the folder that it is in.
    if turn_id and _given.get((here.home, task_id)) == turn_id:
        return
    overrides = {"env_type": _backend()}
    if (own := folder(here, chat)) is not None:
        for each in (own.parent, own):
            each.mkdir(mode=0o700, parents=True, exist_ok=True)
        overrides["cwd"] = str(own)
    table.SHELL_OVERRIDES(task_id, overrides)
    _given.put((here.home, task_id), turn_id)


def has(task_id: str) -> bool:
    """Return True if a task has a shell of its own."""
    return (profile.home(), task_id) in _given


def _backend() -> str:
    return value("TERMINAL_ENV") or _LOCAL
