"""YAML, read as Hermes reads it: with the reader that the installed version brings along."""

from __future__ import annotations

from typing import Any

from .contract import table


def parse_yaml(text: str) -> Any:
    """Return the content of a YAML document. Raises `yaml_error()`."""
    return table.LOAD_YAML(text)


def yaml_error() -> type[Exception]:
    """Return the class of the reader's errors, whose `problem_mark` has the line."""
    error: type[Exception] = table.YAML_ERROR.load()
    return error
