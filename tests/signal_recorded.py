"""Variants of recorded Signal events, and the checks that hold for any event."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hermes_hardened_adapters.adapters.signal.decode import decode
from hermes_hardened_adapters.adapters.signal.peek import peek
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Chat, Inbound, Me
from hermes_hardened_adapters.common.core.policy import Policy, decide

from tests.fakes.signal_daemon import ACCOUNT, OWN_ACI, recorded_event

ME = Me(OWN_ACI, ACCOUNT)


def variant(name: str, **changes: Any) -> dict[str, Any]:
    """Return a recorded event with other fields in its data message."""
    event = recorded_event(name)
    event["envelope"]["dataMessage"] |= changes
    return event


def mentioning(text: str, mentions: list[tuple[str, int]], **changes: Any) -> bytes:
    """Return a group message in which those ACIs are mentioned at those places."""
    told = [{"uuid": uuid, "number": None, "start": start, "length": 1} for uuid, start in mentions]
    event = variant("group_text", message=text, mentions=told, **changes)
    return json.dumps(event, ensure_ascii=False).encode()


def survives(data: str | bytes) -> None:
    """Decode and decide whatever it is. What a peek shows of it agrees with the whole event."""
    inbound = decode(data, ACCOUNT, ME)
    if isinstance(inbound, Inbound):
        decide(inbound, ME, Policy(every_chat=True), authority=Authority.ALLOWED)
        decide(inbound, Me(None, ACCOUNT), Policy(), authority=Authority.STRANGER)
        if seen := peek(data if isinstance(data, bytes) else data.encode(), ACCOUNT, ME):
            assert seen == replace(inbound, chat=Chat(inbound.chat.id), mentions=(), quote=None, attachments=())
    else:
        assert inbound.kind
