"""Chats as Hermes writes them down: in the source of a message, in a stored session, in a job."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...tenancy.chats import Chat, Unknown

DETAILS = ("scope_id", "parent_chat_id", "chat_name", "user_id_alt")
"""What a source knows besides the ids of its chat and its person."""


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
    """Return the chat of a stored session. Raises Unknown if it has none."""
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
        origin=details(origin),
    )


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
