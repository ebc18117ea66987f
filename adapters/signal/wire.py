"""Models of signal-cli's JSON, events and answers, with the fields used here. Observed on 0.13.19 and 0.14.6."""

from __future__ import annotations

import logging
from functools import cache
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    OnErrorOmit,
    PlainValidator,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from ...common.core.events import MOST_ATTACHMENTS, MOST_MENTIONS, Address
from ...common.core.people import as_aci, as_number
from ...common.inbound import wire as base
from ...common.inbound.wire import Lenient

logger = logging.getLogger(__name__)


def first(most: int) -> BeforeValidator:
    """Cut a list before its items are validated, so that a hostile message costs little time."""
    return BeforeValidator(lambda value: value[:most] if isinstance(value, list) else value)


class Wire(base.Wire):
    model_config = ConfigDict(alias_generator=to_camel)


class Mention(Wire):
    """A mention. `start` and `length` count UTF-16 units; the daemon does not validate them."""

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
    """A quote. `id` is the timestamp of the quoted message."""

    id: int | None = None
    author: str | None = None
    author_number: str | None = None
    author_uuid: str | None = None
    text: str | None = None
    attachments: Any = None


class GroupInfo(Wire):
    group_id: str
    group_name: str | None = None
    revision: int | None = None
    type: str | None = None


class RemoteDelete(Wire):
    timestamp: int


class AdminDelete(Wire):
    """An admin's deletion of another member's message with that timestamp. Only in groups."""

    target_author: str | None = None
    target_author_number: str | None = None
    target_author_uuid: str | None = None
    target_sent_timestamp: int


class Reaction(Wire):
    """A reaction to the message with the timestamp `target_sent_timestamp` of that author."""

    emoji: str
    target_author: str | None = None
    target_author_number: str | None = None
    target_author_uuid: str | None = None
    target_sent_timestamp: int
    is_remove: bool = False


class DataMessage(Wire):
    timestamp: int | None = None
    message: str | None = None
    is_expiration_update: bool = False
    # 0 means that the message stays.
    expires_in_seconds: Lenient[Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]] = None
    view_once: Lenient[StrictBool] = None
    mentions: Annotated[tuple[Mention, ...] | None, first(MOST_MENTIONS)] = None
    attachments: Annotated[tuple[Attachment, ...] | None, first(MOST_ATTACHMENTS)] = None
    quote: Quote | None = None
    group_info: GroupInfo | None = None
    remote_delete: RemoteDelete | None = None
    # An invalid one is a reaction all the same, and nothing else.
    reaction: Annotated[Reaction | Any, Field(union_mode="left_to_right")] = None
    # `contents.cards` reads these, and the previews: an invalid one costs nothing else.
    sticker: Any = None
    contacts: Any = None
    previews: Any = None
    poll_create: Any = None
    poll_vote: Any = None
    poll_terminate: Any = None
    payment: Any = None
    pin_message: Any = None
    unpin_message: Any = None
    # An invalid one is a deletion all the same, of nothing.
    admin_delete: Annotated[AdminDelete | Any, Field(union_mode="left_to_right")] = None
    group_call_update: Any = None


class EditMessage(Wire):
    target_sent_timestamp: int
    data_message: DataMessage | None = None


class SentMessage(DataMessage):
    """A message from another device of the account: a data message with its destination (all null for groups)."""

    destination: str | None = None
    destination_number: str | None = None
    destination_uuid: str | None = None
    edit_message: EditMessage | None = None


class SyncMessage(Wire):
    sent_message: SentMessage | None = None


class EnvelopeHead(Wire):
    """The sender of an envelope, and the times (ms) at which Signal's server received and delivered it."""

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


# -- rows of answers

Number = Annotated[str | None, PlainValidator(as_number)]
Aci = Annotated[str | None, PlainValidator(as_aci)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Person(Wire):
    """A person in a group or in the contact store."""

    number: Number = None
    uuid: Aci = None

    @property
    def address(self) -> Address:
        return Address(self.uuid, self.number)


class Profile(Wire):
    given_name: Lenient[str] = None
    family_name: Lenient[str] = None


class Contact(Person):
    """A row of `listContacts`. With `allRecipients`, no row holds a PNI, and one row is the own account."""

    name: Lenient[str] = None
    profile: Lenient[Profile] = None

    @property
    def display_name(self) -> str:
        """The name in the account's contacts, else the profile's; empty where there is neither."""
        profile = self.profile or Profile()
        return self.name or " ".join(part for part in (profile.given_name, profile.family_name) if part)


class UserStatus(Wire):
    """A row of `getUserStatus`. `uuid` is a PNI before the first contact, and None for an unregistered number."""

    number: Number = None
    recipient: Number = None
    uuid: Lenient[str] = None


class GroupRow(Wire):
    """A row of `listGroups`. A group that the daemon could not fetch has no name and no members."""

    id: str
    name: Lenient[str] = None
    is_member: Lenient[StrictBool] = None
    members: Lenient[tuple[OnErrorOmit[Person], ...]] = None
    admins: Lenient[tuple[OnErrorOmit[Person], ...]] = None
    pending_members: Lenient[tuple[OnErrorOmit[Person], ...]] = None


class SendRow(Wire):
    """The result of a `send` for one recipient."""

    type: Lenient[str] = None
    retry_after_seconds: Lenient[Seconds] = None

    @property
    def is_success(self) -> bool:
        return self.type == "SUCCESS"

    @property
    def is_rate_limited(self) -> bool:
        return self.type == "RATE_LIMIT_FAILURE"


class _Answer(Wire):
    @classmethod
    def read(cls, answer: object) -> Self:
        """Return the answer, or an empty one if it is invalid. Never raises."""
        try:
            return cls.model_validate(answer)
        except ValidationError:
            return cls()


class SendResult(_Answer):
    """The result of a `send`."""

    timestamp: Lenient[StrictInt] = None
    results: Lenient[tuple[OnErrorOmit[SendRow], ...]] = None

    @property
    def rows(self) -> tuple[SendRow, ...]:
        return self.results or ()


class SendError(_Answer):
    """The `data` of a JSON-RPC error of `send`."""

    response: Lenient[SendResult] = None

    @property
    def rows(self) -> tuple[SendRow, ...]:
        return self.response.rows if self.response else ()


_Row = TypeVar("_Row", bound=Wire)


@cache
def _adapter(model: type[_Row]) -> TypeAdapter[list[_Row]]:
    return TypeAdapter(list[OnErrorOmit[model]])  # type: ignore[valid-type]


def read_rows(model: type[_Row], result: object) -> list[_Row]:
    """Return the valid rows of a call's result. Skips invalid rows and logs their number. Never raises."""
    if not isinstance(result, list):
        return []
    # One validator call for all rows, because a busy account has tens of thousands of contacts.
    rows = _adapter(model).validate_python(result)
    if skipped := len(result) - len(rows):
        logger.info(
            "%d of %d rows (%s) from signal-cli are invalid and were skipped", skipped, len(result), model.__name__
        )
    return rows
