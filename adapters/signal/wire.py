"""signal-cli's event JSON, as far as it is used. Observed on 0.13.19 and 0.14.6; unknown fields are ignored."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from ...common.core.events import MOST_ATTACHMENTS, MOST_MENTIONS


def _first(most: int) -> BeforeValidator:
    """Cut a list before its items are read."""
    return BeforeValidator(lambda value: value[:most] if isinstance(value, list) else value)


class Wire(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        hide_input_in_errors=True,
        defer_build=True,  # only what is parsed by itself needs a validator, and the gateway's start need not wait
    )


class Mention(Wire):
    """`start` and `length` count UTF-16 units and are not validated by the daemon."""

    number: str | None = None
    uuid: str | None = None
    start: int | None = None
    length: int | None = None


class Attachment(Wire):
    content_type: str | None = None
    filename: str | None = None
    id: str | None = None
    size: int | None = None


class Quote(Wire):
    """`id` is the timestamp of the quoted message."""

    id: int | None = None
    author: str | None = None
    author_number: str | None = None
    author_uuid: str | None = None
    text: str | None = None


class GroupInfo(Wire):
    group_id: str
    group_name: str | None = None
    revision: int | None = None
    type: str | None = None


class RemoteDelete(Wire):
    timestamp: int


class DataMessage(Wire):
    timestamp: int | None = None
    message: str | None = None
    is_expiration_update: bool = False
    mentions: Annotated[tuple[Mention, ...] | None, _first(MOST_MENTIONS)] = None
    attachments: Annotated[tuple[Attachment, ...] | None, _first(MOST_ATTACHMENTS)] = None
    quote: Quote | None = None
    group_info: GroupInfo | None = None
    remote_delete: RemoteDelete | None = None
    reaction: Any = None
    sticker: Any = None
    payment: Any = None
    contacts: Any = None
    poll_create: Any = None
    poll_vote: Any = None
    poll_terminate: Any = None
    pin_message: Any = None
    unpin_message: Any = None
    admin_delete: Any = None
    group_call_update: Any = None


class EditMessage(Wire):
    target_sent_timestamp: int
    data_message: DataMessage | None = None


class SentMessage(DataMessage):
    """What another device of the account sent: a data message with its destination (all null for groups)."""

    destination: str | None = None
    destination_number: str | None = None
    destination_uuid: str | None = None
    edit_message: EditMessage | None = None


class SyncMessage(Wire):
    sent_message: SentMessage | None = None


class EnvelopeHead(Wire):
    """Who sent it, and when it reached the server and left it."""

    source: str | None = None
    source_number: str | None = None
    source_uuid: str | None = None
    source_name: str | None = None
    server_received_timestamp: int | None = None
    server_delivered_timestamp: int | None = None


class Envelope(EnvelopeHead):
    timestamp: int = Field(default=0, ge=0)
    data_message: DataMessage | None = None
    edit_message: EditMessage | None = None
    sync_message: SyncMessage | None = None
    story_message: Any = None
    typing_message: Any = None
    receipt_message: Any = None
    call_message: Any = None


class ReceiveException(Wire):
    type: str = ""


class Event(Wire):
    """The object of one `data:` line."""

    envelope: Envelope
    account: str | None = None
    exception: ReceiveException | None = None
