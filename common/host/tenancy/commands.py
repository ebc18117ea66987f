"""Commands of Hermes that show or change what belongs to other chats: a chat gets its own part of it, or a refusal.

Hermes answers them itself for an admin in a direct message, and for everybody while all memory is global.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ...core.wording import Foreign
from ...tenancy.chats import Unknown
from .. import people, profile, questions, sessions
from ..contract import table
from . import memory_command, origins, profiles
from .tenant import tenant

logger = logging.getLogger(__name__)

_FAILED = "⛔ That did not work; nothing was shown or changed."
_QUOTES = str.maketrans("", "", "\"'\\")
_ID = re.compile(r"[\w-]+")

_replies: set[asyncio.Task[None]] = set()
"""Answers that are being sent. The event loop keeps no task alive."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A command, and who gave it."""

    source: Any
    arguments: str
    is_operator: bool
    """True for an admin in a direct message."""
    adapter: Any
    runner: Any


@dataclass(frozen=True, slots=True)
class _Row:
    """A command of the host."""

    shows: str
    """The things of other chats that it shows or changes."""
    when: Callable[[_Asked], bool] = lambda asked: True
    """Returns True if it does, as it was given."""
    instead: Callable[[_Asked], str] | None = None
    """Makes the chat's own part of it."""


def _agents(asked: _Asked) -> str:
    """Return what the agent does for this chat."""
    keys = sessions.session_keys(asked.source, asked.adapter.config.extra, asked.adapter)
    running = table.RUNNING_AGENTS.of(asked.runner) or {}
    lines = [
        "The agent is working in this chat." if any(map(running.__contains__, keys)) else "No agent is working here."
    ]
    registry = table.PROCESSES.load()
    for process in (each for key in keys for each in table.PROCESS_LIST.of(registry)(session_key=key)):
        if process.get("status") == "running":
            command = Foreign(str(process.get("command")), 90)
            lines.append(f"- {process.get('session_id')} · {process.get('uptime_seconds')} s · {command}")
    return "\n".join(lines)


def _memory(asked: _Asked) -> str:
    """Return the answer to `/memory` for this chat."""
    key = sessions.session_keys(asked.source, asked.adapter.config.extra, asked.adapter)[-1]
    chat = replace(origins.of_source(asked.source), session_key=key)
    return memory_command.answer(tenant(), chat, asked.arguments.split(), asked.is_operator)


def _resume(asked: _Asked) -> bool:
    """Return True for `/resume` if it may open a session of another chat."""
    given = asked.arguments.strip()
    # Hermes takes a number for a place in its list, and other words for a title.
    named = given if _ID.fullmatch(given) and not given.isdigit() else ""
    return _widens(asked) or not _may_resume(asked, named)


def _sessions(asked: _Asked) -> bool:
    """Return True for `/sessions` if it may show those of other chats."""
    return _widens(asked) or "all" in _bare(asked).split() or not _may_resume(asked, "")


def _widens(asked: _Asked) -> bool:
    """Return True for flags that take in the sessions of other chats (gateway/slash_commands.py)."""
    return "--all" in _bare(asked) or "--cross-room" in _bare(asked)


def _bare(asked: _Asked) -> str:
    return asked.arguments.translate(_QUOTES).lower()


def _may_resume(asked: _Asked, session_id: str) -> bool:
    try:
        with _home(asked):
            return profiles.may_resume(asked.source, asked.runner, session_id)
    except Exception as exc:
        logger.error("whose a session is cannot be told (%s)", type(exc).__name__)
        return False


_TABLE = {
    "agents": _Row("the sessions and commands of every chat", instead=_agents),
    "debug": _Row("the logs of every chat"),
    "diff": _Row("the files that every chat works on"),
    "insights": _Row("the use of the agent in every chat"),
    "kanban": _Row("the tasks of every chat"),
    "memory": _Row("the memory of every chat", instead=_memory),
    "resume": _Row("the sessions of other chats", _resume),
    "rollback": _Row("the files that every chat works on"),
    "sessions": _Row("the sessions of other chats", _sessions),
    "skills": _Row("the skills of every chat"),
    "suggestions": _Row("the suggestions for every chat"),
}
"""By canonical name, in every version from 0.18.1 to 0.22.2. All others show what is the chat's or the operator's."""


def answer(event: Any, adapter: Any, runner: Any) -> Callable[[], str] | None:
    """Return what makes the answer to a command in Hermes' place; None for a message that Hermes may have.

    The function reads and writes files.
    """
    name = questions.command_of(event) or ""
    if event.internal or (row := _TABLE.get(name)) is None:
        return None
    source, extra = event.source, adapter.config.extra
    is_operator = people.is_admin(source, extra) and source.chat_type == "dm"
    asked = _Asked(source, event.get_command_args(), is_operator, adapter, runner)
    if not row.when(asked) or _is_off(asked):
        return None
    if is_operator and (name != "memory" or memory_command.is_switch(asked.arguments.split())):
        return None
    if row.instead is None or not people.slash_policy(source, extra).can_run(source.user_id, name):
        who = "for an admin (allow_admin_from), in a direct message"
        return lambda: f"⛔ /{name} shows {row.shows}: it is {who}."
    return partial(_answered, row.instead, asked)


def is_refused(event: Any, gateway: Any) -> bool:
    """Return True for a command that the host must not get, after answering it. For every platform; raises nothing."""
    try:
        if questions.command_of(event) not in _TABLE:
            return False
        source = event.source
        # The host pairs or ignores others, which it does next.
        if not table.AUTHORIZES(gateway, source):
            return False
        adapter = table.SOURCE_ADAPTER(gateway, source)
        if (said := answer(event, adapter, gateway)) is None:
            return False
        reply = asyncio.get_running_loop().create_task(_reply(said, source, adapter, gateway))
        _replies.add(reply)
        reply.add_done_callback(_replies.discard)
    except Exception as exc:
        logger.error("a command could not be checked, so nobody gets it (%s)", type(exc).__name__)
    return True


async def _reply(said: Callable[[], str], source: Any, adapter: Any, gateway: Any) -> None:
    try:
        metadata = table.THREAD_METADATA(gateway, source)
        await adapter.send(source.chat_id, await asyncio.to_thread(said), metadata=metadata)
    except Exception as exc:
        logger.error("the answer to a command was not sent (%s)", type(exc).__name__)


def _answered(instead: Callable[[_Asked], str], asked: _Asked) -> str:
    try:
        with _home(asked):
            return instead(asked)
    except Unknown as exc:
        return f"⛔ Not available here: {exc}."
    except Exception as exc:
        logger.error("a command of a chat failed (%s)", type(exc).__name__)
        return _FAILED


def _is_off(asked: _Asked) -> bool:
    """Return True while all memory is global. Wrong settings mean that it is not."""
    try:
        with _home(asked):
            return tenant().is_off
    except Exception as exc:
        logger.error("the settings of memory cannot be read (%s)", type(exc).__name__)
        return False


def _home(asked: _Asked) -> AbstractContextManager[None]:
    """Work in HERMES_HOME of the profile that serves the chat."""
    config = table.RUNNER_CONFIG.of(asked.runner)
    if config is None or not table.MULTIPLEX.of(config):
        return nullcontext()
    return profile.entered(Path(table.PROFILE_HOME(asked.runner, asked.source)))
