"""Messages that disappear from their chat, and files to be seen once: what the agent is told of them. Pure."""

from __future__ import annotations

import re

from ..core.events import Inbound

NOT_STORED = (
    "This turn has a message that disappears from its chat, or a file to be seen once, so nothing of it is stored:"
    " nothing was saved. Tell the person so if they asked you to remember something."
)
NOT_REVIEWED = (
    "This conversation has messages that disappear from their chat, so nothing of it is stored without being asked:"
    " nothing was saved."
)
_UNITS = ((604_800, "w"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_MARK = "[The new message (ref {ref}): {notes}]"
_MARKS = re.compile(r"\[The new message \(ref ([0-9a-f]{16})\): \((?:disappears|to be seen)")


def is_ephemeral(inbound: Inbound) -> bool:
    """Return True for a message of which nothing is to be stored."""
    return inbound.expires_in is not None or (inbound.view_once and bool(inbound.attachments))


def mark(inbound: Inbound, ref: str) -> str:
    """Return the line that tells the agent about such a message. `ref` is one that nobody can guess."""
    notes = []
    if inbound.expires_in is not None:
        notes.append(f"(disappears in {duration(inbound.expires_in)}: do not store)")
    if inbound.view_once and inbound.attachments:
        notes.append("(to be seen once: do not store, its files are deleted after this turn)")
    return _MARK.format(ref=ref, notes=" ".join(notes))


def references(text: str) -> list[str]:
    """Return the references of the marks in a text, whoever wrote them."""
    return _MARKS.findall(text)


def duration(seconds: int) -> str:
    """Return a time in the largest unit in which it is whole."""
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    return f"{seconds // size} {unit}"
