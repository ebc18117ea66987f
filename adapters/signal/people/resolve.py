"""UUID pre-resolution: fills the directory from signal-cli's contact store."""

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
"""Minimum time between two look-ups, because any unknown sender may cause one."""
ASK_NETWORK_SECONDS = 600.0
"""Minimum time between two queries to Signal's servers, so that strangers cannot use up their limit."""


class Resolver:
    """Resolves the listed numbers and the account's own to ACIs. `clock` is monotonic seconds."""

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
        """Start resolving, unless it is already running. The returned task never raises."""
        if self._running is None or self._running.done():
            self._last = self._clock()
            self._running = asyncio.create_task(self._resolve())
        return self._running

    def is_due(self) -> bool:
        """Return True if `refresh` would wait for a new or a running resolution."""
        recently = self._last is not None and self._clock() - self._last < AGAIN_SECONDS
        return not recently or (self._running is not None and not self._running.done())

    async def refresh(self, timeout: float = 5.0) -> None:
        """Resolve again for an unknown sender, unless that was done recently. Waits at most `timeout` seconds."""
        if self.is_due():
            # `wait`, not `wait_for`: a slow resolution continues for the other senders.
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
            logger.warning("the contacts could not be read from signal-cli: %s", exc)
            return
        if missing := self._directory.unresolved(self._lists):
            logger.info("the ACI of %d listed numbers is still unknown", len(missing))

    async def _read_contacts(self) -> None:
        """Learn pairs and names from the contact store, which contains only ACIs, never PNIs."""
        # From 0.14.0, signal-cli refreshes profiles over the network before it answers.
        contacts = await self._client.rpc("listContacts", {"allRecipients": True}, timeout=60)
        for contact in read_rows(Contact, contacts):
            address = contact.address
            if name := contact.display_name:
                self._directory.name(address, name)
            if self._directory.learn(address.number, address.id, Source.CONTACTS) is Learnt.MOVED:
                report_move(address, self._pseudonym)

    async def _ask_network(self, numbers: tuple[str, ...]) -> bool:
        """Make signal-cli look up the numbers at Signal; return True if it found any.

        The answer may hold PNIs, so the pairs are read from the contact store afterwards.
        """
        if self._last_asked is not None and self._clock() - self._last_asked < ASK_NETWORK_SECONDS:
            return False
        self._last_asked = self._clock()
        try:
            statuses = await self._client.rpc("getUserStatus", {"recipient": list(numbers)}, timeout=30)
        except HardenedError as exc:
            logger.info("listed numbers could not be looked up at Signal: %s", exc)
            return False
        return any(status.uuid for status in read_rows(UserStatus, statuses))


def report_move(address: Address, pseudonym: Callable[[str], str]) -> None:
    """Warn the operator that a number was seen with another ACI."""
    logger.warning(
        "number %s now belongs to another ACI (%s) and is refused, because it may be another person's; to allow it,"
        " confirm the new ACI with `hermes adapters people confirm`, or list that ACI itself",
        pseudonym(address.number or ""),
        pseudonym(address.id or ""),
    )
