"""From a frame to an event, and from a post to an `Inbound`. Pure; never raises on what the wire holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from pydantic import ValidationError

from ...common.core.events import (
    MOST_ATTACHMENTS,
    MOST_MENTIONS,
    Address,
    Attachment,
    Chat,
    Inbound,
    Me,
    Mention,
    Origin,
    Unhandled,
)
from ...common.core.wording import Foreign, file_name
from ...common.core.wording import name as as_name
from . import wire
from .mentions.grammar import UserIdOf, find_mentions
from .sequence import Frame

NameOf = Callable[[str], str]
"""The username of a user id, empty when it is not known."""

Kind = Literal["posted", "edited", "deleted"]
"""What happened to a post."""


@dataclass(frozen=True, slots=True)
class Posted:
    """`channel_type` is D (direct), G (group message), P (private) or O (open).

    `mentions` are the user ids the server notifies, None when it sent none: also of a direct message, and of @channel.
    """

    post: wire.Post
    channel_type: str
    channel_name: str
    sender_name: str
    mentions: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Edited:
    """Pinning a post says this too, with the `edit_at` it had before: 0 if it was never edited."""

    post: wire.Post

    @property
    def is_pin(self) -> bool:
        """Whether the post was changed well after its text was: an edit sets both times at once."""
        changed_at = self.post.update_at or self.post.edit_at
        return not self.post.edit_at or changed_at - self.post.edit_at > _EDIT_TAKES_MILLISECONDS


@dataclass(frozen=True, slots=True)
class Deleted:
    """The post is as it was before."""

    post: wire.Post


@dataclass(frozen=True, slots=True)
class UserRemoved:
    """Somebody is out of a channel; `user_id` None when the server does not say whom it means."""

    channel_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class LeftTeam:
    """Somebody is out of a team and of all its channels, which no frame says of each."""

    user_id: str


@dataclass(frozen=True, slots=True)
class UserUpdated:
    """Somebody's name may have changed; the one before is nobody's now."""

    user_id: str
    username: str


Event = Posted | Edited | Deleted | UserRemoved | LeftTeam | UserUpdated


@dataclass(frozen=True, slots=True)
class Decoded:
    """A post in the common vocabulary, with what that has no place for.

    `unknown_names` are lower-case @-names that might be users': once they are known, decode again.
    """

    inbound: Inbound
    channel_id: str
    channel_type: str
    unknown_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Item:
    """A post on its way through its channel's queue."""

    post: wire.Post
    kind: Kind
    channel_type: str = ""
    """D, G, P or O; empty where the frame did not say."""
    channel_name: str = ""
    sender_name: str = ""
    missed: bool = False
    """Fetched afterwards, not received when it was written."""
    is_over: bool = False
    """Somebody added us to the channel, and somebody did again later."""

    @property
    def key(self) -> str:
        """Its key in the ledger: a post once, each of its versions once, its deletion once."""
        if self.kind == "deleted" or self.post.delete_at:
            return f"{self.post.id} deleted"
        return f"{self.post.id} {self.post.edit_at}" if self.kind == "edited" else self.post.id

    @property
    def changed_at(self) -> int:
        """When the post was created, edited or deleted last (milliseconds since the epoch)."""
        return max(self.post.create_at, self.post.edit_at, self.post.delete_at)


_EDIT_TAKES_MILLISECONDS = 10_000
"""The server's plugins may look at an edit before it is stored."""
_LONGEST_POST = 65_536
"""Characters a server takes for a message; those of its attachments may be more."""


def event_of(frame: Frame) -> Event | Unhandled:
    """What an event says. What is nothing to us is `Unhandled`, whatever it holds."""
    if not frame.event or frame.seq is None:
        return Unhandled("malformed")
    try:
        return _event(frame.event, frame.data, frame.broadcast)
    except ValidationError:
        return Unhandled(f"malformed {frame.event}")


def parse_post(row: object) -> wire.Post | None:
    """A post as the REST API has it; None for what is none."""
    try:
        return wire.Post.model_validate(row)
    except ValidationError:
        return None


def _event(event: str, data: dict[str, Any], broadcast: dict[str, Any]) -> Event | Unhandled:
    match event:
        case "posted":
            said = wire.PostedData.model_validate(data)
            return Posted(said.post, said.channel_type, said.channel_display_name, said.sender_name, said.mentions)
        case "post_edited":
            return Edited(wire.PostData.model_validate(data).post)
        case "post_deleted":
            return Deleted(wire.PostData.model_validate(data).post)
        case "user_removed":
            removed, whose = wire.UserRemovedData.model_validate(data), wire.Broadcast.model_validate(broadcast)
            if channel_id := removed.channel_id or whose.channel_id:
                return UserRemoved(channel_id, removed.user_id or whose.user_id)
        case "leave_team":
            return LeftTeam(wire.LeaveTeamData.model_validate(data).user_id)
        case "user_updated":
            user = wire.UserUpdatedData.model_validate(data).user
            return UserUpdated(user.id, user.username)
    return Unhandled(event)


