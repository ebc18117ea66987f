"""Lets the dangerous commands of sub-agents be asked about in the chat that they work for.

A sub-agent goes on when the turn that started it has ended. Hermes asks nobody then, because only a turn can ask, and
answers "pending approval". Before 0.20, it asks nobody at all: a sub-agent does not know its chat's session.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ...core.bounded import Bounded
from ...tenancy.chats import Chat, Unknown
from .. import questions
from ..contract import table
from ..tenancy import session
from . import approvals, chats

_KEEP = 4_000
_SECONDS = 15.0
"""As long as Hermes itself waits until a question is sent."""
_NEEDED = (table.APPROVAL_NOTIFIERS, table.SET_APPROVAL_SESSION, table.RESET_APPROVAL_SESSION)

_lock = threading.Lock()
_askers: Bounded[str, str] = Bounded(_KEEP)
"""The user id whose turn started a sub-agent, empty if unknown, by the sub-agent's session."""
_ours: dict[str, Callable[..., None]] = {}
"""How the sub-agents of a session ask, by its key."""
_calls: Counter[str] = Counter()
"""The calls of sub-agents in progress, by the same."""


def started(*, parent_turn_id: str = "", child_session_id: str = "", **_: object) -> None:
    """Note whose sub-agent a session is. Called by the hook `subagent_start`."""
    if child_session_id:
        with _lock:
            _askers.put(str(child_session_id), questions.user_of(str(parent_turn_id or "")))


@contextmanager
def asking(session_id: str, turn_id: str) -> Iterator[None]:
    """Let a call be asked about in its chat, if it is a sub-agent's."""
    chat = _chat(session_id)
    if chat is None:
        yield
        return
    # The host names no sender in a sub-agent's turn.
    questions.turn_began(turn_id, _askers.get(session_id, ""))
    token = table.SET_APPROVAL_SESSION(chat.session_key)
    _enter(chat)
    try:
        yield
    finally:
        _leave(chat.session_key)
        table.RESET_APPROVAL_SESSION(token)


def _chat(session_id: str) -> Chat | None:
    """Return the chat of a sub-agent, None for any other session, and where the chat cannot be asked."""
    with _lock:
        if session_id not in _askers:
            return None
    if not approvals.are_exact() or any(name.optional() is None for name in _NEEDED):
        return None
    try:
        chat = session.current(session_id)
    except Unknown:
        return None
    return chat if chat is not None and chat.session_key and chats.serves(chat) else None


def _enter(chat: Chat) -> None:
    key = chat.session_key
    with _lock, table.APPROVAL_LOCK.load():
        _calls[key] += 1
        # In a turn of the session, the host asks.
        table.APPROVAL_NOTIFIERS.load().setdefault(key, _ours.setdefault(key, partial(_ask, chat)))


def _leave(key: str) -> None:
    with _lock, table.APPROVAL_LOCK.load():
        _calls[key] -= 1
        if _calls[key] > 0:
            return
        del _calls[key]
        ours, notifiers = _ours.pop(key, None), table.APPROVAL_NOTIFIERS.load()
        # Not by the host's own function, which would end questions of others.
        if notifiers.get(key) is ours:
            notifiers.pop(key, None)


def _ask(chat: Chat, data: dict[str, Any]) -> None:
    """Ask in a chat. Called in the sub-agent's thread; raises if the question is not sent, so that nothing runs."""

    async def ask(adapter: Any) -> Any:
        return await adapter.send_exec_approval(
            chat.chat_id,
            table.REDACT_COMMAND(data.get("command", "")),
            chat.session_key,
            data.get("description", ""),
            chats.metadata(chat),
            smart_denied=bool(data.get("smart_denied")),
            allow_session=bool(data.get("allow_session", True)),
        )

    if not chats.start(chat, ask).result(_SECONDS).success:
        raise RuntimeError("the question was not sent")
