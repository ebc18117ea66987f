"""Listens to the server beside the gateway: it tells every WebSocket of the bot the same."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from ....common.core.errors import HardenedError
from ....common.recording.capture import Capture
from ..link import supervised_stream
from ..rest.client import MattermostClient
from ..settings import MattermostSettings
from .rewriting import MattermostRecording

logger = logging.getLogger(__name__)

_AT_ONCE = 100


async def record(settings: MattermostSettings, recording: MattermostRecording, capture: Capture) -> dict[str, bytes]:
    """Fill the capture until it stops; the fixture's files by suffix. Raises Fatal or ConnectionLost, and Leak."""
    capture.take = recording.take
    async with MattermostClient(settings.url, settings.token, ca_file=settings.ca_file) as client:
        me = await client.me()
        stream = supervised_stream(client, lambda frame: capture.record(frame.text), lambda: None, capture.died)
        await stream.open()
        try:
            await capture.stop.wait()
        finally:
            await stream.close()
        users = []
        for ids in _portions(recording.ids()):
            users += await _listed("people", client.users_by_ids(ids))
        for names in _portions(recording.names()):
            users += await _listed("names", client.users_by_names(names))
        channels = await _listed("channels", client.my_channels())
    return recording.files(me, users, channels)


def _portions(names: Iterable[str]) -> Iterator[list[str]]:
    everything = sorted(names)
    for start in range(0, len(everything), _AT_ONCE):
        yield everything[start : start + _AT_ONCE]


async def _listed(what: str, call: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What the server lists; nothing where it fails, for the frames are what matters."""
    try:
        return await call
    except HardenedError as exc:
        logger.warning("%s were left out: %s", what, exc)
        return []
