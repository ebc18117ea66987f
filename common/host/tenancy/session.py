"""The chat that the current thread works for, as Hermes binds it.

Hermes binds a message's chat to context variables and carries them into the agent's threads. `/background` binds
nothing: what it starts inherits our own variable.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from ...core.bounded import Bounded
from ...settings.environment import value
from ...state.hosts.sessions import HELPER, JOBS
from ...tenancy.chats import Chat, Unknown
from .. import profile
from ..contract import table

_LOCAL = frozenset({"local", "cli", "tui", "desktop", "acp"})
"""Platforms that are the operator's own machine."""
_KEEP = 4_000
_JOB = "cron_"
_ORIGIN = ("scope_id", "parent_chat_id", "chat_name", "user_id_alt", "chat_type")

_serving = threading.Event()
_arrived: ContextVar[Chat | None] = ContextVar("hardened_chat", default=None)
_origins: Bounded[tuple[str, str], dict[str, str]] = Bounded(_KEEP)
"""What a stored session says of its source, by HERMES_HOME and session id. It never changes."""


def serves_chats() -> None:
    """Note that this process is a gateway: code that names no chat is nobody's from now on."""
    _serving.set()


def arrived(source: Any) -> None:
    """Bind the source of a message to the current task, and to all that it starts."""
    serves_chats()
    _arrived.set(_of_source(source))


def current(session_id: str) -> Chat | None:
    """Return the chat of the current thread, None on the operator's own machine.

    Raises Unknown if the chat of a chat's agent cannot be told.
    """
    if session_id.startswith(_JOB):
        return _of_job(session_id)
    if value("HERMES_KANBAN_TASK"):
        raise Unknown("a board's worker may serve any chat")
    bound = {name: _bound(f"HERMES_SESSION_{name}") for name in ("PLATFORM", "CHAT_ID", "KEY")}
    platform, chat_id = bound["PLATFORM"], bound["CHAT_ID"]
    if platform in _LOCAL:
        return None
    if not platform:
        if (chat := _arrived.get()) is not None:
            return chat
        if _serving.is_set():
            raise Unknown("no chat is bound here")
        return None
    if not chat_id:
        raise Unknown("the session names no chat")
    origin = _origin(session_id, chat_id)
    parts = bound["KEY"].split(":")
    return Chat(
        platform,
        chat_id,
        origin.pop("chat_type", "") or (parts[3] if len(parts) > 3 else ""),
        _bound("HERMES_SESSION_THREAD_ID"),
        _bound("HERMES_SESSION_USER_ID"),
        session_id,
        bound["KEY"],
        _bound("HERMES_SESSION_PROFILE"),
        origin,
    )


def of_row(row: Mapping[str, Any]) -> Chat:
    """Return the chat of a stored session. Raises Unknown if it has none."""
    if job(row):
        if (chat := _of_job(str(row["id"]))) is None:
            raise Unknown("a job of the operator")
        return chat
    if not row.get("chat_id") or not row.get("source"):
        raise Unknown("a session without a chat")
    origin = _texts(row.get("origin_json"))
    return Chat(
        str(row["source"]),
        str(row["chat_id"]),
        str(row.get("chat_type") or origin.get("chat_type") or ""),
        str(row.get("thread_id") or ""),
        str(row.get("user_id") or ""),
        str(row["id"]),
        str(row.get("session_key") or ""),
        origin=origin,
    )


def job(row: Mapping[str, Any]) -> str:
    """Return the id of the job whose stored session it is, empty if it is none's."""
    name = str(row["id"])
    return name.split("_")[1] if row["source"] == JOBS and name.startswith(_JOB) else ""


def inherits(row: Mapping[str, Any]) -> bool:
    """Return True if a stored session belongs to its parent's chat: it continues it and names none, or helps it.

    A job's belongs to the job's chat, and what continues a chat on the operator's own machine is the operator's.
    """
    if job(row) or row["source"] in _LOCAL:
        return False
    return not row["chat_id"] or row["source"] == HELPER


def _of_source(source: Any) -> Chat:
    platform = getattr(source.platform, "value", source.platform)
    return Chat(
        str(platform or ""),
        str(source.chat_id or ""),
        str(source.chat_type or ""),
        str(source.thread_id or ""),
        str(source.user_id or ""),
        profile=str(source.profile or ""),
        origin={name: str(found) for name in _ORIGIN if (found := getattr(source, name, None))},
    )


def _of_job(session_id: str) -> Chat | None:
    job = table.GET_JOB(session_id.split("_")[1])
    if job is None:
        raise Unknown("the job is gone")
    if not (origin := job.get("origin")):
        return None
    if not origin.get("platform") or not origin.get("chat_id"):
        raise Unknown("the job names no chat")
    return Chat(
        str(origin["platform"]),
        str(origin["chat_id"]),
        str(origin.get("chat_type") or ""),
        str(origin.get("thread_id") or ""),
        str(origin.get("user_id") or ""),
        session_id,
        origin={name: str(found) for name in _ORIGIN if (found := origin.get(name))},
    )


def _bound(name: str) -> str:
    """Return a variable of the session. The host's own lookup falls back to the environment: a foreign value."""
    variable = table.SESSION_VARIABLES.load().get(name)
    found = variable.get() if variable is not None else None
    return "" if found is None or found is table.SESSION_UNSET.load() else str(found)


def _origin(session_id: str, chat_id: str) -> dict[str, str]:
    """Return what Hermes knows of the source of a session's chat besides its ids."""
    bound = {name: _bound(f"HERMES_SESSION_{name.upper()}") for name in _ORIGIN}
    came = _arrived.get()
    if came is not None and came.chat_id == chat_id:
        return {"chat_type": came.chat_type, **came.origin, **{name: text for name, text in bound.items() if text}}
    key = (str(profile.home()), session_id)
    if session_id and key not in _origins and (stored := _stored_origin(session_id)):
        _origins.put(key, stored)
    stored = _origins.get(key, {})
    if stored.get("chat_id") != chat_id:
        stored = {}
    kept = {name: text for name in _ORIGIN if (text := stored.get(name, ""))}
    return kept | {name: text for name, text in bound.items() if text}


def _stored_origin(session_id: str) -> dict[str, str]:
    database = table.SESSION_DB(db_path=profile.home() / "state.db")
    try:
        return _texts((database.get_session(session_id) or {}).get("origin_json"))
    finally:
        database.close()


def _texts(document: object) -> dict[str, str]:
    try:
        found = json.loads(str(document or "{}"))
    except ValueError:
        return {}
    return {str(k): str(v) for k, v in found.items() if v is not None} if isinstance(found, dict) else {}
