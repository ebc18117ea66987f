"""UUID pre-resolution: fills the directory from signal-cli's own contact store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from ....common.core.errors import HardenedError
from ....common.core.events import Address
from ....common.core.people import Lists, as_aci, as_number
from ....common.core.pseudonymizer import Pseudonymizer
from ....common.state.identities import Source
from ..invitations import Rpc
from .directory import Directory, Learnt

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 10.0
"""An unknown sender makes us look again, but not more often than this over all."""
ASK_NETWORK_SECONDS = 600.0
"""Contact discovery is rationed by Signal's servers: strangers must not make us use it up."""


class Resolver:
    """Resolves the listed numbers to ACIs, and the account to its own. `clock` is monotonic seconds."""

    def __init__(
        self,
        client: Rpc,
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
        """Resolve in the background; the run that is under way, if there is one. It never raises."""
        if self._running is None or self._running.done():
            self._last = self._clock()
            self._running = asyncio.create_task(self._resolve())
        return self._running

    def is_due(self) -> bool:
        """Whether `again` would wait for a look, a new one or that which is under way."""
        recently = self._last is not None and self._clock() - self._last < AGAIN_SECONDS
        return not recently or (self._running is not None and not self._running.done())

    async def again(self, timeout: float = 5.0) -> None:
        """After an unknown sender: look once more unless that was done just now; waits `timeout` s at most."""
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
        """`listContacts {allRecipients}` shows ACIs only, never PNIs, and the own account among the others."""
        contacts = await self._client.rpc("listContacts", {"allRecipients": True}, timeout=60)
        for contact in contacts if isinstance(contacts, list) else ():
            if not isinstance(contact, dict):
                continue
            address = Address(as_aci(contact.get("uuid")), as_number(contact.get("number")))
            if name := _name(contact):
                self._directory.name(address, name)
            if self._directory.learn(address.number, address.id, Source.CONTACTS) is Learnt.MOVED:
                report_move(address, self._pseudonym)

    async def _ask_network(self, numbers: tuple[str, ...]) -> bool:
        """Make signal-cli look the numbers up. What it answers may be a PNI, so only its contact store is believed."""
        if self._last_asked is not None and self._clock() - self._last_asked < ASK_NETWORK_SECONDS:
            return False
        self._last_asked = self._clock()
        try:
            statuses = await self._client.rpc("getUserStatus", {"recipient": list(numbers)}, timeout=30)
        except HardenedError as exc:
            logger.info("numbers could not be looked up: %s", exc)
            return False
        return any(isinstance(s, dict) and s.get("uuid") for s in (statuses if isinstance(statuses, list) else ()))


def report_move(address: Address, pseudonym: Callable[[str], str]) -> None:
    """Tell the operator that a number turned up with another ACI."""
    logger.warning(
        "number %s now belongs to another ACI (%s): it is not accepted as the person it was before;"
        " `hermes adapters people confirm` it with the new ACI, or list that ACI itself, to allow it",
        pseudonym(address.number or ""),
        pseudonym(address.id or ""),
    )


def _name(contact: dict[str, Any]) -> str:
    profile = contact.get("profile")
    profile = profile if isinstance(profile, dict) else {}
    parts = [profile.get("givenName"), profile.get("familyName")]
    name = contact.get("name") or " ".join(part for part in parts if isinstance(part, str) and part)
    return name if isinstance(name, str) else ""
