"""The host's message events, with `observe_only`, and its envelopes of other events."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from ..core.mentions import said
from ..inbound.delivery import Change
from .contract import table

_LONGEST_TEXT = 8192
"""Characters of a text in an envelope, as the host's own adapters cut it."""


@cache
def event_class() -> Any:
    """Return the host's MessageEvent if it has `observe_only`, else a subclass that adds the field."""
    host_event: Any = table.MESSAGE_EVENT.load()
    if "observe_only" in {field.name for field in dataclasses.fields(host_event)}:
        return host_event

    @dataclasses.dataclass
    class ObservableMessageEvent(host_event):  # type: ignore[misc]
        observe_only: bool = False

    return ObservableMessageEvent


def message_type(content_types: Sequence[str]) -> Any:
    """Return the host's MessageType for attached files; audio wins, so that a voice memo is transcribed."""
    kinds = table.MESSAGE_TYPE.load()
    if not content_types:
        return kinds.TEXT
    for prefix, kind in (("audio/", kinds.VOICE), ("image/", kinds.PHOTO), ("video/", kinds.VIDEO)):
        if any(content_type.startswith(prefix) for content_type in content_types):
            return kind
    return kinds.DOCUMENT


def platform_event(platform: str, change: Change) -> dict[str, Any]:
    """Return the envelope of an edit or a deletion for the hook `gateway_platform_event`, as its contract has it.

    All ids are strings, and what is unknown is None (hooks.md in Hermes' documentation).
    """
    inbound = change.inbound
    payload: dict[str, str | None] = {
        "chat_id": change.chat_id,
        "message_id": inbound.deletes or inbound.edits,
        "thread_id": inbound.chat.thread,
    }
    if inbound.deletes:
        kind = "message_deleted"
        payload["author_id"] = None if inbound.deleted_author else change.user_id
    else:
        kind = "message_edited"
        at = moment(inbound.received_at) if inbound.received_at else None
        payload["text"] = said(inbound)[:_LONGEST_TEXT] or None
        payload["edited_at"] = at.isoformat() if at else None
    return {"platform": platform, "event_type": kind, "payload": payload}


def moment(milliseconds: int) -> datetime | None:
    """Return the time so long after the epoch; None if it is out of range, because a sender may claim any time."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
    except (ValueError, OverflowError, OSError):
        return None
