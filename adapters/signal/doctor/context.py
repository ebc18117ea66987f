"""The context of the Signal checks: settings, daemon, contacts, and this machine."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ....common.core.events import Me
from ....common.doctor.checks import NetworkContext
from ....common.host import facts
from ..client import SignalClient
from ..failures import RpcError
from ..settings import SignalSettings
from ..wire import Contact, read_rows


def command_lines() -> Iterator[tuple[str, ...]]:
    """Yield the command lines of this machine's processes, as far as /proc shows them."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        yield tuple(words[:-1])


class Contacts:
    """The daemon's contact store, as `listContacts` returns it. Invalid rows are ignored."""

    def __init__(self, result: object) -> None:
        self._rows = read_rows(Contact, result)

    @property
    def pairs(self) -> dict[str, str]:
        """Maps number to ACI, for contacts that have both."""
        return {row.number: row.uuid for row in self._rows if row.number and row.uuid}

    @property
    def acis(self) -> frozenset[str]:
        """The ACIs of all contacts."""
        return frozenset(row.uuid for row in self._rows if row.uuid)

    def row(self, account: str) -> Contact | None:
        """Return the row of an account, given by number or ACI; None if there is none."""
        return next((row for row in self._rows if account in (row.number, row.uuid)), None)

    def me(self, account: str) -> Me:
        """Return the identity of our own account, an unknown one if the store does not have it."""
        own = self.row(account)
        return Me(own.uuid, own.number) if own else Me()


@dataclass(kw_only=True)
class Context(NetworkContext):
    """The data that checks examine. Answers of the daemon are fetched once, when a check first asks for them.

    Tests replace the fields. Times are in seconds.
    """

    commands: Callable[[], Iterable[Sequence[str]]] = command_lines
    which: Callable[[str], str | None] = shutil.which
    clock: Callable[[], float] = time.monotonic
    listening: Callable[[], bool] = lambda: facts.listening("signal")
    """Returns True if a gateway with this set-up is connected now."""
    paired: Callable[[], int] = lambda: facts.paired("signal")
    outgoing: Callable[[], Path] = facts.outgoing_files
    streaming_lacks: Callable[[], Sequence[str]] = lambda: facts.streaming_lacks("signal")
    """Returns the settings for want of which Hermes does not stream to Signal."""
    headers_within: float = 20.0
    keepalive_within: float = 20.0
    answer_within: float = 10.0

    @cached_property
    def written(self) -> dict[str, Any]:
        """The settings from config.yaml alone, because the host copies some environment variables into `extra`."""
        names = SignalSettings.environment_names()
        return {
            field: value
            for field, value in self.extra.items()
            if field not in names or self.environment.get(names[field]) != value
        }

    @cached_property
    def labels(self) -> dict[str, str]:
        """Maps each setting to the name the operator wrote: `SIGNAL_ACCOUNT`, or `signal.account` of config.yaml."""
        return SignalSettings.sources(self.written, self.environment)

    @cached_property
    def settings(self) -> SignalSettings:
        """The settings. Raises ConfigError, which the check `signal.settings` reports."""
        return SignalSettings.load(self.written, self.environment)

    @cached_property
    def client(self) -> SignalClient:
        """The client, which the check `signal.daemon` opens."""
        return SignalClient(self.settings.http_url, self.settings.account)

    @cached_property
    def version(self) -> asyncio.Future[str]:
        """The daemon's version, empty if it does not report one. Await it; raises the errors of `SignalClient.rpc`."""
        return asyncio.ensure_future(self._fetch_version())

    @cached_property
    def contacts(self) -> asyncio.Future[Contacts]:
        """The daemon's contact store. Await it; raises the errors of `SignalClient.rpc`."""
        return asyncio.ensure_future(self.fetch_contacts())

    async def fetch_contacts(self) -> Contacts:
        """Fetch the daemon's current contact store."""
        return Contacts(await self.client.rpc("listContacts", {"allRecipients": True}, timeout=60))

    async def _fetch_version(self) -> str:
        try:
            # With an account that it does not have, the daemon would not report its version either.
            answer = await self.client.rpc("version", {"account": None}, timeout=self.answer_within)
        except RpcError:
            return ""
        return str(answer.get("version", "")) if isinstance(answer, dict) else ""
