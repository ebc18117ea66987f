"""UUID pre-resolution: fills the directory from signal-cli's own contact store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from ....common.core.errors import HardenedError
from ....common.core.events import Address
from ....common.core.people import Lists
from ....common.core.pseudonymizer import Pseudonymizer
from ....common.state.identities import Source
from ..client import SignalClient
from ..wire import Contact, UserStatus, read_rows
from .directory import Directory, Learnt

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""The shortest time between two look-ups; any unknown sender may cause one."""
ASK_NETWORK_SECONDS = 600.0
"""Signal's servers ration contact discovery, so strangers must not be able to use it up."""


class Resolver:
    """Resolves the listed numbers to ACIs, the account's own among them. `clock` is monotonic seconds."""

    def __init__(
        self,
        client: SignalClient,
        directory: Directory,
        lists: Lists,
        clock: Callable[[], float],
        pseudonym: Callable[[str], str] | None = None,
    ) -> None:
        self._client = client
        self._directory = directory
        self._lists = lists
        self._clock = clock
        self._pseudonym = pseudonym or Pseudonymizer()
        self._last: float | None = None
        self._last_asked: float | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> asyncio.Task[None]:
        """Start to resolve, unless that is under way. The returned task never raises."""
        if self._running is None or self._running.done():
            self._last = self._clock()
            self._running = asyncio.create_task(self._resolve())
        return self._running

    def is_due(self) -> bool:
        """Return True if `again` would wait for a run, a new one or one under way."""
        recently = self._last is not None and self._clock() - self._last < AGAIN_SECONDS
        return not recently or (self._running is not None and not self._running.done())

    async def again(self, timeout: float = 5.0) -> None:
        """After an unknown sender: resolve once more unless that was done just now; waits `timeout` s at most."""
        if self.is_due():
            await asyncio.wait([self.start()], timeout=timeout)

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _resolve(self) -> None:
        try:
            await self._read_contacts()
            missing = self._directory.unresolved(self._lists)
            if missing and await self._ask_network(missing):
                await self._read_contacts()
        except HardenedError as exc:
            logger.warning("people could not be resolved: %s", exc)
            return
        if missing := self._directory.unresolved(self._lists):
            logger.info("%d listed numbers have no known ACI yet", len(missing))

    async def _read_contacts(self) -> None:
        """Learn pairs and names from the contact store, which shows ACIs only, never PNIs."""
        contacts = await self._client.rpc("listContacts", {"allRecipients": True}, timeout=60)
        for contact in read_rows(Contact, contacts):
            address = contact.address
            if name := contact.display_name:
                self._directory.name(address, name)
            if self._directory.learn(address.number, address.id, Source.CONTACTS) is Learnt.MOVED:
                report_move(address, self._pseudonym)

    async def _ask_network(self, numbers: tuple[str, ...]) -> bool:
        """Make signal-cli look the numbers up; True if it found any. Its answer may hold PNIs, so only the contact
        store is read for pairs.
        """
        if self._last_asked is not None and self._clock() - self._last_asked < ASK_NETWORK_SECONDS:
            return False
        self._last_asked = self._clock()
        try:
            statuses = await self._client.rpc("getUserStatus", {"recipient": list(numbers)}, timeout=30)
        except HardenedError as exc:
            logger.info("numbers could not be looked up: %s", exc)
            return False
        return any(status.uuid for status in read_rows(UserStatus, statuses))


def report_move(address: Address, pseudonym: Callable[[str], str]) -> None:
    """Warn the operator that a number turned up with another ACI."""
    logger.warning(
        "number %s now belongs to another ACI (%s): it is not accepted as the person it was before;"
        " `hermes adapters people confirm` it with the new ACI, or list that ACI itself, to allow it",
        pseudonym(address.number or ""),
        pseudonym(address.id or ""),
    )
