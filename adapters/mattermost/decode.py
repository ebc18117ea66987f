"""Decodes a frame into an event, and a post into an `Inbound`. Pure; never raises, whatever the server sends."""

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
    Reaction,
    Unhandled,
)
from ...common.core.wording import Foreign, file_name
from ...common.core.wording import name as as_name
from . import wire
from .mentions.grammar import UserIdOf, find_mentions
from .sequence import Frame
from .settings import is_id

NameOf = Callable[[str], str]
"""Returns the username of a user id, empty if it is unknown."""

Kind = Literal["posted", "edited", "deleted"]
"""The event that a post arrives with."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A new post. `channel_type` is D (direct), G (group message), P (private) or O (open)."""

    post: wire.Post
    channel_type: str
    channel_name: str
    sender_name: str
    team_id: str = ""


@dataclass(frozen=True, slots=True)
class Edited:
    """A changed post. The server also sends this for a pinned post, with an unchanged `edit_at` (0: never edited)."""

    post: wire.Post

    @property
    def is_pin(self) -> bool:
        """True if the post changed well after its last edit. An edit sets both times at once."""
        changed_at = self.post.update_at or self.post.edit_at
        return not self.post.edit_at or changed_at - self.post.edit_at > _EDIT_TAKES_MILLISECONDS


@dataclass(frozen=True, slots=True)
class Deleted:
    """A deleted post, with its former content."""

    post: wire.Post


@dataclass(frozen=True, slots=True)
class UserRemoved:
    """A removal from a channel. `user_id` is None if the server does not name the removed user."""

    channel_id: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class LeftTeam:
    """A user left a team and thereby all its channels, for which the server sends no frames."""

    user_id: str


@dataclass(frozen=True, slots=True)
class UserUpdated:
    """A user's name may have changed; their earlier name no longer belongs to anybody."""

    user_id: str
    username: str


@dataclass(frozen=True, slots=True)
class Reacted:
    """A reaction to a post, or its removal."""

    reaction: wire.Reaction
    channel_id: str
    removed: bool

    @property
    def key(self) -> str:
        """The ledger key."""
        reaction, act = self.reaction, "took away" if self.removed else "reacted"
        return f"{reaction.user_id} {act} {reaction.emoji_name} {reaction.post_id} {reaction.create_at}"


Event = Posted | Edited | Deleted | UserRemoved | LeftTeam | UserUpdated


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded post with its channel.

    `unknown_names` are lower-case @-names that may be usernames: look them up, then decode again.
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
    """D, G, P or O; empty if the frame does not have it."""
    channel_name: str = ""
    sender_name: str = ""
    team_id: str = ""
    missed: bool = False
    """True for a post that was fetched by a catch-up instead of received from the stream."""
    is_superseded: bool = False
    """True for a missed post about the bot's addition to the channel if a later addition followed."""

    @property
    def key(self) -> str:
        """The ledger key."""
        return _ledger_key(self.post, self.kind)

    @property
    def changed_at(self) -> int:
        """The time (ms) of the post's creation, last edit or deletion, whichever is latest."""
        return max(self.post.create_at, self.post.edit_at, self.post.delete_at)


def _ledger_key(post: wire.Post, kind: Kind) -> str:
    """Return the ledger key: a post, each of its edited versions and its deletion have keys of their own."""
    if kind == "deleted" or post.delete_at:
        return f"{post.id} deleted"
    return f"{post.id} {post.edit_at}" if kind == "edited" else post.id


_EDIT_TAKES_MILLISECONDS = 10_000
"""The server's plugins may delay an edit after its time is set and before it is stored."""
_LONGEST_POST = 65_536
"""Maximum characters that a server accepts in a message. The texts of message attachments may be longer."""


def event_of(frame: Frame) -> Event | Unhandled:
    """Decode an event. Return `Unhandled` for malformed events and for kinds that are not used."""
    if not frame.event or frame.seq is None:
        return Unhandled("malformed")
    try:
        return _event(frame.event, frame.data, frame.broadcast)
    except ValidationError:
        return Unhandled(f"malformed {frame.event}")


def reaction_of(frame: Frame) -> Reacted | None:
    """Decode a reaction, in a channel that the server names; None for any other event. They have no place in a gap."""
    if frame.event not in {"reaction_added", "reaction_removed"} or frame.seq is None:
        return None
    try:
        reaction = wire.ReactionData.model_validate(frame.data).reaction
        channel_id = wire.Broadcast.model_validate(frame.broadcast).channel_id
    except ValidationError:
        return None
    return Reacted(reaction, channel_id, frame.event == "reaction_removed") if channel_id else None


def parse_post(row: object) -> wire.Post | None:
    """Parse a post of the REST API; None if it is invalid."""
    try:
        return wire.Post.model_validate(row)
    except ValidationError:
        return None


