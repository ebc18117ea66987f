"""The seam to Hermes for messages that come in while the agent works, where several people share a session."""

from __future__ import annotations

from typing import Any

_HOST_HAS = ("_enqueue_fifo", "_queue_depth", "_BUSY_QUEUE_MAX_PENDING", "_is_user_authorized", "_draining")


def queue_apart(event: Any, session_key: str, adapter: Any) -> bool:
    """Queue a message for a turn of its own, without interrupting the present one; False where the host cannot."""
    runner = getattr(adapter, "gateway_runner", None)
    if runner is None or not all(hasattr(runner, name) for name in _HOST_HAS):
        return False
    if runner._draining or not runner._is_user_authorized(event.source):
        return False
    if runner._queue_depth(session_key, adapter=adapter) < runner._BUSY_QUEUE_MAX_PENDING:
        runner._enqueue_fifo(session_key, event, adapter)
    return True


def would_merge(event: Any, session_key: str, adapter: Any) -> bool:
    """The host would put it into what somebody else said last: it does so with whatever has files."""
    waiting = getattr(adapter, "_pending_messages", {}).get(session_key)
    if waiting is None or waiting.source.user_id == event.source.user_id:
        return False
    return bool(waiting.media_urls or event.media_urls)
