"""The quick path: posts in channels that are not served are ignored before they are decoded as a whole."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationError

from ...common.core.events import Address, Chat, Inbound, Me
from .sequence import Frame
from .wire import Id, Milliseconds, Wire

_CHANNELS = ("O", "P", "G")


class _Peek(Wire):
    """A `Post` that somebody wrote, with the fields it takes to ignore it."""

    id: Id
    create_at: Milliseconds
    delete_at: Literal[0] = 0
    user_id: Id
    channel_id: Id
    original_id: Literal[""] = ""
    message: str
    type: Literal[""] = ""


def peek(frame: Frame, me: Me) -> Inbound | None:
    """Return what `to_inbound` makes of a post that somebody else wrote in a channel, without its mentions and files.

    It does not tell a program from a person. None for everything else.
    """
    text = frame.data.get("post")
    if frame.event != "posted" or frame.seq is None or frame.data.get("channel_type") not in _CHANNELS:
        return None
    try:
        post = _Peek.model_validate_json(text if isinstance(text, str) else "")
    except ValidationError:
        return None
    if me.id in {None, post.user_id} or not post.message.strip():
        return None
    return Inbound(
        post.id,
        post.id,
        post.create_at,
        Chat(post.channel_id),
        Address(post.user_id),
        text=post.message,
        received_at=post.create_at,
    )
