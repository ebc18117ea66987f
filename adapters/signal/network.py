"""Signal's entry in the list of networks. Every function defers its imports until it is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..network import Commands, Network, Say, WriteJson
from .stock import STOCK

if TYPE_CHECKING:
    from ...common.core.chats import LiveChat
    from ...common.doctor.findings import Finding
    from ...common.host.contract.names import HostName
    from ...common.recording.capture import Capture, Recorded
    from ...common.recording.playback import Faults, Replay
    from .settings import SignalSettings


def _settings() -> type[SignalSettings]:
    from .settings import SignalSettings

    return SignalSettings


def _adapter() -> Any:
    from .adapter import SignalAdapter

    return SignalAdapter


def _names() -> Sequence[HostName]:
    from ...common.host.contract.check import names_of
    from .host_names import NAMES

    return names_of(STOCK, NAMES)


def _is_chat_id(value: str) -> bool:
    from .settings import is_group_id

    return is_group_id(value)


async def _live_chats(settings: SignalSettings, state: Path) -> list[LiveChat]:
    from .client import SignalClient
    from .invitations import live_groups
    from .people.lookup import own_address

    async with SignalClient(settings.http_url, settings.account) as client:
        return await live_groups(client, own_address(settings.account, state))


def _examine(extra: Mapping[str, Any], environment: Mapping[str, str], state: Path) -> AsyncIterator[Finding]:
    from .doctor.checks import examine

    return examine(extra, environment, state)


async def _record(settings: SignalSettings, commands: Collection[str], capture: Capture) -> Recorded:
    from .recording.recorder import record

    return await record(settings, commands, capture)


def _replay(path: Path, faults: Faults, speed: float | None) -> Replay:
    from .recording.playback import prepare

    return prepare(path, faults, speed)


def _aliases(state: Path, identity: str) -> Iterable[str]:
    from .people.lookup import aliases

    return aliases(state, identity)


def _account(written: Mapping[str, str], state: Path) -> Collection[str]:
    from ...common.core.errors import StateError
    from .people.lookup import own_address

    account = written.get("account", "").lower()
    try:
        me = own_address(account, state)
    except StateError:
        return (account,)
    return [name for name in (me.id, me.number) if name]


def _add_commands(commands: Commands, say: Say, write_json: WriteJson) -> None:
    from .people.command import add

    add(commands, say, write_json)


NETWORK: Network[SignalSettings] = Network(
    title="Signal",
    stock=STOCK,
    requires=("aiohttp", "aiohttp_sse_client", "pydantic"),
    settings=_settings,
    adapter=_adapter,
    names=_names,
    is_chat_id=_is_chat_id,
    live_chats=_live_chats,
    examine=_examine,
    record=_record,
    replay=_replay,
    faults={
        "cut": "cut:N cuts the stream after event N",
        "silence": "silence:N keeps it open but silent after event N",
        "half": "half:N cuts it in the middle of event N",
        "duplicate": "duplicate:N sends event N twice",
        "status": "status:CODE answers with that status instead of a stream",
        "late-headers": "late-headers:SECONDS delays the response headers",
    },
    queueing="With `signal-cli daemon --receive-mode on-connection`, messages wait at Signal for the first client.",
    aliases=_aliases,
    account=_account,
    add_commands=_add_commands,
    registration={"pii_safe": True, "emoji": "📱"},
)
