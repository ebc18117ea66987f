"""Where the commands write: for people on a terminal or in a pipe, for machines as JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

_PIPE_WIDTH = 200


def console(*, stderr: bool = False) -> Console:
    """The terminal; in a pipe, wide enough that no id is cut."""
    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=_PIPE_WIDTH)


def say(text: str, *, style: str = "", stderr: bool = False) -> None:
    """One line, as it is."""
    console(stderr=stderr).print(text, style=style, markup=False, soft_wrap=True)


def write_json(value: Any, *, indent: int | None = 1) -> None:
    """One JSON document and a newline."""
    sys.stdout.write(json.dumps(value, indent=indent) + "\n")
    sys.stdout.flush()
