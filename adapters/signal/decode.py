"""Decodes the text of one SSE event into an `Inbound`. Pure; never raises, whatever the daemon sends."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence

from pydantic import ValidationError

from ...common.core.events import (
    Address,
    Attachment,
    Chat,
    Inbound,
    Me,
    Mention,
    Origin,
    Quote,
    Reaction,
    Unhandled,
    message_key,
)
from ...common.core.people import as_aci, as_number
from ...common.core.wording import Foreign, file_name
from ...common.core.wording import name as as_name
from . import wire
from .contents import cards

LONG_TEXT = "text/x-signal-plain"
"""Content type of the attachment that holds the full text of a long message."""

OTHER_ACCOUNT = "other account"

Names = Callable[[Address], Foreign]

_UNNAMED, _MEMBER = Foreign(), Foreign("member")
_MILLISECONDS = range(1, 2**53)
_LONGEST_TIMER = 2**32
"""Seconds: the wire has 32 bits for them."""

_WIDE = re.compile("[\U00010000-\U0010ffff]")
"""Characters of two UTF-16 units."""


def decode(data: str | bytes, account: str, me: Me, names: Names = lambda _: _UNNAMED) -> Inbound | Unhandled:
    """Decode one event. `account` is the configured one; `names` returns display names for mentions and quotes."""
    try:
        event = _event(data)
    except ValidationError:
        return Unhandled("malformed")
    # A daemon started for one account ignores the `account` parameter of a subscription, so the events may be those of
    # another account. It names accounts by number, even if the operator configured the ACI.
    if event.account != account and (me.number is None or event.account != me.number):
        return Unhandled(OTHER_ACCOUNT)
    envelope = event.envelope
    sender = sender_of(envelope)
    if event.exception is not None:
        return Unhandled(f"not decrypted: {event.exception.type}")
    if not sender:
        return Unhandled("no sender")
    ours = me.recognises(sender) is True

    # Only the account's other devices send sync messages; from anybody else, one would speak in the owner's name.
    if envelope.sync_message is not None:
        return _own_device(envelope, envelope.sync_message, sender, me, names) if ours else Unhandled("foreign sync")
    origin = Origin.SELF if ours else Origin.PERSON
    edits = None
    body = envelope.data_message
    if envelope.edit_message is not None:
        edits, body = envelope.edit_message.target_sent_timestamp, envelope.edit_message.data_message
    if body is None:
        return _inbound(envelope, sender, origin, wire.DataMessage(), names, contentless=_kind(envelope))
    return _inbound(envelope, sender, origin, body, names, edits=edits)


def sender_of(envelope: wire.EnvelopeHead) -> Address:
    """Return the sender; empty if the envelope names none."""
    # `source` holds the number or, where signal-cli has none, an ACI or a PNI.
    return Address(as_aci(envelope.source_uuid), as_number(envelope.source_number) or as_number(envelope.source))


def _event(data: str | bytes) -> wire.Event:
    """Parse an event; raises ValidationError. Replaces invalid UTF-8."""
    # pydantic parses bytes faster than text, so only the rare invalid ones are decoded first.
    try:
        return wire.Event.model_validate_json(data)
    except ValidationError:
        if isinstance(data, str) or _is_utf8(data):
            raise
    return wire.Event.model_validate_json(data.decode("utf-8", "replace"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _own_device(
    envelope: wire.Envelope, sync: wire.SyncMessage, sender: Address, me: Me, names: Names
) -> Inbound | Unhandled:
    sent = sync.sent_message
    if sent is None:
        return _inbound(envelope, sender, Origin.OWN_DEVICE, wire.DataMessage(), names, contentless="sync")
    body: wire.DataMessage = sent
    edits = None
    if sent.edit_message is not None and sent.edit_message.data_message is not None:
        edits, body = sent.edit_message.target_sent_timestamp, sent.edit_message.data_message
    # Only a note to self is meant for the bot, not what the owner writes to other people.
    to = Address(as_aci(sent.destination_uuid), as_number(sent.destination_number) or as_number(sent.destination))
    to_self = bool(to) and me.recognises(to) is True and body.group_info is None
    return _inbound(envelope, sender, Origin.OWN_DEVICE, body, names, edits=edits, to_self=to_self)


def _inbound(
    envelope: wire.Envelope,
    sender: Address,
    origin: Origin,
    body: wire.DataMessage,
    names: Names,
    *,
    contentless: str | None = None,
    edits: int | None = None,
    to_self: bool = False,
) -> Inbound | Unhandled:
    sent_at = body.timestamp or envelope.timestamp
    if sent_at not in _MILLISECONDS:
        return Unhandled("no timestamp")
    group = body.group_info
    text = body.message or ""
    shared, voted = cards.shared(body), cards.voted(body, names)
    contentless = contentless or _contentless(body, has_cards=bool(shared or voted))
    received_at = server_time(envelope.server_received_timestamp)
    return Inbound(
        key=message_key(sender, str(sent_at)) + (f" {edits}" if edits else ""),
        message_id=str(sent_at),
        sent_at=sent_at,
        chat=Chat(group.group_id, as_name(group.group_name) or None) if group and group.group_id else Chat(),
        sender=sender,
        sender_name=as_name(envelope.source_name),
        origin=origin,
        to_self=to_self,
        contentless=contentless,
        text=text,
        mentions=_mentions(text, body.mentions or (), names),
        quote=_quote(body.quote, names),
        attachments=tuple(_attachment(a) for a in body.attachments or ()),
        cards=() if contentless else shared + voted,
        asks_nothing=bool(voted) and not (shared or text.strip() or body.attachments),
        edits=str(edits) if edits else None,
        received_at=received_at,
        # Both times are the sender's, so their difference is right even if the sender's clock is wrong.
        first_at=received_at - (sent_at - edits) if edits and received_at else None,
        delivered_at=server_time(envelope.server_delivered_timestamp) or received_at,
        deletes=_deleted(body),
        deleted_author=_target(body.admin_delete) if _is_by_admin(body) else Address(),
        reaction=_reaction(body.reaction) if isinstance(body.reaction, wire.Reaction) else None,
        expires_in=_timer(body.expires_in_seconds),
        view_once=bool(body.view_once),
        # signal-cli announces a new group with a DELIVER of revision 0, and any later change, such as an addition or
        # an invitation, with an UPDATE. Neither says what changed.
        opens_group=contentless == "group event"
        and group is not None
        and (group.type == "UPDATE" or (group.type == "DELIVER" and group.revision == 0)),
    )


def server_time(value: int | None) -> int | None:
    """Return a time in milliseconds if it is plausible, else None."""
    return value if value is not None and value in _MILLISECONDS else None


def _timer(seconds: float | None) -> int | None:
    """Return a timer in whole seconds, rounded up."""
    return None if seconds is None else math.ceil(min(seconds, _LONGEST_TIMER))


def _kind(envelope: wire.Envelope) -> str:
    kinds = {
        "receipt": envelope.receipt_message,
        "typing": envelope.typing_message,
        "story": envelope.story_message,
        "call": envelope.call_message,
    }
    return next((kind for kind, part in kinds.items() if part is not None), "empty")


def _contentless(body: wire.DataMessage, *, has_cards: bool) -> str | None:
    """Return the kind of a message that has no text, no files and no cards, None for any other message."""
    if body.reaction is not None:
        return "reaction"
    if body.remote_delete is not None:
        return "deletion"
    if (body.message or "").strip() or body.attachments or has_cards:
        return None
    if body.is_expiration_update:
        return "expiry timer"
    marks = (
        ("sticker", body.sticker),
        ("payment", body.payment),
        ("contact", body.contacts),
        ("poll", body.poll_create or body.poll_vote or body.poll_terminate),
        ("pin", body.pin_message or body.unpin_message),
        ("deletion", body.admin_delete),
        ("group call", body.group_call_update),
    )
    kind = next((kind for kind, part in marks if part), None)
    return kind or ("group event" if body.group_info else "empty")


def _mentions(text: str, mentions: Sequence[wire.Mention], names: Names) -> tuple[Mention, ...]:
    if not mentions:
        return ()
    # The units after the last mention need no counting: a long text may have its only mention at the start.
    furthest = max((mention.start or 0) + (mention.length or 0) for mention in mentions)
    units = _Units(text[: max(furthest, 0)])
    found = []
    for mention in mentions:
        address = Address(as_aci(mention.uuid), as_number(mention.number))
        if address:
            span = units.span(mention.start, mention.length)
            found.append(Mention(address, names(address) or _MEMBER, span))
    return tuple(found)


class _Units:
    """Converts ranges of UTF-16 units in one text to code points, after a single pass over the text."""

    def __init__(self, text: str) -> None:
        self._wide = [match.start() + before for before, match in enumerate(_WIDE.finditer(text))]
        """Positions, in units, of the characters that take two units."""
        self._length = len(text) + len(self._wide)

    def span(self, start: int | None, length: int | None) -> tuple[int, int] | None:
        """Convert a range to code points; None if it exceeds the text or splits a character."""
        if start is None or length is None or start < 0 or length <= 0 or start + length > self._length:
            return None
        first, last = self._character(start), self._character(start + length)
        return None if first is None or last is None else (first, last)

    def _character(self, unit: int) -> int | None:
        before = bisect_left(self._wide, unit)
        return None if before and self._wide[before - 1] == unit - 1 else unit - before


def _quote(quote: wire.Quote | None, names: Names) -> Quote | None:
    if quote is None:
        return None
    author = Address(
        as_aci(quote.author_uuid) or as_aci(quote.author), as_number(quote.author_number) or as_number(quote.author)
    )
    return Quote(str(quote.id or ""), author, names(author), cards.quoted(quote))


def _reaction(reaction: wire.Reaction) -> Reaction:
    target = str(reaction.target_sent_timestamp)
    return Reaction(as_name(reaction.emoji), target, _target(reaction), reaction.is_remove)


def _target(part: wire.Reaction | wire.AdminDelete) -> Address:
    """Return the author of the message that a reaction or a deletion is about."""
    return Address(
        as_aci(part.target_author_uuid) or as_aci(part.target_author),
        as_number(part.target_author_number) or as_number(part.target_author),
    )


def _deleted(body: wire.DataMessage) -> str | None:
    """Return the id of the message that a message deletes."""
    if body.remote_delete:
        return str(body.remote_delete.timestamp)
    return str(body.admin_delete.target_sent_timestamp) if _is_by_admin(body) else None


def _is_by_admin(body: wire.DataMessage) -> bool:
    """Return True for the deletion of another member's message: it names its author, and the group."""
    deletion = body.admin_delete
    if body.remote_delete or body.group_info is None or not isinstance(deletion, wire.AdminDelete):
        return False
    return bool(_target(deletion))


def _attachment(attachment: wire.Attachment) -> Attachment:
    content_type = (attachment.content_type or "").partition(";")[0].strip().lower()
    return Attachment(attachment.id or "", content_type, file_name(attachment.filename) or None, attachment.size)
