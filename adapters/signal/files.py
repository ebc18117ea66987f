"""Writes received files to the host's cache."""

from __future__ import annotations

from ...common.host.contract import table
from . import host_names


def cache(data: bytes) -> tuple[str, str]:
    """Write a file to the host's cache, as stock's `_fetch_attachment` does; return path and content type. Blocks."""
    extension = host_names.GUESS_EXTENSION(data)
    # Android sends voice memos as bare AAC, but speech recognition needs a container.
    remux = host_names.REMUX_AAC.optional() if extension == ".aac" else None
    if remux and (remuxed := remux(data)) is not None:
        data, extension = remuxed
    if host_names.IS_IMAGE_EXT(extension):
        path = table.CACHE_IMAGE(data, extension)
    elif host_names.IS_AUDIO_EXT(extension):
        path = table.CACHE_AUDIO(data, extension)
    else:
        path = table.CACHE_DOCUMENT(data, extension)
    return str(path), str(host_names.EXT_TO_MIME(extension))
