"""The senders of an account's messages: their numbers, ACIs, names and direct chats, and the host's authorization."""

from __future__ import annotations

import time
from collections.abc import Callable, Container, Sequence
from functools import partial

from ....common.core.events import Address, Chat, Inbound, Me
from ....common.core.people import Authorization, as_aci, as_number
from ....common.core.wording import Foreign
from ....common.inbound.authorization import AuthorizationCache, HostAccess
from ....common.state import direct_chats, identities
from ....common.state.identities import Pair, Source
from ....common.state.store import Store
from ..client import SignalClient
from ..settings import SignalSettings
from .direct_chats import DirectChats
from .directory import Directory, Learnt
from .resolve import Resolver, report_move

_OUR_NAME = Foreign("Hermes")
"""The text of a mention of us where the account's profile has no name."""


class Senders:
    """Identifies and authorizes senders. Call `prepare` first and `close` at the end.

    `me` is our own identity, as far as known. `on_learnt` is called whenever the directory changes.
    """

    def __init__(
        self,
        settings: SignalSettings,
        client: SignalClient,
        store: Store,
        host: HostAccess,
        *,
        sent: Container[str],
        on_learnt: Callable[[], None],
    ) -> None:
        self._client = client
        self._store = store
        self._host = host
        self._sent = sent
        self._on_learnt = on_learnt
        self._account = Address(as_aci(settings.account), as_number(settings.account))
        self._people = {chat_type: settings.people(chat_type) for chat_type in ("dm", "group")}
        self._members_talk = settings.group_members == "open"
        self._authorizations = AuthorizationCache(self._look_up)
        self._direct_chats = DirectChats()
        # Until `prepare`, an empty one, so that `name` and `me` work at any time.
        self.directory = Directory()
        self.me = Me(self._account.id, self._account.number, sent)

    async def prepare(self) -> None:
        """Load the directory and the direct chats of earlier runs; raises StateError."""
        self.directory = Directory(
            await identities.load(self._store),
            remember=self._remember,
            forget=partial(identities.delete, self._store),
            is_named=self._is_named,
        )
        self._pairs_changed()
        self._direct_chats = DirectChats(
            await direct_chats.load(self._store),
            owner=self.directory.aci_of,
            remember=partial(direct_chats.record, self._store),
            forget=partial(direct_chats.delete, self._store),
            is_named=self.directory.is_named,
        )
        self.resolver = Resolver(
            self._client, self.directory, self._people["dm"], time.monotonic, self._store.pseudonym
        )

    async def close(self) -> None:
        await self.resolver.close()

    async def apply_orders(self) -> None:
        """Apply the operator's confirmations of moved numbers; raises StateError."""
        for number, aci in self.directory.moved():
            if await identities.is_confirmed(self._store, number, aci):
                self.directory.confirm(number, aci)
                self._pairs_changed()

    def learn_from(self, inbound: Inbound) -> None:
        """Learn number, ACI and name of an envelope's sender."""
        if self.directory.learn(inbound.sender.number, inbound.sender.id, Source.ENVELOPE) is Learnt.MOVED:
            report_move(inbound.sender, self._store.pseudonym)
        if inbound.sender_name:
            self.directory.name(inbound.sender, inbound.sender_name)

    def name(self, address: Address) -> Foreign:
        """Return the display name, empty if none is known."""
        return self.directory.name_of(address) or (_OUR_NAME if self.me.recognises(address) else Foreign())

    def authorize(self, person: Address, chat: Chat, chat_id: str) -> Authorization:
        """Return a person's authorization in a chat. `chat_id` is the host's id of the chat."""
        return self._authorizations.of(person, "group" if chat.is_group else "dm", chat_id)

    def wants_look_up(self, inbound: Inbound, authorization: Authorization) -> bool:
        """Return True if a look-up may authorize the sender.

        That is, they are neither allowed nor listed under the known aliases, and their number or ACI is missing.
        """
        if authorization.allowed or authorization.listed:
            return False
        whole = self.directory.complete(inbound.sender)
        return not (whole.id and whole.number) and self.resolver.is_due()

    def chat_id(self, inbound: Inbound) -> str:
        """Return the host's id of a message's chat."""
        if inbound.chat.is_group:
            return f"group:{inbound.chat.id}"
        aliases = self.directory.aliases(inbound.sender) or (inbound.sender.number or "",)
        # A receipt or typing sign must not fix the id of a chat: the first message may come with the other alias.
        chats = self._direct_chats
        return chats.id_for(aliases) if inbound.contentless is None else chats.known_id(aliases)

    def direct_chat_id(self, user_id: str) -> str:
        """Return the host's id of the direct chat with somebody whom the operator listed."""
        aliases = self.directory.aliases(Address(as_aci(user_id), as_number(user_id)))
        return self._direct_chats.known_id(aliases or (user_id,))

    def _look_up(self, person: Address, chat_type: str, chat_id: str) -> Authorization:
        return self.directory.authorize(
            person,
            self._people[chat_type],
            lambda alias: self._host.accepts(alias, chat_type, chat_id),
            self._host.paired,
            is_open=chat_type == "group" and self._members_talk,
        )

    def _is_named(self, aliases: Sequence[str]) -> bool:
        listed = any(lists.spellings(aliases) for lists in self._people.values())
        ours = {self._account.id, self._account.number, self.me.id, self.me.number}
        return listed or not ours.isdisjoint(aliases) or any(map(self._host.paired, aliases))

    def _remember(self, pair: Pair) -> None:
        identities.record(self._store, pair, time.time())
        self._pairs_changed()

    def _pairs_changed(self) -> None:
        """Update the data derived from the directory: our own identity, cached authorizations and held events."""
        number = self._account.number
        whole = self.directory.complete(Address(self._account.id or self.directory.aci_of(number), number))
        self.me = Me(whole.id, whole.number, self._sent)
        # Authorizations were computed from the aliases known then.
        self._authorizations.forget()
        self._on_learnt()
