"""The connection of one Signal account: state file, RPC client, source and event stream."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container
from contextlib import suppress
from pathlib import Path

from ...common.core.chats import LiveChat
from ...common.core.errors import Fatal, HardenedError
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Awaits, Deliver, React, Report, TakeBack
from ...common.inbound.observation import Observations
from ...common.settings.config import is_exposed
from ..connection import BaseConnection
from .client import SignalClient
from .invitations import live_groups
from .link import supervised_stream
from .settings import SignalSettings
from .source import SignalSource

logger = logging.getLogger(__name__)

_LEARN_SECONDS = 8.0
"""Time that opening waits for the daemon's contacts and groups. After that, messages are handled without them."""
_UNRESOLVED_SECONDS = 30.0
"""Pause between attempts to fetch contacts or groups that are still missing."""
_GRACE_SECONDS = 60.0
"""Time allowed for invitations that the daemon queued while nobody was subscribed."""


class Connection(BaseConnection):
    """The connection of one account. `on_dead` is called with the reason when the stream has ended for good.

    `claim` gets the account's number and ACI, as far as known, and raises Fatal if they are another profile's.
    """

    source: SignalSource

    def __init__(
        self,
        settings: SignalSettings,
        state: Path,
        observed: Observations,
        *,
        sent: Container[str],
        host: HostAccess,
        deliver: Deliver,
        report: Report,
        on_dead: Callable[[HardenedError], None],
        handover_seconds: float,
        react: React | None = None,
        awaits: Awaits | None = None,
        take_back: TakeBack | None = None,
        claim: Callable[..., None] | None = None,
    ) -> None:
        super().__init__(
            "signal",
            state,
            observed,
            persist_observed=settings.persist_observed,
            handover_seconds=handover_seconds,
        )
        self._settings = settings
        self._claim, self._on_dead = claim, on_dead
        self._learned = asyncio.Event()
        self.client = SignalClient(settings.http_url, settings.account)
        self.source = SignalSource(
            settings,
            self.client,
            self._store,
            observed,
            sent=sent,
            host=host,
            deliver=deliver,
            report=report,
            react=react,
            awaits=awaits,
            take_back=take_back,
        )
        self.allowlist, self.policy = self.source.allowlist, settings.policy()
        self.stream = supervised_stream(
            self.client,
            self.source.receive,
            on_dead,
            stale_after=settings.sse_stale_seconds,
            streams=settings.sse_streams,
        )

    async def open(self) -> None:
        """Subscribe, and wait up to 8 s for contacts and groups.

        Raises Fatal or ConnectionLost. Call `close` in either case.
        """
        await self._lifespan.run(self._open())

    async def _open(self) -> None:
        if is_exposed(self._settings.http_url):
            logger.warning("SIGNAL_HTTP_URL is plain http beyond this machine: others can read and send messages there")
        await self._open_state()
        await self._lifespan.resources.enter_async_context(self.client)
        await self.source.prepare()
        self._attend()
        # The daemon may need longer for its contacts than for a subscription, so both run at once.
        self._lifespan.start_background(self._learn_account())
        await self._open_stream()
        # Received events wait in their queues meanwhile: without the contacts, a listed person may look like a stranger
        # and a mention of us like one of somebody else.
        with suppress(TimeoutError):
            await asyncio.wait_for(self._learned.wait(), _LEARN_SECONDS)
        self._claim_names()
        self.source.pipeline.workers.start()

    async def approved(self, chat_id: str) -> None:
        """Join a group that the operator approved, if the account is only invited."""
        await self.source.invitations.accept(chat_id)

    async def chats(self) -> list[LiveChat]:
        """Fetch the account's groups from the daemon; raises HardenedError."""
        return await live_groups(self.client, self.source.me)

    async def _learn_account(self) -> None:
        """Fetch contacts and groups until decisions lack nothing. Then end the grace period for queued invitations."""
        await self.source.learn_account()
        self._learned.set()
        while unknown := self.source.unknown():
            logger.warning("%s", unknown)
            await asyncio.sleep(_UNRESOLVED_SECONDS)
            await self.source.learn_account()
            try:
                self._claim_names()
            except Fatal as exc:
                # Older hosts ignore what ends in other profiles than the default one.
                await self.stream.close()
                self._on_dead(exc)
                return
        await asyncio.sleep(_GRACE_SECONDS)
        await self.source.end_grace_period()

    def _claim_names(self) -> None:
        """Claim the account under the names learnt meanwhile. Raises Fatal."""
        if self._claim is not None:
            self._claim(*filter(None, (self.source.me.id, self.source.me.number)))
