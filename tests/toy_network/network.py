"""The toy network's entry in the list of networks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hermes_hardened_adapters.adapters.network import Network
from hermes_hardened_adapters.common.settings.stock import Stock

if TYPE_CHECKING:
    from hermes_hardened_adapters.common.core.chats import LiveChat
    from hermes_hardened_adapters.common.doctor.findings import Finding
    from hermes_hardened_adapters.common.recording.capture import Capture, Recorded
    from hermes_hardened_adapters.common.recording.playback import Faults, Replay

    from tests.toy_network.settings import ToySettings

STOCK = Stock(
    platform="toy",
    places=("toy_platform:ToyAdapter",),
    connecting={"address": "TOY_ADDRESS", "password": "TOY_PASSWORD"},
    secrets=frozenset({"password"}),
)


def _settings() -> type[ToySettings]:
    from tests.toy_network.settings import ToySettings

    return ToySettings


def _adapter() -> Any:
    from hermes_hardened_adapters.common.host.contract.check import stock_adapter

    return stock_adapter(STOCK, ())


async def _live_chats(settings: ToySettings, state: Path) -> list[LiveChat]:
    from hermes_hardened_adapters.common.core.chats import LiveChat

    from tests.toy_network.server import connected

    async with connected(settings):
        return [LiveChat("#den", "The den", "member")]


async def _examine(extra: Mapping[str, Any], environment: Mapping[str, str], state: Path) -> AsyncIterator[Finding]:
    from hermes_hardened_adapters.common.doctor.checks import Check, NetworkContext, run_checks
    from hermes_hardened_adapters.common.doctor.findings import Result, ok

    from tests.toy_network.server import connected

    async def server(context: NetworkContext) -> AsyncIterator[Result]:
        async with connected(_settings().load(context.extra, context.environment)):
            yield ok("The toy server answers.")

    context = NetworkContext(extra=extra, environment=environment, state=state)
    async for finding in run_checks((Check("toy.server", server),), context):
        yield finding


async def _record(settings: ToySettings, commands: Collection[str], capture: Capture) -> Recorded:
    from tests.toy_network.server import record

    return await record(settings, commands, capture)


def _replay(path: Path, faults: Faults, speed: float | None) -> Replay:
    from tests.toy_network.server import prepare

    return prepare(path, faults, speed)


def _aliases(state: Path, identity: str) -> Iterable[str]:
    return (f"toy/{identity}",)


NETWORK: Network[ToySettings] = Network(
    title="Toy",
    stock=STOCK,
    requires=("json",),
    settings=_settings,
    adapter=_adapter,
    names=tuple,
    is_chat_id=lambda value: value.startswith("#"),
    live_chats=_live_chats,
    examine=_examine,
    record=_record,
    replay=_replay,
    faults={"twice": "twice:N, event N twice"},
    aliases=_aliases,
)
