"""The WebSocket half of the stand-in for a server, under the names the tests know."""

from hermes_hardened_adapters.adapters.mattermost.recording.stand_in_websocket import (
    TOKEN,
    Connection,
    WebSocketApi,
    abort,
    event_of,
    post_event,
)

__all__ = ["TOKEN", "Connection", "WebSocketApi", "abort", "event_of", "post_event"]
