"""The host's commands that wait for approval (tools/approval.py): one certain entry, never the oldest."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from ..contract import table

_NEEDED = (
    *(table.APPROVAL_LOCK, table.APPROVAL_QUEUES),
    *(table.ENTRY_DATA, table.ENTRY_EVENT, table.ENTRY_RESULT, table.ENTRY_REASON),
    table.REDACT_COMMAND,
)


def are_exact() -> bool:
    """Return True if the installed Hermes lets us answer one certain request."""
    return all(name.optional() is not None for name in _NEEDED)


def entry_of(session_key: str, command: str, description: str, bound: Iterable[Any]) -> Any:
    """Return the entry that the host asks about, None if that is not certain. `bound` are those asked about before.

    The host names its command, redacted, and its description only.
    """
    taken = {id(entry) for entry in bound}
    with table.APPROVAL_LOCK.load():
        waiting = [entry for entry in table.APPROVAL_QUEUES.load().get(session_key, ()) if id(entry) not in taken]
    redact = table.REDACT_COMMAND.load()
    found = [
        entry
        for entry in waiting
        if redact(entry.data.get("command", "")) == command and entry.data.get("description", "") == description
    ]
    return found[0] if found else None


def waits(session_key: str, entry: Any) -> bool:
    """Return True while an entry waits for an answer."""
    with table.APPROVAL_LOCK.load():
        return any(each is entry for each in table.APPROVAL_QUEUES.load().get(session_key, ()))


def several_wait(session_key: str) -> bool:
    """Return True if more than one request of a session waits: a turn's, and those of sub-agents."""
    return len((table.APPROVAL_QUEUES.optional() or {}).get(session_key, ())) > 1


def resolve(session_key: str, entry: Any, choice: str, reason: str | None = None) -> bool:
    """Answer exactly this entry; False if it waits no more. `choice` is once, session, always or deny.

    The host's own function answers the oldest entry before 0.20.6.
    """
    with table.APPROVAL_LOCK.load():
        queues = table.APPROVAL_QUEUES.load()
        queue = queues.get(session_key, [])
        if not any(each is entry for each in queue):
            return False
        queue[:] = [each for each in queue if each is not entry]
        if not queue:
            queues.pop(session_key, None)
        entry.result, entry.reason = choice, reason
        threading.Event.set(entry.event)
    return True
