"""Who is who, read from a state file beside the gateway."""

from __future__ import annotations

from pathlib import Path

from hermes_hardened_adapters.adapters.signal.people.lookup import aliases, own_address
from hermes_hardened_adapters.common.core.events import Me
from hermes_hardened_adapters.common.state import identities
from hermes_hardened_adapters.common.state.identities import Pair, Source
from hermes_hardened_adapters.common.state.store import Store

from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, GROUP, OWN_ACI


async def test_our_own_aci_is_known_once_the_gateway_learned_it(store: Store, tmp_path: Path) -> None:
    assert own_address(ACCOUNT, tmp_path / "none.db") == Me(None, ACCOUNT)
    assert own_address(OWN_ACI, tmp_path / "none.db") == Me(OWN_ACI)
    assert own_address(ACCOUNT, store.path) == Me(None, ACCOUNT)
    identities.record(store, Pair(ACCOUNT, OWN_ACI, Source.CONTACTS), 1.0)
    await store.flush()
    assert own_address(ACCOUNT, store.path) == Me(OWN_ACI, ACCOUNT)


async def test_a_number_stands_for_its_aci_and_a_group_for_itself(store: Store) -> None:
    identities.record(store, Pair(ALICE, ALICE_ACI, Source.ENVELOPE), 1.0)
    await store.flush()
    assert [*aliases(store.path, ALICE)] == [ALICE_ACI]
    assert [*aliases(store.path, ACCOUNT)] == []
    assert [*aliases(store.path, f"group:{GROUP}")] == [*aliases(store.path, GROUP)] == [GROUP]
