"""The inbound half, from the text of an event to what the host shall get. Knows no host class.

event -> decode -> ledger -> one queue a chat -> groups -> who -> decide() -> `deliver`
A text in a group that is not served goes no further than a `peek`: decided upon, traced, forgotten.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Container
from dataclasses import dataclass, replace
from functools import partial

from ...common.core.authority import Authority, Rights
from ...common.core.errors import HardenedError
from ...common.core.events import (
    Address,
    Decision,
    Dispatch,
    Ignore,
    Inbound,
    Me,
    Observe,
    Origin,
    Unhandled,
    message_key,
)
from ...common.core.people import Authorization, as_aci, as_number
from ...common.core.policy import Policy, decide
from ...common.core.restraint import Past, Rules, Versions, arrived_at, horizon, restrain
from ...common.core.server_clock import ServerClock
from ...common.core.wording import Foreign
from ...common.core.wording import name as as_name
from ...common.inbound.authorization import HostAccess
from ...common.inbound.delivery import Commit, Delivery, apply_edit
from ...common.inbound.fair_queue import Place
from ...common.inbound.observation import Observations
from ...common.inbound.workers import ChatWorkers
from ...common.state.allowlist import RuntimeAllowlist
from ...common.state.ledger import Ledger
from ...common.state.store import Store
from ...common.state.trace import Trace
from .client import SignalClient
from .decode import LONG_TEXT, OTHER_ACCOUNT, decode, group_of, peek
from .invitations import Invitations
from .people.senders import Senders
from .settings import SignalSettings

logger = logging.getLogger(__name__)

_CUT_BYTES = 2_000
"""Up to 0.13 a longer text comes cut to this many bytes of UTF-8, the whole of it as an attachment."""

_HELD = 1_000
"""Events that wait for the number of an account which is named by its ACI."""
_HELD_BYTES = 16 * 2**20

_LONGEST_TEXT_BYTES = 2**20
"""Signal's own clients end a text at 64 KiB."""

_OWNER = Foreign("the owner of this account")


@dataclass(frozen=True, slots=True)
class _LookedUp:
    """A message whose sender was looked up, as far as there was time for it."""

    inbound: Inbound