def _event(event: str, data: dict[str, Any], broadcast: dict[str, Any]) -> Event | Unhandled:
    match event:
        case "posted":
            new = wire.PostedData.model_validate(data)
            return Posted(new.post, new.channel_type, new.channel_display_name, new.sender_name, new.team_id or "")
        case "post_edited":
            return Edited(wire.PostData.model_validate(data).post)
        case "post_deleted":
            return Deleted(wire.PostData.model_validate(data).post)
        case "user_removed":
            removed, to = wire.UserRemovedData.model_validate(data), wire.Broadcast.model_validate(broadcast)
            if channel_id := removed.channel_id or to.channel_id:
                return UserRemoved(channel_id, removed.user_id or to.user_id)
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
    team_id: str = "",
    kind: Kind = "posted",
) -> Decoded:
    """Decode a post. `channel_name` and `sender_name` are for display.

    A channel of unknown type does not count as a direct message. `kind` is "posted" for an edited post, too, if no
    earlier version of it is known.
    """
    # The frame of a deletion carries the post's former text, which must not reach the agent.
    deleted = kind == "deleted" or post.delete_at > 0
    text = "" if deleted else (post.message or "\n".join(_attached_texts(post))[:_LONGEST_POST])
    found = find_mentions(text, user_id_of)
    files = () if deleted else tuple(islice(_attachments(post), MOST_ATTACHMENTS))
    edited = kind == "edited" and not deleted
    thread = post.root_id or None
    origin = origin_of(post, me)
    inbound = Inbound(
        key=_ledger_key(post, kind),
        message_id=post.id,
        sent_at=post.create_at,
        chat=Chat(thread=thread)
        if channel_type == "D"
        else Chat(post.channel_id, as_name(channel_name) or None, thread, team_id if is_id(team_id) else None),
        sender=Address(post.user_id),
        sender_name=_sender_name(post, origin, name_of, sender_name),
        origin=origin,
        contentless=_contentless(post, deleted, edited, has_content=bool(text.strip() or files)),
        text=text,
        mentions=tuple(_mention(text, *mention, name_of) for mention in found.mentions[:MOST_MENTIONS]),
        broadcast=found.broadcast,
        attachments=files,
        edits=post.id if edited else None,
        received_at=post.edit_at if edited else post.create_at,
        first_at=post.create_at if edited else None,
        # A post with an `original_id` is an old version that the server keeps: its "deletion" is only an edit.
        deletes=post.id if deleted and not post.original_id else None,
    )
    return Decoded(inbound, post.channel_id, channel_type, found.unknown[:MOST_MENTIONS])


def to_reaction(
    reacted: Reacted, *, channel_type: str, sender_name: str, is_person: bool, thread: str | None = None
) -> Inbound:
    """Return a reaction as an event without anything to read. `thread` is that of the post that it is to."""
    reaction = reacted.reaction
    return Inbound(
        key=reacted.key,
        message_id=reaction.post_id,
        sent_at=reaction.create_at or 0,
        chat=Chat("" if channel_type == "D" else reacted.channel_id, thread=thread),
        sender=Address(reaction.user_id),
        sender_name=as_name(sender_name),
        origin=Origin.PERSON if is_person else Origin.PROGRAM,
        contentless="reaction",
        reaction=Reaction(as_name(reaction.emoji_name), reaction.post_id, removed=reacted.removed),
    )


def added_by(post: wire.Post, me: Me) -> tuple[str, str] | None:
    """Return the channel that the bot was added to and the actor's user id, if this is the server's post about that."""
    # Only the server can write this type, and it writes the post in the actor's name.
    props = post.props or {}
    if post.type != "system_add_to_channel" or me.id is None or props.get("addedUserId") != me.id:
        return None
    return (post.channel_id, post.user_id) if props.get("userId") == post.user_id else None


_TYPED = frozenset({"", "me", "slack_attachment"})
_MARKS = ("from_webhook", "from_oauth_app", "from_bot", "from_plugin")


def origin_of(post: wire.Post, me: Me) -> Origin:
    """Return the kind of author. Anybody can set props of a post, so they can only lower trust."""
    # Before the comparison with our own id: the server writes posts about us in our name.
    if post.type.startswith("system_"):
        return Origin.SERVER
    if post.user_id == me.id:
        return Origin.SELF
    props = post.props or {}
    marks = {mark for mark in props if mark in _MARKS or mark.startswith("override_")}
    # The output of every slash command has an overriding icon, often empty. Only that of /me is the person's own text.
    if post.type == "me" and props.get("override_icon_url") == "":
        marks.discard("override_icon_url")
    return Origin.PROGRAM if marks or post.type not in _TYPED else Origin.PERSON


def _sender_name(post: wire.Post, origin: Origin, name_of: NameOf, shown: str) -> Foreign:
    """Return the display name. A program is not shown by its account's name, which is a hook owner's or a caller's."""
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
    """Return a mention with the name as typed, or with the username if the @ was written as an entity."""
    typed = text[start + 1 : end] if text[start] == "@" else name_of(user_id)
    return Mention(Address(user_id), as_name(typed or "member"), (start, end))


def _attached_texts(post: wire.Post) -> Iterator[str]:
    """Yield the texts of message attachments, which integrations post. `fallback` is used only without other texts."""
    attached = (post.props or {}).get("attachments")
    for attachment in attached[:MOST_ATTACHMENTS] if isinstance(attached, list) else []:
        if isinstance(attachment, dict):
            texts = [attachment.get(name) for name in ("pretext", "title", "text")]
            written = [text for text in texts if isinstance(text, str) and text.strip()]
            fallback = attachment.get("fallback")
            yield from written or ([fallback] if isinstance(fallback, str) and fallback.strip() else [])


def _attachments(post: wire.Post) -> Iterator[Attachment]:
    files = (post.metadata.files if post.metadata else None) or ()
    for file in files:
        yield Attachment(
            file.id, file.mime_type.partition(";")[0].strip().lower(), file_name(file.name) or None, file.size
        )
    # A post may list files by id only. The missing descriptions are fetched with the files.
    described = {file.id for file in files}
    yield from (Attachment(file_id, "") for file_id in post.file_ids or () if file_id not in described)
