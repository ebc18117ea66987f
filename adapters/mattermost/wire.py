"""What Mattermost's events and posts hold, as far as it is used. Observed on 5.37; unknown fields are ignored."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, Json, StringConstraints
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class _OrNone:
    """None in the place of what does not validate."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


Lenient = Annotated[T | None, _OrNone()]
"""What is not worth losing the whole for: None when it makes no sense."""

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{26}$")]
Milliseconds = Annotated[int, Field(ge=0, lt=2**53)]
"""Since the epoch; 0 for never."""


class Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class FileInfo(Wire):
    """The server guesses `mime_type` from the name; `size` is in bytes."""

    id: Id
    name: str = ""
    extension: str = ""
    mime_type: str = ""
    size: Lenient[Annotated[int, Field(ge=0)]] = None


class Metadata(Wire):
    files: Lenient[tuple[FileInfo, ...]] = None


class Post(Wire):
    """`props` can be set by whoever posts, unless `type` begins with `system_`: such posts are the server's own."""

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
    """`mentions` is absent when empty; up to 5.37 it lists everybody mentioned, later the recipient only."""

    channel_type: str = ""
    channel_display_name: str = ""
    sender_name: str = ""
    mentions: Lenient[Json[tuple[str, ...]]] = None


class UserRemovedData(Wire):
    """The removed user gets the channel, everybody else the user; the other one is in the broadcast."""

    channel_id: Id | None = None
    user_id: Id | None = None


class LeaveTeamData(Wire):
    user_id: Id


class User(Wire):
    id: Id
    username: str


class UserUpdatedData(Wire):
    user: User
