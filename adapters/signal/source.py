"""The pipeline's source for Signal: reads signal-cli's events and answers the pipeline's questions about them.

link -> `receive` -> peek or decode -> Pipeline.submit
Pipeline.handle -> `read`, `invitation`, `authorize`, `complete`, `names`
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Awaitable, Container
from dataclasses import replace

from ...common.core.authority import Authority, Rights
from ...common.core.bounded import Bounded
from ...common.core.errors import HardenedError
from ...common.core.events import Address, Dispatch, Inbound, Me, Origin, Unhandled
from ...common.core.people import NOBODY, Authorization, as_aci, as_number
from ...common.core.policy import Policy
from ...common.core.server_clock import ServerClock
from ...common.core.wording import Foreign
from ...common.core.wording import name as as_name
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Awaits, Deliver, React, Report, TakeBack
from ...common.inbound.fair_queue import Place
from ...common.inbound.observation import Observations
from ...common.inbound.pipeline import Message, Pipeline, Source
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.ledger import Ledger
from ...common.state.store import Store
from ...common.state.trace import Trace
from .client import SignalClient
from .decode import LONG_TEXT, OTHER_ACCOUNT, decode
from .invitations import Invitations
from .peek import group_of, peek
from .people.members import is_admin
from .people.senders import Senders
from .settings import SignalSettings

logger = logging.getLogger(__name__)

_CUT_BYTES = 2_000
"""signal-cli up to 0.13 cuts a longer text to this many bytes of UTF-8 and attaches the full text."""

_HELD = 1_000
"""Maximum number of events held until the number of an account configured by its ACI is known."""
_HELD_BYTES = 16 * 2**20

_KEEP_TIMERS = 5_000

_LONGEST_TEXT_BYTES = 2**20
"""A generous limit: Signal's own clients end a text at 64 KiB."""

_OWNER = Foreign("the owner of this account")


