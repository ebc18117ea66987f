"""Mattermost's entry in the list of networks. Every function defers its imports until it is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..network import Network
from .plugin import send_standalone, set_up
from .stock import STOCK

if TYPE_CHECKING:
    from ...common.core.chats import LiveChat
    from ...common.doctor.findings import Finding
    from ...common.host.contract.names import HostName
    from ...common.recording.capture import Capture, Recorded
    from ...common.recording.playback import Faults, Replay
    from .settings import MattermostSettings


def _settings() -> type[MattermostSettings]:
    from .settings import MattermostSettings

    return MattermostSettings


def _adapter() -> Any:
    from .adapter import MattermostAdapter

    return MattermostAdapter


def _names() -> Sequence[HostName]:
    from ...common.host.contract.check import names_of
    from .host_names import NAMES

    return names_of(STOCK, NAMES)


def _is_chat_id(value: str) -> bool:
    from .settings import is_id

    return is_id(value)


async def _live_chats(settings: MattermostSettings, state: Path) -> list[LiveChat]:
    from .invitations import live_channels
    from .rest.client import MattermostClient

    async with MattermostClient(settings.url, settings.token, ca_file=settings.ca_file) as client:
        return await live_channels(client)


def _examine(extra: Mapping[str, Any], environment: Mapping[str, str], state: Path) -> AsyncIterator[Finding]:
    from .doctor.checks import examine

    return examine(extra, environment, state)


async def _record(settings: MattermostSettings, commands: Collection[str], capture: Capture) -> Recorded:
    from .recording.recorder import record

    return await record(settings, commands, capture)


def _replay(path: Path, faults: Faults, speed: float | None) -> Replay:
    from .recording.playback import prepare

    return prepare(path, faults, speed)


def _account(written: Mapping[str, str], state: Path) -> Collection[str]:
    from ...common.settings.config import base_url, server_of

    try:
        server = server_of(base_url(written["url"], ""))
    except (KeyError, ValueError):
        return ()
    # The user behind a token is known to the server alone.
    return (f"{server} {written['token']}",) if "token" in written else ()


NETWORK: Network[MattermostSettings] = Network(
    title="Mattermost",
    stock=STOCK,
    requires=("aiohttp", "mattermostdriver", "pydantic"),
    settings=_settings,
    adapter=_adapter,
    names=_names,
    is_chat_id=_is_chat_id,
    live_chats=_live_chats,
    examine=_examine,
    record=_record,
    replay=_replay,
    account=_account,
    faults={
        "cut": "cut:N cuts the WebSocket after event N",
        "silence": "silence:N keeps it open but silent after event N",
        "gap": "gap:N skips a sequence number before event N",
        "status": "status:CODE answers with that status instead of a WebSocket",
    },
    exported=("allowed_users", "require_mention", "free_response_channels", "allowed_channels"),
    registration={
        "setup_fn": set_up,
        "standalone_sender_fn": send_standalone,
        "max_message_length": 4000,
        "emoji": "💬",
        "allow_update_command": True,
    },
)
