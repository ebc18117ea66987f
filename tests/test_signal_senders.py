"""The people of an account: who we are, what envelopes teach, and what of it outlives a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.people.senders import Senders
from hermes_hardened_adapters.adapters.signal.settings import SignalSettings
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.inbound.authorization import HostAccess
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, BOB, BOB_ACI, GROUP, OWN_ACI

SAID = Inbound("k", "1", 1, Chat(), Address(ALICE_ACI, ALICE), Foreign("Alice"), text="hi")


@asynccontextmanager
async def senders(
    store: Store, account: str = ACCOUNT, accepts: Callable[..., bool] = lambda user, *_: user == ALICE, **extra: Any
) -> AsyncIterator[Senders]:
    raw = {"http_url": "http://127.0.0.1:9", "account": account, "allowed_users": [ALICE], **extra}
    async with SignalClient("http://127.0.0.1:9", account) as client:
        people = Senders(
            SignalSettings.load(raw, {}), client, store, HostAccess(accepts), sent=(), on_learnt=lambda: None
        )
        await people.prepare()
        yield people
        await people.close()


async def test_our_own_envelope_teaches_us_who_we_are_for_good(store: Store) -> None:
    async with senders(store) as people:
        assert (people.me.id, people.me.number) == (None, ACCOUNT)
        people.learn_from(replace(SAID, sender=Address(OWN_ACI, ACCOUNT)))
        assert people.me.id == OWN_ACI
    await store.flush()
    async with senders(store) as people:
        assert people.me.id == OWN_ACI
        assert people.name(Address(OWN_ACI)) == "Hermes"


async def test_a_listed_number_authorizes_its_aci_once_it_is_known(store: Store) -> None:
    async with senders(store) as people:
        aci = Address(ALICE_ACI)
        assert not people.authorize(aci, Chat(), ALICE_ACI).allowed
        people.learn_from(SAID)
        assert people.authorize(aci, Chat(), ALICE_ACI).allowed
        assert people.name(aci) == "Alice"


async def test_a_look_up_may_help_only_whom_nobody_knows_yet(store: Store) -> None:
    async with senders(store) as people:
        known = replace(SAID, sender=Address(BOB_ACI, BOB))
        hidden = replace(SAID, sender=Address(BOB_ACI))
        stranger = people.authorize(hidden.sender, Chat(), BOB_ACI)
        assert people.wants_look_up(hidden, stranger)
        assert not people.wants_look_up(known, stranger)
        people.learn_from(known)
        assert not people.wants_look_up(hidden, stranger)
        assert not people.wants_look_up(SAID, people.authorize(SAID.sender, Chat(), ALICE))


async def test_a_direct_chat_keeps_its_id_over_a_restart(store: Store) -> None:
    hidden = replace(SAID, sender=Address(ALICE_ACI))
    async with senders(store) as people:
        assert people.chat_id(hidden) == ALICE_ACI
    await store.flush()
    async with senders(store) as people:
        people.learn_from(SAID)
        assert people.chat_id(SAID) == ALICE_ACI
        assert people.chat_id(replace(SAID, chat=Chat(GROUP))) == f"group:{GROUP}"


async def test_what_holds_nothing_to_read_begins_no_chat(store: Store) -> None:
    async with senders(store) as people:
        typing = replace(SAID, sender=Address(ALICE_ACI), contentless="typing")
        assert people.chat_id(typing) == ALICE_ACI
        people.learn_from(SAID)
        assert people.chat_id(SAID) == ALICE
