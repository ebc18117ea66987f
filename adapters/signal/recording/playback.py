"""Plays a Signal fixture on a stand-in for signal-cli's daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from ....common.recording.playback import Faults, Replay, delays
from .fixture import load
from .stand_in import KEEPALIVE, KEEPALIVE_SECONDS, ReplayDaemon


def prepare(path: Path, faults: Faults, speed: float | None) -> Replay:
    """Prepare the replay of a fixture, or of a folder of fixtures. Raises ConfigError."""
    fixture = load(path)
    daemon = ReplayDaemon(fixture.account, fixture.contacts, fixture.groups)
    return Replay(
        daemon,
        Playback(daemon, fixture.events, delays(fixture.times, speed), faults),
        len(fixture.events),
        lambda url: {"SIGNAL_HTTP_URL": url, "SIGNAL_ACCOUNT": fixture.account},
    )


class Playback:
    """Plays events in order while a client is subscribed, like a daemon with `--receive-mode on-connection`.

    `waits` are the seconds before each event; `played` counts the events sent.
    """

    def __init__(
        self,
        daemon: ReplayDaemon,
        events: list[bytes],
        waits: list[float],
        faults: Faults,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.played = 0
        self._daemon = daemon
        self._events = events
        self._waits = waits
        self._faults = faults
        self._sleep = sleep
        status = faults.number("status")
        daemon.refuse_events = None if status is None else int(status)
        daemon.header_delay = faults.number("late-headers") or 0.0

    async def run(self) -> None:
        """Play all events, then return."""
        keeping_alive = asyncio.create_task(self._keep_alive())
        try:
            for number, (event, wait) in enumerate(zip(self._events, self._waits, strict=True), 1):
                await self._daemon.streams_open(1, timeout=None)
                await self._sleep(wait)
                await self._daemon.streams_open(1, timeout=None)
                await self._play(number, event)
                self.played = number
        finally:
            keeping_alive.cancel()

    async def _play(self, number: int, event: bytes) -> None:
        if self._faults.happens_at("half", number):
            # The event is lost, because signal-cli repeats nothing.
            await self._daemon.emit(event[: len(event) // 2])
            self._daemon.drop_streams()
            return
        await self._daemon.emit(event)
        if self._faults.happens_at("duplicate", number):
            await self._daemon.emit(event)
        if self._faults.happens_at("cut", number):
            self._daemon.drop_streams()
        if self._faults.happens_at("silence", number):
            self._daemon.forget_streams()

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(KEEPALIVE_SECONDS)
            await self._daemon.emit(KEEPALIVE)
