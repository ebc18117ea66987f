"""Records from a Mattermost server beside the gateway, which misses nothing: every WebSocket gets every event."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection, Iterable, Iterator
from typing import Any

from ....common.core.errors import HardenedError
from ....common.recording.capture import Capture, Recorded
from ..link import supervised_stream
from ..rest.client import MattermostClient
from ..settings import MattermostSettings
from .rewriting import MattermostRecording

logger = logging.getLogger(__name__)

_BATCH = 100


async def record(settings: MattermostSettings, commands: Collection[str], capture: Capture) -> Recorded:
    """Fill the capture until it stops. Raises Fatal, ConnectionLost or Leak.

    `commands` are the host's slash commands, which stay readable at the start of a text.
    """
    recording = MattermostRecording(commands)
    capture.sink = recording.add
    async with MattermostClient(settings.url, settings.token, ca_file=settings.ca_file) as client:
        me = await client.me()
        stream = supervised_stream(client, lambda frame: capture.record(frame.text), lambda: None, capture.stream_ended)
        await stream.open()
        try:
            await capture.stop.wait()
        finally:
            await stream.close()
        users = []
        for ids in _batches(recording.ids()):
            users += await _listed("people", client.users_by_ids(ids))
        for names in _batches(recording.names()):
            users += await _listed("names", client.users_by_names(names))
        channels = await _listed("channels", client.my_channels())
    return Recorded(recording.files(me, users, channels), recording.dropped)


def _batches(names: Iterable[str]) -> Iterator[list[str]]:
    everything = sorted(names)
    for start in range(0, len(everything), _BATCH):
        yield everything[start : start + _BATCH]


async def _listed(what: str, call: Awaitable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return the result of a listing call; empty if it fails, so that the recorded frames are not lost."""
    try:
        return await call
    except HardenedError as exc:
        logger.warning("%s were left out: %s", what, exc)
        return []