class Intake:
    """Everything between the event stream and the host: `prepare`, `receive` events, `start`, at last `close`."""

    def __init__(
        self,
        settings: SignalSettings,
        client: SignalClient,
        store: Store,
        observed: Observations,
        *,
        sent: Container[str],
        host: HostAccess,
        deliver: Callable[[Delivery, Commit], Awaitable[None]],
    ) -> None:
        self._settings = settings
        self._client = client
        self._observed = observed
        self._deliver = deliver
        self._policy = settings.policy()
        self._rules = Rules(self._policy.observe, dispatches_again=True)
        self._clock = ServerClock()
        self._versions = Versions()
        self.workers: ChatWorkers[Inbound | _LookedUp] = ChatWorkers(self._process, self._place)
        self.ledger = Ledger(store, "signal", lambda: self._clock.now() / 1000)
        self.trace = Trace(store, "signal", time.time)
        self.allowlist = RuntimeAllowlist(store, "signal", time.time)
        self.unhandled: Counter[str] = Counter()
        self._held: deque[bytes] = deque()
        self.senders = Senders(settings, client, store, host, sent=sent, on_learnt=self._release_held)

    @property
    def me(self) -> Me:
        """Who we are, as far as that is known."""
        return self.senders.me

    async def prepare(self) -> None:
        """Load what earlier runs left."""
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
        await self.ledger.load()

    async def learn_account(self) -> None:
        """Learn from the daemon who is who and which groups there are. A failure leaves what is on disk."""
        await self.senders.resolver.start()
        if not self.invitations.is_synced:
            await _or_warn(self.invitations.sync_groups())

    def unknown(self) -> str:
        """What is not known yet although it decides, for the log; empty when all is."""
        if self.me.id is None:
            return "the account's own ACI is not known yet; what may be meant for others is only observed"
        if self.me.number is None:
            return "the account's number is not known yet; what is said to it is held"
        if not self.invitations.is_synced:
            return "the account's groups are not known yet; no invitation is accepted"
        return ""

    async def apply_orders(self) -> None:
        """Somebody else wrote to the state file: take over what the operator ordered."""
        for group_id in await self.allowlist.refresh():
            await self.invitations.accept(group_id)
        await self.senders.apply_orders()

    async def end_grace_period(self) -> None:
        """End of the grace: groups nobody invited us to by now are served only when an admin says so."""
        await _or_warn(self.invitations.mark_preexisting())

    def start(self) -> None:
        """Begin to work on what was received."""
        self.workers.start()

    async def close(self) -> None:
        await self.workers.close()
        await self.senders.close()

    def _release_held(self) -> None:
        """Receive what was held, once our number is known."""
        if self.me.number is not None:
            held, self._held = self._held, deque()
            for data in held:
                self.receive(data)

    def _hold(self, data: bytes) -> None:
        """Keep an event that may be of our account, which is configured as an ACI, until its number is known."""
        self._held.append(data)
        while len(self._held) > _HELD or sum(map(len, self._held)) > _HELD_BYTES:
            self._held.popleft()
            self.unhandled["held too long"] += 1

    def receive(self, data: bytes) -> None:
        """Take one event off the stream. Never waits and never raises."""
        if (group_id := group_of(data)) and self._ignores(group_id) and self._ignored_early(data, group_id):
            return
        inbound = decode(data, self._settings.account, self.me, self.senders.name)
        if isinstance(inbound, Unhandled):
            if inbound.kind == OTHER_ACCOUNT and self.me.number is None:
                self._hold(data)
                return
            self.unhandled[inbound.kind] += 1
            logger.debug("event skipped: %s", inbound.kind)
            return
        if not self.senders.directory.aliases(inbound.sender):
            self.unhandled["moved number"] += 1
            return
        if inbound.delivered_at is not None:
            self._clock.advance(inbound.delivered_at)
        if inbound.contentless is None and not self.ledger.claim(inbound.key):
            self.unhandled["duplicate"] += 1
            return
        self.workers.submit(_queue(inbound), inbound)

    def _ignores(self, group_id: str) -> bool:
        """Whether what is said in a group is not for us: it is known, not served, and nothing of it is under way."""
        return (
            self.allowlist.knows(group_id) and not self._served().serves(group_id) and not self.workers.busy(group_id)
        )

    def _ignored_early(self, data: bytes, group_id: str) -> bool:
        """Whether the event is a text in that group, which is ignored; most of what a busy account hears."""
        inbound = peek(data, self._settings.account, self.me)
        if inbound is None or inbound.chat.id != group_id:
            return False
        decision = self._decide(inbound, Authority.ADMIN)
        if not isinstance(decision, Ignore):
            return False
        if self.ledger.claim(inbound.key):
            self.ledger.ignore(inbound.key)
            self.senders.meet(inbound)
            self.trace.decided(inbound, decision)
        else:
            self.unhandled["duplicate"] += 1
        return True

    def _place(self, item: Inbound | _LookedUp) -> Place:
        """A request is what would be one of somebody who is allowed."""
        inbound = item.inbound if isinstance(item, _LookedUp) else item
        is_request = isinstance(self._decide(inbound, Authority.ADMIN), Dispatch)
        return Place(_author(inbound), self._authority(inbound), is_request)

    def _authority(self, inbound: Inbound) -> Authority:
        if inbound.origin is not Origin.PERSON:
            return Authority.ALLOWED
        return self.senders.authorize(inbound.sender, inbound.chat, self.senders.chat_id(inbound)).authority

    async def _process(self, item: Inbound | _LookedUp) -> None:
        inbound = item.inbound if isinstance(item, _LookedUp) else item
        self.senders.meet(inbound)
        chat_id = self.senders.chat_id(inbound)
        if inbound.chat.is_group and (verdict := await self._consider_event(inbound, chat_id)):
            self.trace.noted(inbound, "invitation", verdict)
        if inbound.deletes:
            self._observed.delete(chat_id, message_key(inbound.sender, inbound.deletes))

        me, decision = self.me, self._decide(inbound, Authority.ADMIN)
        if isinstance(decision, Ignore):
            self._versions.see(inbound, decision)
            self.trace.decided(inbound, decision)
            self.ledger.ignore(inbound.key)
            return
        authorization = self.senders.authorize(inbound.sender, inbound.chat, chat_id)
        if item is inbound and self.senders.wants_look_up(inbound, authorization):
            self.workers.defer(_queue(inbound), _LookedUp(inbound), self.senders.resolver.again())
            return
        is_cut = any(attachment.content_type == LONG_TEXT for attachment in inbound.attachments)
        if is_cut:
            inbound = await self._with_whole_text(inbound, authorization.rights)
        if is_cut or not authorization.rights.turn or self.me != me:
            decision = self._decide(inbound, authorization.authority)
        decision = self._restrained(decision, inbound)
        self.trace.decided(inbound, decision)
        if isinstance(decision, Ignore):
            self.ledger.ignore(inbound.key)
            return
        if (accepted := apply_edit(self._observed, inbound, decision, chat_id)) is None:
            return
        commit = self.ledger.commit if isinstance(accepted, Dispatch) else self.ledger.note
        await self._deliver(
            self._accepted(inbound, accepted, authorization, chat_id),
            partial(commit, inbound.key, sent_at=arrived_at(inbound)),
        )

    def _restrained(self, decision: Decision, inbound: Inbound) -> Decision:
        """The decision with what the past and the clock make of it, from now on part of the past itself."""
        now, earlier = self._clock.now(), self._versions.before(inbound)
        past = Past(
            now,
            horizon(now, self.ledger.horizon),
            earlier=earlier,
            dispatched=earlier is not None and earlier.dispatched,
        )
        decision = restrain(decision, inbound, past, self._rules)
        self._versions.see(inbound, decision)
        return decision

    def _accepted(
        self, inbound: Inbound, decision: Dispatch | Observe, authorization: Authorization, chat_id: str
    ) -> Delivery:
        author = inbound.sender_name or self.senders.directory.name_of(inbound.sender)
        if inbound.origin is Origin.OWN_DEVICE and inbound.chat.is_group:
            author = _OWNER
        quote = inbound.quote
        ours = quote is not None and self.me.recognises(quote.author) is True
        return Delivery(
            inbound,
            decision,
            authorization,
            chat_id,
            self.chat_name(chat_id) if inbound.chat.is_group else author,
            author,
            quote_is_ours=ours,
            quote_is_trusted=ours
            or (quote is not None and self.senders.authorize(quote.author, inbound.chat, chat_id).rights.turn),
        )

    def chat_name(self, chat_id: str) -> Foreign:
        """The name of a chat by the host's id of it, empty where none is known."""
        if chat_id.startswith("group:"):
            return as_name(self.invitations.names.get(chat_id[6:]))
        return self.senders.directory.name_of(Address(as_aci(chat_id), as_number(chat_id)))

    def _decide(self, inbound: Inbound, authority: Authority) -> Decision:
        return decide(inbound, self.me, self._served(), authority=authority)

    def _served(self) -> Policy:
        return self._policy.with_chats(self.allowlist.approved, barred=self.allowlist.revoked)

    async def _consider_event(self, inbound: Inbound, chat_id: str) -> str | None:
        """Let a group event be judged; the verdict when there is one. In a known group it does not matter who acted."""
        actor = _NOBODY
        if inbound.opens_group and not self.allowlist.knows(inbound.chat.id):
            actor = self.senders.authorize(inbound.sender, inbound.chat, chat_id)
            if self.senders.wants_look_up(inbound, actor):
                # What others say here makes the group known, and its opening nobody's act: they wait.
                await self.senders.resolver.again()
                actor = self.senders.authorize(inbound.sender, inbound.chat, chat_id)
        return await self.invitations.consider(inbound, actor)

    async def _with_whole_text(self, inbound: Inbound, rights: Rights) -> Inbound:
        """Without the long-text attachment, and with its text where the message holds only the beginning of it.

        What is not fetched for its author stays cut.
        """
        long_text = next(a for a in inbound.attachments if a.content_type == LONG_TEXT)
        others = tuple(a for a in inbound.attachments if a.content_type != LONG_TEXT)
        text = inbound.text
        if rights.files.files and len(text.encode()) <= _CUT_BYTES:
            try:
                whole = (await self._client.attachment(long_text.id, _LONGEST_TEXT_BYTES)).decode("utf-8", "replace")
                text = whole if whole.startswith(text) else text
            except HardenedError as exc:
                logger.warning("the rest of a long text could not be fetched: %s", type(exc).__name__)
                text += "\n(The rest of this text could not be fetched.)"
        return replace(inbound, text=text, attachments=others)


def _queue(inbound: Inbound) -> str:
    """The queue of the chat a message is in."""
    return inbound.chat.id or _author(inbound)


def _author(inbound: Inbound) -> str:
    return inbound.sender.id or inbound.sender.number or ""


_NOBODY = Authorization("", None, allowed=False, listed=False)


async def _or_warn(look: Awaitable[None]) -> None:
    try:
        await look
    except HardenedError as exc:
        logger.warning("groups could not be listed: %s", exc)
