"""The host's message events, with `observe_only`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from typing import Any

from .contract import table


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
