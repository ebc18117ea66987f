"""Links that follow a script, and a peer that hands them to a supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.link import Clock, Link
from hermes_hardened_adapters.common.stream.stats import StreamStats
from hermes_hardened_adapters.common.stream.supervisor import Supervisor

from tests.fakes.clock import Time

Script = Callable[["ScriptedLink"], Awaitable[None]]


class ScriptedLink(Link):
    """Plays a script, then loses the connection."""

    def __init__(self, name: str, script: Script, log: list[str], stats: StreamStats, clock: Clock) -> None:
        self.name = name
        self.script = script
        self.log = log
        self.heard: list[str] = []
        super().__init__(stats, clock, unanswered="the peer does not answer")

    def opens(self) -> None:
        self._mark_open()
        self.log.append(f"{self.name} open")

    def hears(self, event: str = "event") -> None:
        self.received = True
        self._mark_alive()
        self._deliver(self.heard.append, event)

    async def _listen(self) -> NoReturn:
        try:
            await self.script(self)
        finally:
            self.log.append(f"{self.name} ends")
        raise ConnectionLost("cut")


def plays(*, opens: bool = True, hears: bool = False, then: Exception | None = None, hold: bool = False) -> Script:
    async def script(link: ScriptedLink) -> None:
        if opens:
            link.opens()
        if hears:
            link.hears()
        if hold:
            await asyncio.Event().wait()
        if then is not None:
            raise then

    return script


async def lively(link: ScriptedLink) -> None:
    link.opens()
    while True:
        link.hears()
        await asyncio.sleep(0.01)


HOLDS = plays(hold=True)
NEVER_OPENS = plays(opens=False, hold=True)
WORKS_AND_IS_CUT = plays(hears=True)
OPENS_AND_IS_CUT = plays()
REFUSED = plays(opens=False, then=Fatal("peer_refused", "do this"))
UNREACHABLE = plays(opens=False, then=ConnectionLost("nobody there"))


class Peer:
    """Answers the n-th link with the n-th script, the last one repeating."""

    def __init__(self, *scripts: Script) -> None:
        self.scripts = scripts
        self.links: list[ScriptedLink] = []
        self.log: list[str] = []
        self.deaths: list[HardenedError] = []
        self.time = Time()
        self.stream: Supervisor

    def connect(self, stats: StreamStats, clock: Clock) -> ScriptedLink:
        number = len(self.links)
        script = self.scripts[min(number, len(self.scripts) - 1)]
        link = ScriptedLink(f"link {number + 1}", script, self.log, stats, clock)
        self.links.append(link)
        return link


@asynccontextmanager
async def supervised(*scripts: Script, **options: Any) -> AsyncIterator[Peer]:
    peer = Peer(*scripts)
    options = {"give_up_after": 30.0, "clock": peer.time, "sleep": peer.time.sleep, **options}
    peer.stream = Supervisor("peer", peer.connect, peer.deaths.append, **options)
    try:
        yield peer
    finally:
        await peer.stream.close()
        assert all(link.ended for link in peer.links)


def well(healthy: bool) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return healthy

    return check
