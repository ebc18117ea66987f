"""The checks of a Mattermost set-up, in order, each against the real server and none of them writing anything to it.

Whether the bot may post is judged by its roles, as the server judges it (SessionHasPermissionToChannel: what a role in
the channel, in its team or in the system grants). A plugin of the server that rejects posts cannot be seen that way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from ....common.core.chats import Entry, in_force
from ....common.core.errors import ConfigError, Fatal, HardenedError, StateError
from ....common.doctor.findings import Finding, Status
from ....common.state.chats import entries
from ..link import Socket, StreamStats
from ..rest.client import MattermostClient
from ..rest.failures import ApiError, not_mattermost
from ..sequence import Sequence
from ..settings import MattermostSettings
from . import people, server

_TRY_SECONDS = 5.0
_HELLO_SECONDS = 10.0
_AWAY_SECONDS = (0.5, 2.0)
"""How long to stay away before each attempt at a resume: the server must have noticed that we left."""
_UNTOLD = "look into the log of Mattermost and of the proxy before it"


async def examine(
    extra: Mapping[str, Any],
    environment: Mapping[str, str],
    state: Path,
    *,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    hello_within: float = _HELLO_SECONDS,
) -> AsyncIterator[Finding]:
    """Check after check, each with at least one finding. `extra` is what the host hands the platform, with the token.

    `state` is the state file, which need not exist; `now` is Unix time. Raises nothing that a wrong set-up can cause.
    """
    try:
        settings = MattermostSettings.load(extra, environment)
    except ConfigError as exc:
        for fault in exc.faults:
            yield server.failed("settings", fault, "correct that setting in config.yaml, .env or the environment")
        for check in _CHECKS:
            yield server.skipped(check, "the settings are wrong")
        return
    yield server.ok("settings", "the settings are valid")
    client = MattermostClient(settings.url, settings.token, ca_file=settings.ca_file, timeout=_TRY_SECONDS, sleep=sleep)
    visit = Visit(settings, environment, state, client, now, sleep, hello_within)
    checks = list(_CHECKS)
    try:
        while checks:
            check = checks.pop(0)
            findings = await visit.carry_out(check)
            for finding in findings:
                yield finding
            if any(finding.status is Status.FAILED for finding in findings):
                for blocked in checks[: _BLOCKS.get(check, 0)]:
                    yield server.skipped(blocked, f"mattermost.{check} failed")
                    checks.remove(blocked)
    finally:
        await client.__aexit__()


class Visit:
    """What one examination has learned so far, and its checks."""

    def __init__(
        self,
        settings: MattermostSettings,
        environment: Mapping[str, str],
        state: Path,
        client: MattermostClient,
        now: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        hello_within: float,
    ) -> None:
        self._settings = settings
        self._environment = environment
        self._state = state
        self._client = client
        self._now = now
        self._sleep = sleep
        self._hello_within = hello_within
        self._sequence = Sequence()
        self._config: dict[str, Any] = {}
        self._me: dict[str, Any] = {}
        self._served: list[server.Object] = []

    async def carry_out(self, check: str) -> list[Finding]:
        """What the check of that name found, be it an error."""
        try:
            return await _CHECKS[check](self)
        except HardenedError as exc:
            return [server.refused(check, exc, _UNTOLD)]

    async def address(self) -> list[Finding]:
        """Opens the client for all that follow."""
        await self._client.__aenter__()
        where = self._client.base_url
        try:
            answer = await self._client.ping_system()
        except ApiError as refused:
            if refused.status not in {404, 405}:
                raise
            remedy = f"there is no Mattermost at {where}: set MATTERMOST_URL to its address, its path too"
            raise Fatal("mattermost_other_api", remedy, heals=False) from None
        if answer.get("status") != "OK":
            raise not_mattermost(where)
        return [server.address(where)]

    async def clock(self) -> list[Finding]:
        before = self._now()
        await self._client.ping_system()
        date = self._client.last_headers.get("Date", "")
        return [server.clock(date, before, self._now(), self._settings.catch_up_minutes * 60)]

    async def account(self) -> list[Finding]:
        self._me = await self._client.me()
        return [server.account(self._me)]

    async def version(self) -> list[Finding]:
        self._config = await self._client.config()
        return [server.version(str(self._config.get("Version") or self._client.last_headers.get("X-Version-Id")))]

    async def limits(self) -> list[Finding]:
        return [server.limits(self._config)]

    # -- the WebSocket

    async def websocket(self) -> list[Finding]:
        started = time.monotonic()
        await self._stand()
        took = time.monotonic() - started
        return [server.ok("websocket", f"a WebSocket was opened and greeted in {took:.1f} s")]

    async def resume(self) -> list[Finding]:
        for away in _AWAY_SECONDS:
            await self._sleep(away)
            if resumed := (await self._stand()).resumed > 0:
                break
        return [server.resume(resumed, self._config)]

    async def _stand(self) -> StreamStats:
        """Open a WebSocket that goes on where the last one ended, wait until it stands, and close it."""
        stats = StreamStats()
        socket = Socket(
            self._client,
            self._sequence,
            lambda _: None,
            lambda: None,
            stats,
            clock=time.monotonic,
            ping_every=self._hello_within,
            reply_within=self._hello_within,
        )
        try:
            await socket.stand(self._hello_within)
        finally:
            await socket.close()
        return stats

    # -- people and channels

    async def people(self) -> list[Finding]:
        users = await self._client.users_by_ids(sorted(people.named(self._settings)))
        return people.people(self._settings, self._environment, users)

    async def channels(self) -> list[Finding]:
        faults: list[Finding] = []
        book: Mapping[str, Entry] = {}
        if self._state.exists():
            try:
                book = await asyncio.to_thread(entries, self._state, "mattermost")
            except (StateError, ValueError) as exc:
                what = f"approvals given at run time cannot be read: {exc}"
                remedy = "start the gateway, which brings the file up to date or puts an unusable one aside"
                faults.append(server.advice("channels", what, remedy))
        policy = in_force(self._settings.policy(), book)
        rooms = people.rooms_of(await self._client.my_channels())
        self._served = people.served(policy, rooms)
        return [*faults, *people.channels(policy, rooms)]

    async def permissions(self) -> list[Finding]:
        teams: dict[str, server.Object] = {"": {}}
        rooms = []
        for channel in self._served:
            if (team := people.team_of(channel)) not in teams:
                teams[team] = await self._client.team_membership(team)
            member = await self._client.membership(str(channel["id"]))
            rooms.append((channel, people.role_names(self._me, teams[team], member)))
        names = sorted(set[str]().union(*(names for _, names in rooms)))
        return people.permissions(rooms, await self._client.roles(names) if names else [])


_CHECKS: Mapping[str, Callable[[Visit], Awaitable[list[Finding]]]] = {
    "address": Visit.address,
    "clock": Visit.clock,
    "account": Visit.account,
    "version": Visit.version,
    "limits": Visit.limits,
    "websocket": Visit.websocket,
    "resume": Visit.resume,
    "people": Visit.people,
    "channels": Visit.channels,
    "permissions": Visit.permissions,
}
"""In their order."""
_BLOCKS = {"address": len(_CHECKS), "account": len(_CHECKS), "version": 1, "websocket": 1, "channels": 1}
"""How many of the checks after one cannot be made when it failed."""