def to_inbound(
    post: wire.Post,
    me: Me,
    user_id_of: UserIdOf,
    name_of: NameOf,
    *,
    channel_type: str,
    channel_name: str = "",
    sender_name: str = "",
    kind: Kind = "posted",
) -> Decoded:
    """What happened to a post. `channel_name` and `sender_name` are for display.

    A channel of unknown type is no direct message. A post that was fetched later is "posted" even if it was edited
    since, unless an earlier version of it is known.
    """
    deleted = kind == "deleted" or post.delete_at > 0
    text = "" if deleted else (post.message or "\n".join(_attached_texts(post))[:_LONGEST_POST])
    found = find_mentions(text, user_id_of)
    files = () if deleted else tuple(islice(_attachments(post), MOST_ATTACHMENTS))
    edited = kind == "edited" and not deleted
    thread = post.root_id or None
    origin = origin_of(post, me)
    inbound = Inbound(
        key=f"{post.id} deleted" if deleted else f"{post.id} {post.edit_at}" if edited else post.id,
        message_id=post.id,
        sent_at=post.create_at,
        chat=Chat(thread=thread)
        if channel_type == "D"
        else Chat(post.channel_id, as_name(channel_name) or None, thread),
        sender=Address(post.user_id),
        sender_name=_sender_name(post, origin, name_of, sender_name),
        origin=origin,
        contentless=_contentless(post, deleted, edited, has_content=bool(text.strip() or files)),
        text=text,
        mentions=tuple(_mention(text, *mention, name_of) for mention in found.mentions[:MOST_MENTIONS]),
        broadcast=found.broadcast,
        in_our_thread=thread is not None and thread in me.sent,
        attachments=files,
        edits=post.id if edited else None,
        received_at=post.edit_at if edited else post.create_at,
        first_at=post.create_at if edited else None,
        deletes=post.id if deleted and not post.original_id else None,
    )
    return Decoded(inbound, post.channel_id, channel_type, found.unknown[:MOST_MENTIONS])


def added_by(post: wire.Post, me: Me) -> tuple[str, str] | None:
    """The channel we were added to and the user id of who did it, when that is what the server's post says."""
    props = post.props or {}
    if post.type != "system_add_to_channel" or me.id is None or props.get("addedUserId") != me.id:
        return None
    return (post.channel_id, post.user_id) if props.get("userId") == post.user_id else None


_TYPED = frozenset({"", "me", "slack_attachment"})
_MARKS = ("from_webhook", "from_oauth_app", "from_bot", "from_plugin")


def origin_of(post: wire.Post, me: Me) -> Origin:
    """Props can be set by anybody, so they only ever lower trust."""
    if post.type.startswith("system_"):
        return Origin.SERVER
    if post.user_id == me.id:
        return Origin.SELF
    props = post.props or {}
    marks = {mark for mark in props if mark in _MARKS or mark.startswith("override_")}
    # The output of any slash command has an icon to override, be it empty. Only of /me is it what the person typed.
    if post.type == "me" and props.get("override_icon_url") == "":
        marks.discard("override_icon_url")
    return Origin.PROGRAM if marks or post.type not in _TYPED else Origin.PERSON


def _sender_name(post: wire.Post, origin: Origin, name_of: NameOf, shown: str) -> Foreign:
    """What a program posts is never called after the user id it posts under: a hook's owner, a command's caller."""
    if origin is Origin.PROGRAM:
        override = (post.props or {}).get("override_username")
        return as_name(override if isinstance(override, str) and override else shown.removeprefix("@"))
    return as_name(name_of(post.user_id) or shown.removeprefix("@"))


def _contentless(post: wire.Post, deleted: bool, edited: bool, *, has_content: bool) -> str | None:
    if post.original_id:
        return "old version"
    if deleted:
        return "deletion"
    if edited and not post.edit_at:
        return "pin"
    return None if has_content else "empty"


def _mention(text: str, start: int, end: int, user_id: str, name_of: NameOf) -> Mention:
    """Shown as it was typed, unless the @ was typed as something else."""
    typed = text[start + 1 : end] if text[start] == "@" else name_of(user_id)
    return Mention(Address(user_id), as_name(typed or "member"), (start, end))


def _attached_texts(post: wire.Post) -> Iterator[str]:
    """The text of message attachments, which integrations post. The fallback says the same once more."""
    attached = (post.props or {}).get("attachments")
    for attachment in attached[:MOST_ATTACHMENTS] if isinstance(attached, list) else []:
        if isinstance(attachment, dict):
            texts = [attachment.get(name) for name in ("pretext", "title", "text")]
            said = [text for text in texts if isinstance(text, str) and text.strip()]
            fallback = attachment.get("fallback")
            yield from said or ([fallback] if isinstance(fallback, str) and fallback.strip() else [])


def _attachments(post: wire.Post) -> Iterator[Attachment]:
    files = (post.metadata.files if post.metadata else None) or ()
    for file in files:
        yield Attachment(
            file.id, file.mime_type.partition(";")[0].strip().lower(), file_name(file.name) or None, file.size
        )
    told = {file.id for file in files}
    yield from (Attachment(file_id, "") for file_id in post.file_ids or () if file_id not in told)
