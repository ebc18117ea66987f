"""The record that describes a network to the plugin, the commands and the tools."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from ..common.core.chats import LiveChat
    from ..common.doctor.findings import Finding
    from ..common.host.contract.names import HostName
    from ..common.host.setup import Setup
    from ..common.recording.capture import Capture, Recorded
    from ..common.recording.playback import Faults, Replay
    from ..common.settings.config import Settings
    from ..common.settings.stock import Stock

S = TypeVar("S", bound="Settings")
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""The subcommands of `hermes adapters`."""
Say = Callable[[str], None]
"""Prints one line for the operator."""
WriteJson = Callable[[Any], None]
"""Prints one JSON document for a program."""


@dataclass(frozen=True, slots=True)
class Network(Generic[S]):
    """One network. Every command of Hermes loads this record, so its callables import their modules on demand.

    A callable that connects takes address and credentials from the settings, and raises Fatal or ConnectionLost.
    """

    title: str
    """The network's name as people write it."""
    stock: Stock
    requires: tuple[str, ...]
    """Modules that must be installed."""
    settings: Callable[[], type[S]]
    """Return the settings model, whose required fields are the connecting settings of `stock`."""
    adapter: Callable[[], Any]
    """Return the adapter class. Raises HostContractError when Hermes lacks what it builds on."""
    names: Callable[[], Sequence[HostName]]
    """Return every name of Hermes' own code that the network uses. Imports nothing of Hermes."""

    is_chat_id: Callable[[str], bool]
    """Return True for a text in the form of a group or channel id."""
    live_chats: Callable[[S, Path], Awaitable[list[LiveChat]]]
    """Fetch the account's groups or channels. The path is the state file, which need not exist."""
    examine: Callable[[Mapping[str, Any], Mapping[str, str], Path], AsyncIterator[Finding]]
    """Run doctor's checks, given `PlatformConfig.extra`, the environment and the path of the state file."""

    record: Callable[[S, Collection[str], Capture], Awaitable[Recorded]]
    """Record into the capture until it stops, given Hermes' slash commands, which stay readable. Raises Leak."""
    replay: Callable[[Path, Faults, float | None], Replay]
    """Prepare the replay of a fixture, or of a folder of them, at a speed (None: without waiting)."""
    faults: Mapping[str, str]
    """The faults a replay can inject: kind to the form of the option with its meaning."""
    queueing: str = ""
    """Explanation for operators if the network can queue events for the first listener: a recording could then take
    them from a stopped gateway. Empty if it never queues."""

    aliases: Callable[[Path, str], Iterable[str]] = lambda state, identity: ()
    """Return further identities under which the trace may list a person or chat. The path is the state file."""
    account: Callable[[Mapping[str, str], Path], Collection[str]] = lambda written, state: ()
    """Return every known name of the account, given the connecting settings as written. The path is the state file."""
    add_commands: Callable[[Commands, Say, WriteJson], None] | None = None
    """Add the commands that only this network has."""

    exported: tuple[str, ...] = ("allowed_users",)
    """Settings of `config.yaml` that Hermes and its stock adapter read from the environment alone."""
    registration: Mapping[str, Any] = field(default_factory=dict)
    """More arguments for the host's `register_platform`."""

    @property
    def name(self) -> str:
        """The name of Hermes' platform."""
        return self.stock.platform

    def account_names(self, extra: Mapping[str, Any], environment: Mapping[str, str], state: Path) -> Collection[str]:
        """Return every known name of the account in the settings of a profile; none if they name none."""
        return self.account(self.settings().connecting(extra, environment), state)

    def load(self, setup: Setup) -> S:
        """Read the network's settings. Raises ConfigError."""
        return self.settings().load(setup.extras.get(self.name, {}), setup.environment)
