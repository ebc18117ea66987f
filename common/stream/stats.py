"""Counters of one supervised stream."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class StreamStats:
    """Counters since the stream was created, over all its links. Times are in seconds of the stream's clock."""

    last_byte: float | None = None
    last_event: float | None = None
    disconnected_since: float | None = None
    """The time at which the last open link was lost; None while one is open, and before the first."""
    open: int = 0
    """Links open now."""
    connects: int = 0
    """Links that opened."""
    reconnects: int = 0
    """Links that replaced a lost or silent one."""
    stale: int = 0
    """Links given up because they were silent."""
    events: int = 0
    """Events passed to the handler."""
    skipped: int = 0
    """Events that could not be read, or that the handler failed on."""
    duplicates: int = 0
    """Events dropped because they had been received before (Mattermost)."""
    resumed: int = 0
    """Links that resumed where the previous one ended (Mattermost)."""
    gaps: int = 0
    """Losses of events that no resume could recover (Mattermost)."""
