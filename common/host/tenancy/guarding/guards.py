"""Refuses calls of tools that reach what belongs to the agent or to other chats."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from ....settings.environment import value
from ....tenancy import guard
from ....tenancy.chats import Chat, Unknown
from ...contract import table
from .. import session
from ..tenant import Tenant, tenant
from . import kept, shells
from .places import Places


class Guarded(NamedTuple):
    """A chat whose agent is guarded, None being an unknown one, and the memory of its HERMES_HOME."""

    here: Tenant
    chat: Chat | None

    @property
    def is_trusted(self) -> bool:
        return self.chat is not None and self.here.settings.trusts(self.chat)


def guarded(session_id: str) -> Guarded | None:
    """Return the current chat if its agent is guarded: not for the operator, nor while all memory is global."""
    try:
        chat = None if session.is_curator(session_id) else session.current(session_id)
    except Unknown:
        chat = None
    else:
        if chat is None:
            return None
    here = tenant()
    return None if here.is_off else Guarded(here, chat)


def turn_began(session_id: str, task_id: str, turn_id: str) -> None:
    """Give the turn of a chat a shell of its own, where the settings say so. May be called again in the same turn."""
    who = guarded(session_id)
    if who is not None and who.here.settings.own_shells and task_id:
        shells.give(who.here, who.chat, task_id, turn_id)


def refusal(tool: str, args: Mapping[str, Any], session_id: str, task_id: str) -> str | None:
    """Return why the current chat may not have this call, None if it may.

    The operator may everything. An unknown chat may what any chat may that nobody trusts.
    """
    if (who := guarded(session_id)) is None:
        return None
    rights = _rights(who, task_id)
    try:
        for call in guard.calls(tool, args):
            owns = call.tool == "process" and _owns_process(call.args, who.chat, session_id, task_id)
            refused = guard.refusal(call, rights, owns_process=owns)
            if not refused and not rights.trusted:
                refused = _refused_path(who, call, task_id)
            if refused:
                return refused
    except (guard.Malformed, RecursionError):
        return guard.UNREADABLE
    return None


def _rights(who: Guarded, task_id: str) -> guard.Rights:
    settings = who.here.settings
    return guard.Rights(
        trusted=who.is_trusted,
        writes_skills=settings.write_skills or (who.chat is not None and settings.writes_global(who.chat)),
        denied=frozenset(settings.deny_tools),
        has_shell=not settings.own_shells or shells.has(task_id),
        board_task=value("HERMES_KANBAN_TASK"),
    )


def _refused_path(who: Guarded, call: guard.Call, task_id: str) -> str | None:
    here, chat = who
    places = None
    in_shell = call.tool in guard.IN_SHELL
    for text, use in guard.paths(call):
        if places is None:
            places = Places(here.home, shells.root(), shells.folder(here, chat), partial(kept.may_have, here, chat))
        if not all(guard.allows(use, place) for place in places.of(text, task_id, in_shell=in_shell)):
            return guard.reason(use)
    return None


def _owns_process(args: Mapping[str, Any], chat: Chat | None, session_id: str, task_id: str) -> bool:
    """Return True if a background process was started by this chat, or for a list of them: Hermes scopes it."""
    own = {session_id, task_id, chat.session_key if chat else ""} - {""}
    if args.get("action") == "list":
        # Without a task, Hermes lists the processes of everybody.
        return chat is not None and bool(own)
    wanted = args.get("session_id")
    if wanted is None or isinstance(wanted, (Mapping, list)):
        return False
    found = table.PROCESS.of(table.PROCESSES.load())(str(wanted))
    # One task may be common to all chats, one session key is not.
    return table.PROCESS_SESSION_KEY.of(found) in own or table.PROCESS_TASK.of(found) in own