class SignalSource(Source[Inbound]):
    """The source of one account. Call `prepare`, then `receive` for each event, and `close` at the end.

    Received events wait in their queues until the pipeline's workers are started.
    """

    def __init__(
        self,
        settings: SignalSettings,
        client: SignalClient,
        store: Store,
        observed: Observations,
        *,
        sent: Container[str],
        host: HostAccess,
        deliver: Deliver,
        report: Report,
        react: React | None = None,
        awaits: Awaits | None = None,
        take_back: TakeBack | None = None,
    ) -> None:
        self._settings = settings
        self._client = client
        self._policy = settings.policy()
        self._clock = ServerClock()
        self._timers: Bounded[str, int | None] = Bounded(_KEEP_TIMERS)
        """The timers of disappearing messages, in seconds, by the host's chat id."""
        self._held: deque[bytes] = deque()
        self.allowlist = RuntimeAllowlist(store, "signal", time.time)
        # Signal's time, not this machine's: the ledger compares ages with the times in the messages.
        ledger = Ledger(store, "signal", lambda: self._clock.now() / 1000)
        self.pipeline = Pipeline(
            self, ledger, Trace(store, "signal", time.time), observed, deliver, report, react, awaits, take_back
        )
        self.senders = Senders(settings, client, store, host, sent=sent, on_learnt=self._release_held)

    @property
    def me(self) -> Me:
        return self.senders.me

    # -- life

    async def prepare(self) -> None:
        """Load the state of earlier runs; raises StateError."""
        await self.senders.prepare()
        self.invitations = Invitations(
            self._client,
            self.allowlist,
            self._settings.group_invite_policy,
            lambda: self.me,
            server_now=self._clock.now,
            is_listed=self._policy.serves,
            quit_unapproved=self._settings.group_quit_unapproved,
        )
        await self.allowlist.load()
        await self.pipeline.ledger.load()

    async def learn_account(self) -> None:
        """Fetch contacts and groups from the daemon. Failures are logged, and the data on disk stays in use."""
        # Contacts first: without our own ACI, a listing does not show that we are invited.
        await self.senders.resolver.start()
        if not self.invitations.is_synced:
            await _or_warn(self.invitations.sync_groups())

    def unknown(self) -> str:
        """Return a log line about missing data that decisions need; empty if nothing is missing."""
        if self.me.id is None:
            return "the account's own ACI is unknown so far; messages that may be meant for others are only observed"
        if self.me.number is None:
            return "the account's number is unknown so far; its events are held until it is known"
        if not self.invitations.is_synced:
            return "the account's groups are unknown so far; no invitation is accepted"
        return ""

    async def apply_orders(self) -> None:
        """Apply the operator's orders from the state file; raises StateError."""
        for group_id in await self.allowlist.refresh():
            await self.invitations.accept(group_id)
        await self.senders.apply_orders()

    async def end_grace_period(self) -> None:
        """Stop treating the groups present at connect as possible invitations. After that, an admin must open them."""
        await _or_warn(self.invitations.mark_preexisting())

    async def close(self) -> None:
        await self.pipeline.workers.close()
        await self.senders.close()

    # -- from the stream into the queues

    def receive(self, data: bytes) -> None:
        """Decode one event and queue it. Never waits and never raises.

        A reader that waits would fill the socket's buffers, and then signal-cli stops receiving for all its clients.
        """
        if self._ignored_early(data):
            return
        inbound = decode(data, self._settings.account, self.me, self.senders.name)
        unhandled = self.pipeline.unhandled
        if isinstance(inbound, Unhandled):
            if inbound.kind == OTHER_ACCOUNT and self.me.number is None:
                self._hold(data)
                return
            unhandled[inbound.kind] += 1
            logger.debug("event skipped: %s", inbound.kind)
            return
        if not self.senders.directory.aliases(inbound.sender):
            # Only a number is known, and it belongs to another ACI since: the sender may be its old or its new owner.
            unhandled["moved number"] += 1
            return
        if inbound.delivered_at is not None:
            self._clock.advance(inbound.delivered_at)
        # An admin's deletion has its effect when it is read: only then is it known that they are one.
        if (deleted := inbound.deleted_key) and not inbound.deleted_author:
            self.pipeline.deleted(self.queue(inbound), deleted)
        has_effect = not inbound.contentless or inbound.deletes or inbound.reaction
        self.pipeline.submit(inbound, inbound.key if has_effect else None)

    def _ignored_early(self, data: bytes) -> bool:
        """Ignore a text in a group that is known, not served and has nothing queued. Return False to decode it."""
        group_id = group_of(data)
        if group_id is None or not self.allowlist.knows(group_id) or self.policy(group_id).serves(group_id):
            return False
        # A queued event may be an invitation, after which this text would be served: order must be kept.
        if self.pipeline.workers.busy(group_id):
            return False
        inbound = peek(data, self._settings.account, self.me)
        if inbound is None or inbound.chat.id != group_id or not self.pipeline.ignored_early(inbound):
            return False
        # Numbers, ACIs and names are learnt even from ignored messages: their author may write to us later.
        self.senders.learn_from(inbound)
        return True

    def _hold(self, data: bytes) -> None:
        """Keep an event until the number of our account is known, if it is configured by its ACI.

        Events name accounts by number, so this one may be another account's.
        """
        self._held.append(data)
        while len(self._held) > _HELD or sum(map(len, self._held)) > _HELD_BYTES:
            self._held.popleft()
            self.pipeline.unhandled["held too long"] += 1

    def _release_held(self) -> None:
        if self.me.number is not None:
            held, self._held = self._held, deque()
            for data in held:
                self.receive(data)

    # -- the pipeline's questions

    def policy(self, chat_id: str) -> Policy:
        return self._policy.with_chats(self.allowlist.approved, barred=self.allowlist.revoked)

    def queue(self, item: Inbound) -> str:
        return item.chat.id or _author(item)

    def place(self, item: Inbound) -> Place:
        is_request = isinstance(self.pipeline.decide_optimistically(item), Dispatch)
        if item.origin is not Origin.PERSON:
            return Place(_author(item), Authority.ALLOWED, is_request)
        authorization = self.senders.authorize(item.sender, item.chat, self.senders.chat_id(item))
        return Place(_author(item), authorization.authority, is_request)

    async def read(self, item: Inbound) -> Message[Inbound]:
        self.senders.learn_from(item)
        chat_type, inbound = "group" if item.chat.is_group else "dm", item
        chat_id = self.senders.chat_id(item)
        # Not every message without content has the chat's timer, and before 0.14 none says whether it sets it.
        if not item.contentless or item.contentless == "expiry timer" or item.expires_in is not None:
            self._timers.put(chat_id, item.expires_in)
        if item.deleted_author and not await self._is_served_admin(item):
            inbound = replace(item, deletes=None)
        return Message(item, inbound, chat_id, chat_type, self._clock.now())

    async def _is_served_admin(self, item: Inbound) -> bool:
        serves = self.policy(item.chat.id).serves(item.chat.id)
        return serves and await is_admin(self._client, item.chat.id, item.sender)

    async def invitation(self, message: Message[Inbound]) -> str | None:
        inbound, actor = message.inbound, NOBODY
        if not inbound.chat.is_group:
            return None
        if inbound.opens_group and not self.allowlist.knows(inbound.chat.id):
            actor = self.authorize(inbound.sender, message)
            if self.wants_look_up(message, actor):
                # Not deferred like other look-ups: meanwhile, another message in the group would mark it as known, and
                # this event would no longer count as an invitation.
                await self.look_up()
                actor = self.authorize(inbound.sender, message)
        return await self.invitations.consider(inbound, actor)

    def authorize(self, person: Address, message: Message[Inbound]) -> Authorization:
        return self.senders.authorize(person, message.inbound.chat, message.chat_id)

    def wants_look_up(self, message: Message[Inbound], authorization: Authorization) -> bool:
        return self.senders.wants_look_up(message.inbound, authorization)

    async def look_up(self) -> None:
        await self.senders.resolver.refresh()

    async def complete(self, message: Message[Inbound], authorization: Authorization) -> Message[Inbound]:
        if any(attachment.content_type == LONG_TEXT for attachment in message.inbound.attachments):
            return message.reading(await self._with_whole_text(message.inbound, authorization.rights))
        return message

    async def names(self, message: Message[Inbound]) -> tuple[Foreign, Foreign]:
        inbound = message.inbound
        author = inbound.sender_name or self.senders.directory.name_of(inbound.sender)
        if not inbound.chat.is_group:
            return author, author
        return self.chat_name(message.chat_id), _OWNER if inbound.origin is Origin.OWN_DEVICE else author

    def timer(self, chat_id: str) -> int | None:
        """Return the seconds after which messages disappear from a chat, None if they stay or if it is not known."""
        return self._timers.get(chat_id)

    def chat_name(self, chat_id: str) -> Foreign:
        """Return the name of a chat by the host's id of it, empty if none is known."""
        if chat_id.startswith("group:"):
            return as_name(self.invitations.names.get(chat_id[6:]))
        return self.senders.directory.name_of(Address(as_aci(chat_id), as_number(chat_id)))

    async def _with_whole_text(self, inbound: Inbound, rights: Rights) -> Inbound:
        """Remove the long-text attachment, after replacing a cut text by the full text in it.

        The text stays cut if the author's authority allows no files.
        """
        long_text = next(a for a in inbound.attachments if a.content_type == LONG_TEXT)
        others = tuple(a for a in inbound.attachments if a.content_type != LONG_TEXT)
        text = inbound.text
        # A text beyond the cut is complete already: signal-cli 0.14 inserts the full text itself.
        if rights.files.files and len(text.encode()) <= _CUT_BYTES:
            try:
                whole = (await self._client.attachment(long_text.id, _LONGEST_TEXT_BYTES)).decode("utf-8", "replace")
                # Anybody can attach a file of this type, so it may only continue the text that was decided on.
                text = whole if whole.startswith(text) else text
            except HardenedError as exc:
                logger.warning("the rest of a long message could not be fetched: %s", type(exc).__name__)
                text += "\n(The rest of this text could not be fetched.)"
        return replace(inbound, text=text, attachments=others)


def _author(inbound: Inbound) -> str:
    return inbound.sender.id or inbound.sender.number or ""


async def _or_warn(look: Awaitable[None]) -> None:
    try:
        await look
    except HardenedError as exc:
        logger.warning("groups could not be listed: %s", exc)
