"""The quick path: ignores posts in channels that are not served without decoding them completely."""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationError

from ...common.core.events import Address, Chat, Inbound, Me
from .sequence import Frame
from .wire import Id, Milliseconds, Wire

_CHANNELS = ("O", "P", "G")


class _Peek(Wire):
    """A `Post` that a person or program wrote, reduced to the fields needed to ignore it.

    The literals refuse deleted posts, old versions and the server's own posts, which are decoded completely: one of
    the latter may be an invitation.
    """

    id: Id
    create_at: Milliseconds
    delete_at: Literal[0] = 0
    user_id: Id
    channel_id: Id
    original_id: Literal[""] = ""
    message: str
    type: Literal[""] = ""


def peek(frame: Frame, me: Me) -> Inbound | None:
    """Return the result of `to_inbound`, without mentions and files, for a post that somebody else wrote in a channel.

    It does not distinguish programs from people. None for every other frame.
    """
    text = frame.data.get("post")
    if frame.event != "posted" or frame.seq is None or frame.data.get("channel_type") not in _CHANNELS:
        return None
    try:
        post = _Peek.model_validate_json(text if isinstance(text, str) else "")
    except ValidationError:
        return None
    # While our own id is unknown, any post may be ours.
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
