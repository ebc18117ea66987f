"""The base of both networks' adapters: what the host is told of an error, and whether it may try again."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.core.errors import Closed, ConnectionLost, Fatal, HardenedError, StateError
from hermes_hardened_adapters.common.host import sessions

from tests.fakes.mattermost_server import OPS, FakeMattermostServer
from tests.hosted import created_mattermost, hosted_mattermost

HEALS, STAYS = Fatal("peer_refused", "do this"), Fatal("peer_refused", "do this", heals=False)


@pytest.mark.parametrize(
    ("error", "worked_before", "told"),
    [
        (HEALS, False, ("peer_refused", "do this", True)),
        (STAYS, False, ("peer_refused", "do this", False)),
        (STAYS, True, ("peer_refused", "do this", True)),
        (ConnectionLost("nobody there"), False, ("mattermost_unreachable", "nobody there", True)),
        (StateError("locked"), False, ("mattermost_failed", "locked", True)),
        (Closed("closed while connecting"), False, (None, None, True)),
    ],
)
async def test_an_error_of_a_connection_is_told_with_its_code_and_remedy(
    server: FakeMattermostServer,
    alice_on_mattermost: None,
    error: HardenedError,
    worked_before: bool,
    told: tuple[str | None, str | None, bool],
) -> None:
    _, adapter = created_mattermost(server)

    async def refuses() -> bool:
        raise error

    adapter._open_connection = refuses
    assert not await adapter.connect(is_reconnect=worked_before)
    assert (adapter.fatal_error_code, adapter.fatal_error_message, adapter.fatal_error_retryable) == told
    assert not adapter.is_connected


async def test_the_adapter_is_given_the_hosts_runner(server: FakeMattermostServer, alice_on_mattermost: None) -> None:
    runner, adapter = created_mattermost(server)
    assert sessions.runner_of(adapter) is runner


async def test_each_profile_keeps_its_state_in_its_home(
    server: FakeMattermostServer, alice_on_mattermost: None, hermes_home: Path
) -> None:
    _, adapter = created_mattermost(server)
    assert adapter.state.is_relative_to(hermes_home)
    assert adapter.connection is None
    await adapter.disconnect()
    await adapter.disconnect()
    assert adapter.connection is None


async def test_the_indicator_neither_holds_up_the_host_nor_follows_the_answer(
    server: FakeMattermostServer, alice_on_mattermost: None
) -> None:
    """The host's loop must not wait in a call: one that ends as the loop is cancelled would keep it going for ever."""
    async with hosted_mattermost(server) as host:
        ended = asyncio.Event()

        async def shows(*_: object) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        host.adapter._show_typing = shows
        for _ in range(2):
            await host.adapter.send_typing(OPS)
        assert len(host.adapter._typing) == 1
        await asyncio.sleep(0)
        await host.adapter.send(OPS, "answer")
        await ended.wait()
        assert not host.adapter._typing
