"""Listens to the daemon beside the gateway: signal-cli hands every event to every subscription."""

from __future__ import annotations

import logging
from typing import Any

from ....common.core.errors import HardenedError
from ....common.recording.capture import Capture
from ..client import SignalClient
from ..link import supervised_stream
from ..settings import SignalSettings
from .rewriting import SignalRecording

logger = logging.getLogger(__name__)

_LISTS_SECONDS = 20.0


async def record(settings: SignalSettings, recording: SignalRecording, capture: Capture) -> dict[str, bytes]:
    """Fill the capture until it stops; the fixture's files by suffix. Raises Fatal or ConnectionLost, and Leak."""
    capture.take = recording.take

    def hear(event: bytes) -> None:
        capture.record(event.decode("utf-8", "replace"))

    async with SignalClient(settings.http_url, settings.account) as client:
        stream = supervised_stream(client, hear, capture.died, stale_after=settings.sse_stale_seconds)
        await stream.open()
        try:
            contacts = await _listed(client, "listContacts", {"allRecipients": True})
            groups = await _listed(client, "listGroups", {})
            await capture.stop.wait()
        finally:
            await stream.close()
    return recording.files(contacts, groups)


async def _listed(client: SignalClient, method: str, params: dict[str, Any]) -> Any:
    """What the daemon lists; nothing where it fails, for the events are what matters."""
    try:
        return await client.rpc(method, params, timeout=_LISTS_SECONDS)
    except HardenedError as exc:
        logger.warning("%s was left out: %s", method, exc)
        return []
