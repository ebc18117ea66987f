"""The quick path: ignores texts in groups that are not served without decoding them completely.

Such texts are most of what a busy account receives.
"""

from __future__ import annotations

from pydantic import Field, ValidationError

from ...common.core.events import Chat, Inbound, Me, message_key
from ...common.core.wording import name as as_name
from .decode import sender_of, server_time
from .wire import EnvelopeHead, Wire

_GROUP_ID = b'"groupId":"'
_TAIL_BYTES = 1_000
"""The part of an event that is searched for the group id. Further forward it is not found, and decoding is complete."""


class _PeekGroup(Wire):
    group_id: str = Field(min_length=1)


class _PeekMessage(Wire):
    timestamp: int = Field(gt=0, lt=2**53)
    message: str
    group_info: _PeekGroup
    reaction: None = None
    remote_delete: None = None


class _PeekEnvelope(EnvelopeHead):
    data_message: _PeekMessage
    edit_message: None = None
    sync_message: None = None


class _Peek(Wire):
    """An `Event` that is a text in a group, reduced to the fields needed to ignore it.

    `None` as a type refuses an event that has the field: edits, reactions, deletions and sync messages are decoded
    completely.
    """

    envelope: _PeekEnvelope
    account: str
    exception: None = None


def group_of(data: bytes) -> str | None:
    """Return the group id that an event seems to have, near its end, where signal-cli writes it; None if it has none.

    A sender can put such bytes into a text, so the caller must compare the result with the parsed event.
    """
    at = data.rfind(_GROUP_ID, -_TAIL_BYTES)
    if at < 0:
        return None
    start = at + len(_GROUP_ID)
    return data[start : data.find(b'"', start)].decode("ascii", "replace")


def peek(data: bytes, account: str, me: Me) -> Inbound | None:
    """Return the result of `decode`, without mentions, quote and files, for a text that somebody else wrote in a group.

    None for every other event, and for anything that this parser does not understand.
    """
    try:
        seen = _Peek.model_validate_json(data)
    except ValidationError:
        return None
    # In doubt None, so that `decode` decides: an event counts as ours or not exactly as it does there.
    message, sender = seen.envelope.data_message, sender_of(seen.envelope)
    if seen.account != account or not sender or me.recognises(sender) is True or not message.message.strip():
        return None
    sent, chat = str(message.timestamp), Chat(message.group_info.group_id)
    received_at = server_time(seen.envelope.server_received_timestamp)
    return Inbound(
        message_key(sender, sent),
        sent,
        message.timestamp,
        chat,
        sender,
        as_name(seen.envelope.source_name),
        text=message.message,
        received_at=received_at,
        delivered_at=server_time(seen.envelope.server_delivered_timestamp) or received_at,
    )
