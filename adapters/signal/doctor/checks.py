"""The list of checks of a Signal set-up, run against the live daemon.

They send, accept and change nothing, and take no message from the gateway.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from ....common.doctor.checks import Check, run_checks
from ....common.doctor.findings import Finding
from . import daemon, files, groups, people, settings, stream
from .context import Context


class CheckName(StrEnum):
    """The checks of Signal, in the order in which they run."""

    SETTINGS = "signal.settings"
    ALLOWED = "signal.allowed"
    DAEMON = "signal.daemon"
    HOST = "signal.host"
    ADDRESS = "signal.address"
    RECEIVE_MODE = "signal.receive_mode"
    FFMPEG = "signal.ffmpeg"
    STREAMING = "signal.streaming"
    VERSION = "signal.version"
    ACCOUNT = "signal.account"
    PROFILE = "signal.profile"
    NETWORK = "signal.network"
    PEOPLE = "signal.people"
    GROUPS = "signal.groups"
    FILES = "signal.files"
    STREAM = "signal.stream"


_VALID = (CheckName.SETTINGS,)
_REACHED = (CheckName.DAEMON,)
_KNOWN = (CheckName.ACCOUNT,)

CHECKS: tuple[Check[Context], ...] = (
    Check(CheckName.SETTINGS, settings.settings),
    Check(CheckName.ALLOWED, people.allowed, needs=_VALID),
    Check(CheckName.DAEMON, daemon.reach, needs=_VALID),
    Check(CheckName.HOST, daemon.host, needs=_REACHED),
    Check(CheckName.ADDRESS, daemon.address, needs=_REACHED),
    Check(CheckName.RECEIVE_MODE, stream.receive_mode, needs=_VALID),
    Check(CheckName.FFMPEG, files.ffmpeg, needs=_VALID),
    Check(CheckName.STREAMING, settings.streaming, needs=_VALID),
    Check(CheckName.VERSION, daemon.version, needs=_REACHED),
    Check(CheckName.ACCOUNT, daemon.account, needs=_REACHED),
    Check(CheckName.PROFILE, daemon.profile, needs=_KNOWN),
    Check(CheckName.NETWORK, daemon.network, needs=_KNOWN),
    Check(CheckName.PEOPLE, people.people, needs=_KNOWN),
    Check(CheckName.GROUPS, groups.groups, needs=_KNOWN),
    Check(CheckName.FILES, files.attachments, needs=_KNOWN),
    Check(CheckName.STREAM, stream.stream, needs=_KNOWN),
)


async def examine(
    extra: Mapping[str, Any], environment: Mapping[str, str], state: Path, **replaced: Any
) -> AsyncIterator[Finding]:
    """Yield each finding as soon as its check is done.

    `extra` is `PlatformConfig.extra`, `state` the state file's path. `replaced` overrides fields of the `Context`, for
    tests.
    """
    context = Context(extra=extra, environment=environment, state=state, **replaced)
    async with context.resources:
        async for finding in run_checks(CHECKS, context):
            yield finding
