"""The table of numbers and ACIs, and what of it outlives the state file."""

from __future__ import annotations

from hermes_hardened_adapters.adapters.signal.people.directory import Directory, Learnt
from hermes_hardened_adapters.common.state import identities
from hermes_hardened_adapters.common.state.identities import Pair, Source
from hermes_hardened_adapters.common.state.orders import NumberOrder
from hermes_hardened_adapters.common.state.store import Store, change

from tests.state import started_anew

NUMBER = "+15550002222"
OLD, NEW = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


async def test_a_number_that_moved_stays_so_without_the_state_file(store: Store) -> None:
    directory = Directory(remember=lambda pair: identities.record(store, pair, 1.0))
    directory.learn(NUMBER, OLD, Source.CONTACTS)
    assert directory.learn(NUMBER, NEW, Source.ENVELOPE) is Learnt.MOVED
    await started_anew(store, without="state.db")
    (pair,) = await identities.load(store)
    assert (pair.number, pair.aci, pair.moved_to) == (NUMBER, OLD, NEW)
    assert Directory([pair]).learn(NUMBER, NEW, Source.ENVELOPE) is not Learnt.NEW
    # The operator confirms it from outside; what the gateway still believes does not undo that.
    confirmed = ("UPDATE identity SET uid = ?, moved_to = NULL", (NEW,), NumberOrder(NUMBER, NEW, None, 2.0))
    change(store.path, [confirmed])
    identities.record(store, Pair(NUMBER, OLD, Source.ENVELOPE, NEW), 3.0)
    await store.flush()
    for without in ("nothing", "orders", "nothing"):
        await started_anew(store, without=without)
        assert [(p.aci, p.moved_to) for p in await identities.load(store)] == [(NEW, None)]


async def test_a_confirmed_number_stays_so_without_the_state_file(store: Store) -> None:
    change(
        store.path, [("INSERT INTO identity VALUES (?, ?, 2, NULL)", (NUMBER, NEW), NumberOrder(NUMBER, NEW, None, 2))]
    )
    await started_anew(store, without="state.db")
    assert await identities.load(store) == [Pair(NUMBER, NEW, Source.ENVELOPE)]
