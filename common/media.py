"""Attachments of dispatched messages: fetched within limits, and what could not be had is told to the agent."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .events import Attachment
from .wording import Foreign, name

logger = logging.getLogger(__name__)

MAX_BYTES = 100 * 2**20

Fetch = Callable[[Attachment], Awaitable[tuple[str | None, str]]]
"""An attachment with an id to (path in the host's cache or None, content type where none was announced)."""


@dataclass(slots=True)
class Media:
    """Paths and content types side by side, and one line for each file that is missing."""

    paths: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


async def fetch_all(
    attachments: Sequence[Attachment], fetch: Fetch, hurry: asyncio.Event, max_bytes: int = MAX_BYTES
) -> Media:
    """Fetch every attachment that is not announced as larger than `max_bytes`, until somebody is in a hurry."""
    media = Media()
    for attachment in attachments:
        if attachment.size is not None and attachment.size > max_bytes:
            media.missing.append(f"({describe(attachment)} is too large to be fetched.)")
            continue
        try:
            path, content_type = await _unless(hurry, fetch(attachment)) if attachment.id else (None, "")
        except Exception as exc:
            logger.warning("an attachment could not be fetched: %s", type(exc).__name__)
            path, content_type = None, ""
        if path is None:
            media.missing.append(f"({describe(attachment)} could not be fetched.)")
            continue
        media.paths.append(path)
        media.types.append(attachment.content_type or content_type)
    return media


async def _unless(hurry: asyncio.Event, fetching: Awaitable[tuple[str | None, str]]) -> tuple[str | None, str]:
    fetch, interruption = asyncio.ensure_future(fetching), asyncio.ensure_future(hurry.wait())
    try:
        await asyncio.wait({fetch, interruption}, return_when=asyncio.FIRST_COMPLETED)
        return fetch.result() if fetch.done() else (None, "")
    finally:
        fetch.cancel()
        interruption.cancel()
        await asyncio.gather(fetch, interruption, return_exceptions=True)


def describe(attachment: Attachment) -> str:
    """The file in words, for the agent."""
    filename = f" {name(attachment.filename)}" if attachment.filename else ""
    return f"Attachment{filename}, {Foreign(attachment.content_type, 60) or 'of unknown type'},"
