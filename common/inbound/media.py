"""Fetches the attachments of dispatched messages within limits, and names to the agent each missing file and why."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ..core.authority import FileLimits
from ..core.errors import FileTooLarge
from ..core.events import Attachment
from ..core.wording import Foreign, name

logger = logging.getLogger(__name__)

_MOST_NAMED = 20
"""The most missing files that are named one by one."""
_CONTENT_TYPE_CHARACTERS = 60

Fetch = Callable[[Attachment, int], Awaitable[tuple[str | None, str]]]
"""Fetches an attachment of at most so many bytes. Returns its path in the host's cache or None, and its content type,
which is used if none was announced. Raises FileTooLarge as soon as more bytes arrive."""


@dataclass(slots=True)
class Media:
    """The paths and content types of the fetched files, and one line of text for each missing file."""

    paths: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def fetch_all(
    attachments: Sequence[Attachment], fetch: Fetch, closing: asyncio.Event, limits: FileLimits
) -> Media:
    """Fetch the attachments within the limits, until `closing` is set. An announced size is only a hint."""
    media = Media()
    for number, attachment in enumerate(attachments):
        reason: str | None
        if number >= limits.files:
            reason = "is one too many to be fetched" if limits.files else "is not fetched"
        else:
            reason = await _fetch(attachment, fetch, closing, limits.bytes, media)
        if reason:
            media.missing.append(f"({describe(attachment)} {reason}.)")
    if (more := len(media.missing) - _MOST_NAMED) > 0:
        media.missing[_MOST_NAMED:] = [f"({more} more files are missing.)"]
    return media


async def _fetch(
    attachment: Attachment, fetch: Fetch, closing: asyncio.Event, max_bytes: int, media: Media
) -> str | None:
    """Add the file to `media`, or return the reason why it is missing."""
    too_large = "is too large to be fetched"
    if attachment.size is not None and attachment.size > max_bytes:
        return too_large
    try:
        path, content_type = await _or_closing(closing, fetch(attachment, max_bytes)) if attachment.id else (None, "")
    except FileTooLarge:
        return too_large
    except Exception as exc:
        # One file that cannot be fetched must not cost the message. The error's text may quote an address or a name.
        logger.warning("an attachment could not be fetched: %s", type(exc).__name__)
        path = None
    if path is None:
        return "could not be fetched"
    media.paths.append(path)
    media.types.append(attachment.content_type or content_type)
    return None


async def _or_closing(closing: asyncio.Event, fetching: Awaitable[tuple[str | None, str]]) -> tuple[str | None, str]:
    """Return the fetched file; no path if `closing` is set first."""
    fetch, interruption = asyncio.ensure_future(fetching), asyncio.ensure_future(closing.wait())
    try:
        await asyncio.wait({fetch, interruption}, return_when=asyncio.FIRST_COMPLETED)
        return fetch.result() if fetch.done() else (None, "")
    finally:
        # No task outlives this call, also when the call itself is cancelled.
        fetch.cancel()
        interruption.cancel()
        await asyncio.gather(fetch, interruption, return_exceptions=True)


def describe(attachment: Attachment) -> str:
    """Return a description of the file, for the agent."""
    called = f" {name(attachment.filename)}" if attachment.filename else ""
    return f"Attachment{called}, {Foreign(attachment.content_type, _CONTENT_TYPE_CHARACTERS) or 'of unknown type'},"
