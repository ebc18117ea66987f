"""Models of Mattermost's events and posts, with the fields used here. Observed on 5.37."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, Json, StringConstraints

from ...common.inbound.wire import Lenient
from ...common.inbound.wire import Wire as Wire

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{26}$")]
Milliseconds = Annotated[int, Field(ge=0, lt=2**53)]
"""Milliseconds since the epoch; 0 for never."""


class FileInfo(Wire):
    """A file. The server guesses `mime_type` from the name; `size` is in bytes."""

    id: Id
    name: str = ""
    mime_type: str = ""
    size: Lenient[Annotated[int, Field(ge=0)]] = None


class Metadata(Wire):
    files: Lenient[tuple[FileInfo, ...]] = None


class Post(Wire):
    """A post. Its author can set any `props`, unless `type` starts with `system_`: such posts are the server's own."""

    id: Id
    create_at: Milliseconds
    update_at: Lenient[Milliseconds] = None
    edit_at: Milliseconds = 0
    delete_at: Milliseconds = 0
    user_id: Id
    channel_id: Id
    root_id: Annotated[str, StringConstraints(pattern=r"^([a-z0-9]{26})?$")] = ""
    original_id: str = ""
    message: str = ""
    type: str = ""
    props: Lenient[dict[str, Any]] = None
    file_ids: Lenient[tuple[Id, ...]] = None
    metadata: Lenient[Metadata] = None


class Broadcast(Wire):
    user_id: Lenient[Id] = None
    channel_id: Lenient[Id] = None


class PostData(Wire):
    post: Json[Post]


class PostedData(PostData):
    """A new post. `mentions` is absent if empty. Up to 5.37 it lists everybody mentioned, later only the recipient."""

    channel_type: str = ""
    channel_display_name: str = ""
    sender_name: str = ""
    team_id: Lenient[str] = None
    mentions: Lenient[Json[tuple[str, ...]]] = None


class UserRemovedData(Wire):
    """A removal. The data holds the channel in the removed user's frame, and the user in all other frames.

    The broadcast holds the respective other id.
    """

    channel_id: Id | None = None
    user_id: Id | None = None


class Reaction(Wire):
    """A reaction of a user to a post."""

    user_id: Id
    post_id: Id
    emoji_name: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    create_at: Lenient[Milliseconds] = None


class ReactionData(Wire):
    reaction: Json[Reaction]


class LeaveTeamData(Wire):
    user_id: Id


class User(Wire):
    id: Id
    username: str


class UserUpdatedData(Wire):
    user: User
