"""The commands' output: tables and lines for people, JSON for programs.

Titles, names and errors may contain text from other people. Only this module makes it safe to print on a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ..common.core.wording import printable

_PIPE_WIDTH = 200


class Screen(Console):
    """A terminal that prints every text as one line, without control characters and direction marks."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        chosen = options or self.options
        if isinstance(renderable, str):
            renderable = self.render_str(renderable, highlight=chosen.highlight, markup=chosen.markup)
        return super().render(harmless(renderable) if isinstance(renderable, Text) else renderable, chosen)


class Rows(Table):
    """A table for a `Screen`. Cells are made printable before rich computes the column widths."""

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        super().add_row(*(harmless(cell) if isinstance(cell, Text) else cell for cell in cells), **options)


def harmless(text: Text) -> Text:
    """Return the printable form of a text with its styles."""
    bounds = {bound for span in text.spans for bound in (span.start, span.end)}
    pieces = text.divide(sorted(bounds))
    for piece in pieces:
        piece.plain = printable(piece.plain, len(piece.plain))
    return text.blank_copy().join(pieces)


def console(*, stderr: bool = False) -> Screen:
    """Return a console for the terminal or, in a pipe, one so wide that no id is cut."""
    found = Screen(stderr=stderr, highlight=False)
    return found if found.is_terminal else Screen(stderr=stderr, highlight=False, width=_PIPE_WIDTH)


def say(text: str, *, style: str = "", stderr: bool = False) -> None:
    """Print one line."""
    console(stderr=stderr).print(text, style=style, markup=False, soft_wrap=True)


def write_json(value: Any, *, indent: int | None = 1) -> None:
    """Print one JSON document and a newline. Escapes everything except printable ASCII, so it is safe on a terminal."""
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=True) + "\n")
    sys.stdout.flush()
