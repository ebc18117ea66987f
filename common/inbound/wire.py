"""The base of both networks' wire models: unread fields are ignored, errors quote no input."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

T = TypeVar("T")


class Wire(BaseModel):
    """A frame, a row or a part of one."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        defer_build=True,  # only models that are parsed by themselves need a validator, and not before they are used
    )


class _NoneOnError:
    """None in the place of a value that does not validate."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_default_schema(handler(source), default=None, on_error="default")


Lenient = Annotated[T | None, _NoneOnError()]
"""A field that does not cost the whole row: None if it does not validate."""
