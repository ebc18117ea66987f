"""Records from signal-cli's daemon beside the gateway, which misses nothing: every subscription gets every event."""

from __future__ import annotations

import logging
from collections.abc import Collection
from typing import Any

from ....common.core.errors import HardenedError
from ....common.recording.capture import Capture, Recorded
from ..client import SignalClient
from ..link import supervised_stream
from ..settings import SignalSettings
from .rewriting import SignalRecording

logger = logging.getLogger(__name__)

_LISTS_SECONDS = 20.0


async def record(settings: SignalSettings, commands: Collection[str], capture: Capture) -> Recorded:
    """Fill the capture until it stops. Raises Fatal, ConnectionLost or Leak.

    `commands` are the host's slash commands, which stay readable at the start of a text.
    """
    recording = SignalRecording(commands)
    capture.sink = recording.add

    def on_event(event: bytes) -> None:
        capture.record(event.decode("utf-8", "replace"))

    async with SignalClient(settings.http_url, settings.account) as client:
        stream = supervised_stream(client, on_event, capture.stream_ended, stale_after=settings.sse_stale_seconds)
        await stream.open()
        try:
            contacts = await _listed(client, "listContacts", {"allRecipients": True})
            groups = await _listed(client, "listGroups", {})
            await capture.stop.wait()
        finally:
            await stream.close()
    return Recorded(recording.files(contacts, groups), recording.dropped)


async def _listed(client: SignalClient, method: str, params: dict[str, Any]) -> Any:
    """Return the result of a listing call; empty if it fails, so that the recorded events are not lost."""
    try:
        return await client.rpc(method, params, timeout=_LISTS_SECONDS)
    except HardenedError as exc:
        logger.warning("%s was left out: %s", method, exc)
        return []
