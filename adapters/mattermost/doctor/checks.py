"""The list of checks of a Mattermost set-up, run against the live server. They write nothing to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from ....common.doctor.checks import Check, run_checks
from ....common.doctor.findings import Finding
from . import channels, people, server, settings, stream
from .context import Context


class CheckName(StrEnum):
    """The checks of Mattermost, in the order in which they run."""

    SETTINGS = "mattermost.settings"
    ADDRESS = "mattermost.address"
    CLOCK = "mattermost.clock"
    ACCOUNT = "mattermost.account"
    VERSION = "mattermost.version"
    LIMITS = "mattermost.limits"
    WEBSOCKET = "mattermost.websocket"
    RESUME = "mattermost.resume"
    PEOPLE = "mattermost.people"
    CHANNELS = "mattermost.channels"
    PERMISSIONS = "mattermost.permissions"


CHECKS: tuple[Check[Context], ...] = (
    Check(CheckName.SETTINGS, settings.settings),
    Check(CheckName.ADDRESS, server.address, needs=(CheckName.SETTINGS,)),
    Check(CheckName.CLOCK, server.clock, needs=(CheckName.ADDRESS,)),
    Check(CheckName.ACCOUNT, server.account, needs=(CheckName.ADDRESS,)),
    Check(CheckName.VERSION, server.version, needs=(CheckName.ACCOUNT,)),
    Check(CheckName.LIMITS, server.limits, needs=(CheckName.VERSION,)),
    Check(CheckName.WEBSOCKET, stream.websocket, needs=(CheckName.ACCOUNT,)),
    Check(CheckName.RESUME, stream.resume, needs=(CheckName.WEBSOCKET,)),
    Check(CheckName.PEOPLE, people.people, needs=(CheckName.ACCOUNT,)),
    Check(CheckName.CHANNELS, channels.channels, needs=(CheckName.ACCOUNT,)),
    Check(CheckName.PERMISSIONS, channels.permissions, needs=(CheckName.CHANNELS,)),
)


async def examine(
    extra: Mapping[str, Any], environment: Mapping[str, str], state: Path, **replaced: Any
) -> AsyncIterator[Finding]:
    """Yield each finding as soon as its check is done.

    `extra` is `PlatformConfig.extra` with the token, `state` the state file's path. `replaced` overrides fields of the
    `Context`, for tests.
    """
    context = Context(extra=extra, environment=environment, state=state, **replaced)
    async with context.resources:
        async for finding in run_checks(CHECKS, context, server.refused):
            yield finding
