"""UUID pre-resolution: numbers are asked for rarely, and only the contact store says whose they are."""

from __future__ import annotations

import asyncio
from typing import Any

from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.people.directory import Directory
from hermes_hardened_adapters.adapters.signal.people.resolve import AGAIN_SECONDS, ASK_NETWORK_SECONDS, Resolver
from hermes_hardened_adapters.common.core.events import Address
from hermes_hardened_adapters.common.core.people import Lists

from tests.fakes.clock import Time
from tests.fakes.signal_daemon import ALICE, ALICE_ACI, BOB, BOB_ACI, FakeSignalDaemon, RpcFault, contact


async def test_the_contact_store_names_people_and_their_acis(daemon: FakeSignalDaemon, clock: Time) -> None:
    directory = Directory()
    async with SignalClient(daemon.url, daemon.account) as client:
        await Resolver(client, directory, Lists(allowed=(ALICE,)), clock).start()
    assert directory.aci_of(ALICE) == ALICE_ACI
    assert directory.name_of(Address(ALICE_ACI)) == "Alice"
    assert daemon.called("getUserStatus") == []


async def test_a_listed_number_is_asked_for_and_then_read_from_the_contact_store(
    daemon: FakeSignalDaemon, clock: Time
) -> None:
    async def status(params: dict[str, Any]) -> list[dict[str, Any]]:
        daemon.contacts.append(contact(BOB, BOB_ACI))
        return [{"recipient": number, "number": number, "uuid": f"PNI:{BOB_ACI}"} for number in params["recipient"]]

    daemon.handlers["getUserStatus"] = status
    directory = Directory()
    async with SignalClient(daemon.url, daemon.account) as client:
        await Resolver(client, directory, Lists(allowed=(BOB,)), clock).start()
    assert [params["recipient"] for params in daemon.called("getUserStatus")] == [[BOB]]
    assert directory.aci_of(BOB) == BOB_ACI


async def test_strangers_cannot_use_up_contact_discovery(daemon: FakeSignalDaemon, clock: Time) -> None:
    async with SignalClient(daemon.url, daemon.account) as client:
        resolver = Resolver(client, Directory(), Lists(allowed=(BOB,)), clock)
        for _ in range(3):
            await resolver.refresh()
        assert not resolver.is_due()
        assert len(daemon.called("listContacts")) == 1
        await clock.sleep(AGAIN_SECONDS)
        assert resolver.is_due()
        await resolver.refresh()
        assert len(daemon.called("listContacts")) == 2
        assert len(daemon.called("getUserStatus")) == 1
        await clock.sleep(ASK_NETWORK_SECONDS)
        await resolver.refresh()
        assert len(daemon.called("getUserStatus")) == 2


async def test_a_run_under_way_is_shared_and_waited_for_so_long_only(daemon: FakeSignalDaemon, clock: Time) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: dict[str, Any]) -> list[dict[str, Any]]:
        begun.set()
        await go_on.wait()
        return daemon.contacts

    daemon.handlers["listContacts"] = slow
    async with SignalClient(daemon.url, daemon.account) as client:
        resolver = Resolver(client, Directory(), Lists(), clock)
        running = resolver.start()
        await begun.wait()
        assert resolver.start() is running
        await resolver.refresh(timeout=0.01)
        assert not running.done()
        go_on.set()
        await running
        await resolver.close()


async def test_a_daemon_that_fails_costs_no_more_than_the_look_up(daemon: FakeSignalDaemon, clock: Time) -> None:
    async def fails(_: dict[str, Any]) -> Any:
        raise RpcFault(-1, "no")

    daemon.handlers["listContacts"] = fails
    directory = Directory()
    async with SignalClient(daemon.url, daemon.account) as client:
        await Resolver(client, directory, Lists(allowed=(ALICE,)), clock).start()
    assert directory.aci_of(ALICE) is None
