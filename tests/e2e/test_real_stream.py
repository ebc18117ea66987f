"""Our client and stream against the real daemon: what they say when it refuses, and how they live through silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest
import pytest_asyncio
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.failures import RpcError
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal

from demo_daemon import keepalives, listening, refusal
from tests.e2e.relay import AccountlessRelay
from tests.e2e.signal_cli import SignalCliDaemon, free_port
from tests.fakes.signal_daemon import ACCOUNT

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon() -> AsyncIterator[SignalCliDaemon]:
    async with SignalCliDaemon() as running:
        yield running


async def test_an_unknown_account_is_named_with_its_remedy(daemon: SignalCliDaemon) -> None:
    error = await refusal(daemon.url)
    assert isinstance(error, Fatal)
    assert error.code == "signal_unknown_account"
    assert "SIGNAL_ACCOUNT" in error.remedy


async def test_a_wrong_path_is_taken_for_another_api(daemon: SignalCliDaemon) -> None:
    error = await refusal(f"{daemon.url}/v1")
    assert isinstance(error, Fatal)
    assert (error.code, error.heals) == ("signal_other_api", False)


async def test_nobody_listening_may_pass() -> None:
    assert isinstance(await refusal(f"http://127.0.0.1:{free_port()}"), ConnectionLost)


async def test_the_client_tells_rpc_errors_from_a_wrong_address(daemon: SignalCliDaemon) -> None:
    async with SignalClient(daemon.url, ACCOUNT) as client:
        assert await client.check()
        with pytest.raises(RpcError) as refused:
            await client.rpc("listGroups")
        assert refused.value.code == -32602
    async with SignalClient(f"{daemon.url}/v1", ACCOUNT) as client:
        assert not await client.check()
        with pytest.raises(Fatal) as other:
            await client.rpc("listGroups")
        assert other.value.code == "signal_other_api"


async def test_a_quiet_stream_stands_on_keepalives_alone(daemon: SignalCliDaemon) -> None:
    async with AccountlessRelay(daemon.port) as relay, listening(relay.url, stale_after=16) as stream:
        times = await keepalives(stream, 2)
        assert [round(later - earlier) for earlier, later in pairwise(times)] == [15, 15]
        assert (stream.stats.connects, stream.stats.stale) == (1, 0)


async def test_a_black_hole_is_left_for_a_new_stream(daemon: SignalCliDaemon) -> None:
    async with AccountlessRelay(daemon.port) as relay, listening(relay.url, stale_after=16) as stream:
        relay.silence()
        async with asyncio.timeout(16 + 16 + 5):
            while not stream.stats.reconnects:
                await asyncio.sleep(0.1)
        assert (len(relay.opened), stream.stats.stale) == (2, 1)


async def test_a_restarted_daemon_is_found_again_without_hammering() -> None:
    async with (
        SignalCliDaemon() as daemon,
        AccountlessRelay(daemon.port) as relay,
        listening(relay.url, give_up_after=60.0) as stream,
    ):
        await daemon.stop()
        await daemon.start()
        async with asyncio.timeout(40):
            while not stream.stats.reconnects:
                await asyncio.sleep(0.1)
        busiest = max(sum(start <= at < start + 10 for at in relay.opened) for start in relay.opened)
        assert busiest <= 3
