"""Chats as Hermes writes them down: in the source of a message, in a stored session, in a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...state.hosts.sessions import HELPER, JOBS
from ...tenancy.chats import Chat, Unknown

LOCAL = frozenset({"local", "cli", "tui", "desktop", "acp"})
"""Platforms that are the operator's own machine."""
JOB = "cron_"
"""The beginning of the ids of sessions that jobs run in: `cron_<job>_<day>_<time>`."""
_KEEPERS = {"main", "custom"}
"""The words in keys for the profile of the process, whatever its name is."""
DETAILS = ("scope_id", "parent_chat_id", "chat_name", "user_id_alt")
"""The details of a source besides the ids of its chat and its person."""


def of_source(source: Any) -> Chat:
    """Return the chat of a message, from the host's `SessionSource`."""
    return Chat(
        str(getattr(source.platform, "value", source.platform) or ""),
        str(source.chat_id or ""),
        str(source.chat_type or ""),
        str(source.thread_id or ""),
        str(source.user_id or ""),
        profile=str(source.profile or ""),
        origin=details({name: getattr(source, name, None) for name in DETAILS}),
    )


def of_row(row: Mapping[str, Any]) -> Chat:
    """Return the chat of a stored session. Raises Unknown if it has none, or if it names two profiles."""
    if not row.get("chat_id") or not row.get("source"):
        raise Unknown("a session without a chat")
    origin = _origin(row)
    return Chat(
        str(row["source"]),
        str(row["chat_id"]),
        str(row.get("chat_type") or origin.get("chat_type") or ""),
        str(row.get("thread_id") or ""),
        str(row.get("user_id") or ""),
        str(row["id"]),
        str(row.get("session_key") or ""),
        profile(row),
        details(origin),
    )


def profile(row: Mapping[str, Any]) -> str:
    """Return the profile that a stored session names; empty for that which keeps the database.

    Raises Unknown if its source names another one than its key does: `agent:<profile>:…`.
    """
    parts = str(row.get("session_key") or "").split(":")
    space = parts[1] if len(parts) > 2 and parts[1] not in _KEEPERS else ""
    named = str(_origin(row).get("profile") or "")
    # A profile called `main` is `main~` in keys, and was `main` before 0.21.5.
    if named and space and named != space.removesuffix("~"):
        raise Unknown("a session of two profiles")
    return named or space.removesuffix("~")


def job_of(session_id: str) -> str:
    """Return the job that runs in a session, from the session's id."""
    return session_id.removeprefix(JOB).rsplit("_", 2)[0]


def job(row: Mapping[str, Any]) -> str:
    """Return the id of the job whose stored session it is, empty if it is none's."""
    return job_of(str(row["id"])) if row["source"] == JOBS and str(row["id"]).startswith(JOB) else ""


def inherits(row: Mapping[str, Any]) -> bool:
    """Return True if a stored session belongs to its parent's chat: it continues it and names none, or helps it.

    A job's belongs to the job's chat, and what continues a chat on the operator's own machine is the operator's.
    """
    if job(row) or row["source"] in LOCAL:
        return False
    return not row["chat_id"] or row["source"] == HELPER


def of_job(job: object) -> Chat | None:
    """Return the chat that a job was made in, None for a job of the operator's. Raises Unknown if it names no chat."""
    if not isinstance(job, Mapping):
        raise Unknown("the job is gone")
    if (origin := job.get("origin")) is None:
        return None
    # The host runs a job as the operator's if its origin is anything but a platform and a chat.
    if not isinstance(origin, Mapping) or not origin.get("platform") or not origin.get("chat_id"):
        raise Unknown("the job names no chat")
    return Chat(
        str(origin["platform"]),
        str(origin["chat_id"]),
        str(origin.get("chat_type") or ""),
        str(origin.get("thread_id") or ""),
        str(origin.get("user_id") or ""),
        origin=details(origin),
    )


def details(origin: Mapping[str, Any]) -> dict[str, str]:
    """Return what an origin knows besides the ids of its chat and its person."""
    return {name: str(found) for name in DETAILS if (found := origin.get(name))}


def _origin(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored source of a session if it is of the row's own chat."""
    try:
        found = json.loads(row.get("origin_json") or "{}")
    except (TypeError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict) or str(found.get("chat_id") or "") != str(row["chat_id"]):
        return {}
    return found
