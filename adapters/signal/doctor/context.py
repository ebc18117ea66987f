"""The context of the checks of a Signal set-up: settings, daemon, contacts, and this machine."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ....common.core.events import Me
from ....common.core.people import as_aci, as_number
from ....common.doctor.checks import NetworkContext
from ....common.host import checks
from ..client import SignalClient
from ..failures import RpcError
from ..settings import SignalSettings


def command_lines() -> Iterator[tuple[str, ...]]:
    """Yield the command lines of this machine's processes, as far as /proc shows them."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        yield tuple(words[:-1])


class Contacts:
    """The daemon's contact store, as `listContacts` returns it. Rows that make no sense are ignored."""

    def __init__(self, result: object) -> None:
        rows = [row for row in (result if isinstance(result, list) else ()) if isinstance(row, dict)]
        self._rows = [(as_number(row.get("number")), as_aci(row.get("uuid")), row) for row in rows]

    @property
    def pairs(self) -> dict[str, str]:
        """Number to ACI, for contacts that have both."""
        return {number: aci for number, aci, _ in self._rows if number and aci}

    @property
    def acis(self) -> frozenset[str]:
        return frozenset(aci for _, aci, _ in self._rows if aci)

    def row(self, account: str) -> Mapping[str, Any] | None:
        """Return the row of an account, given by number or ACI; None when it is not there."""
        return next((row for number, aci, row in self._rows if account in (number, aci)), None)

    def me(self, account: str) -> Me:
        """Return the identity of our own account, unknown when it is not there."""
        return next((Me(id=aci, number=number) for number, aci, _ in self._rows if account in (number, aci)), Me())


@dataclass(kw_only=True)
class Context(NetworkContext):
    """The things that checks look at. Answers of the daemon are fetched once, when a check first asks for them.

    The fields are what tests replace; times in seconds.
    """

    commands: Callable[[], Iterable[Sequence[str]]] = command_lines
    which: Callable[[str], str | None] = shutil.which
    clock: Callable[[], float] = time.monotonic
    listening: Callable[[], bool] = lambda: checks.listening("signal")
    """Returns whether a gateway of this set-up is connected now."""
    paired: Callable[[], int] = lambda: checks.paired("signal")
    outgoing: Callable[[], Path] = checks.outgoing_files
    headers_within: float = 20.0
    keepalive_within: float = 20.0
    answer_within: float = 10.0

    @cached_property
    def written(self) -> dict[str, Any]:
        """The settings of config.yaml alone: the host repeats some variables among the extras."""
        names = SignalSettings.environment_names()
        return {
            field: value
            for field, value in self.extra.items()
            if field not in names or self.environment.get(names[field]) != value
        }

    @cached_property
    def labels(self) -> dict[str, str]:
        """Setting to the place where the operator wrote it: `SIGNAL_ACCOUNT`, or `signal.account` of config.yaml."""
        return SignalSettings.sources(self.written, self.environment)

    @cached_property
    def settings(self) -> SignalSettings:
        """The settings; raises ConfigError, which the check of that name reports."""
        return SignalSettings.load(self.written, self.environment)

    @cached_property
    def client(self) -> SignalClient:
        """The client, which the check `signal.daemon` opens."""
        return SignalClient(self.settings.http_url, self.settings.account)

    @cached_property
    def version(self) -> asyncio.Future[str]:
        """The daemon's version, empty when it does not report one. Await it; raises as `SignalClient.rpc` does."""
        return asyncio.ensure_future(self._fetch_version())

    @cached_property
    def contacts(self) -> asyncio.Future[Contacts]:
        """The daemon's contact store. Await it; raises as `SignalClient.rpc` does."""
        return asyncio.ensure_future(self.fetch_contacts())

    async def fetch_contacts(self) -> Contacts:
        """Return the daemon's contact store as it is now."""
        return Contacts(await self.client.rpc("listContacts", {"allRecipients": True}, timeout=60))

    async def _fetch_version(self) -> str:
        try:
            # Asked for an account it does not have, the daemon would not even report its version.
            answer = await self.client.rpc("version", {"account": None}, timeout=self.answer_within)
        except RpcError:
            return ""
        return str(answer.get("version", "")) if isinstance(answer, dict) else ""
