"""The ids of direct chats: the first one a person had, and the present owner of a number."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.adapters.signal.people.direct_chats import DirectChats
from hermes_hardened_adapters.adapters.signal.people.directory import Directory
from hermes_hardened_adapters.common.core.events import Address
from hermes_hardened_adapters.common.state.identities import Source

from tests.fakes.signal_daemon import ALICE, ALICE_ACI, BOB_ACI, CAROL, CAROL_ACI


def test_a_direct_chat_keeps_the_id_it_had_first() -> None:
    kept: list[tuple[str, str]] = []
    chats = DirectChats(remember=lambda alias, chat: kept.append((alias, chat)))
    assert chats.id_for((CAROL_ACI,)) == CAROL_ACI
    assert chats.id_for((CAROL, CAROL_ACI)) == CAROL_ACI
    assert DirectChats(kept).id_for((CAROL,)) == CAROL_ACI


@pytest.mark.parametrize("hidden_first", [False, True])
def test_a_direct_chat_follows_the_present_owner_of_a_number(hidden_first: bool) -> None:
    directory = Directory()
    chats = DirectChats(owner=directory.aci_of)

    def chat_of(address: Address) -> str:
        return chats.id_for(directory.aliases(address))

    if hidden_first:
        assert chat_of(Address(ALICE_ACI)) == ALICE_ACI
    directory.learn(ALICE, ALICE_ACI, Source.ENVELOPE)
    assert chat_of(Address(ALICE_ACI, ALICE)) == (ALICE_ACI if hidden_first else ALICE)
    directory.learn(ALICE, BOB_ACI, Source.ENVELOPE)
    assert chat_of(Address(BOB_ACI, ALICE)) == BOB_ACI
    assert chat_of(Address(ALICE_ACI, ALICE)) == (ALICE_ACI if hidden_first else ALICE)
    directory.confirm(ALICE, BOB_ACI)
    new, old = chat_of(Address(BOB_ACI, ALICE)), chat_of(Address(ALICE_ACI))
    assert directory.aci_of(new) or new == BOB_ACI
    assert directory.aci_of(new) in {None, BOB_ACI}
    assert old == ALICE_ACI
    assert (chat_of(Address(BOB_ACI)), chat_of(Address(ALICE_ACI))) == (new, old)
