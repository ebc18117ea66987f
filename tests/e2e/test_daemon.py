"""What the real daemon (signal-cli 0.13.19, no account) answers: the facts the fake daemon and the client rest on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tests.e2e.signal_cli import SignalCliDaemon, chunks
from tests.fakes.signal_daemon import ACCOUNT


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon() -> AsyncIterator[SignalCliDaemon]:
    async with SignalCliDaemon() as running:
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_it_answers_the_check_within_seconds(daemon: SignalCliDaemon) -> None:
    async with aiohttp.ClientSession() as client, client.get(f"{daemon.url}/api/v1/check") as response:
        assert (response.status, await response.read()) == (200, b"")
    assert daemon.ready_after < 30


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/events?account=%2B15550001111", 400),
        ("POST", "/api/v1/events", 405),
        ("GET", "/api/v1/events/", 404),
        ("GET", "/v1/receive/%2B15550001111", 404),
        ("GET", "/api/v1/rpc", 405),
    ],
)
async def test_refusals_are_statuses(daemon: SignalCliDaemon, method: str, path: str, status: int) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.request(method, URL(daemon.url + path, encoded=True)) as response,
    ):
        assert response.status == status


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("listContacts", {"account": ACCOUNT}, -32602),
        ("listContacts", {}, -32602),
        ("getSelf", {"account": ACCOUNT}, -32601),
        ("subscribeReceive", {}, -32601),
    ],
)
async def test_rpc_errors_come_with_status_200(
    daemon: SignalCliDaemon, method: str, params: dict[str, Any], code: int
) -> None:
    assert (await daemon.rpc(method, params))["error"]["code"] == code


async def test_rpc_without_an_account(daemon: SignalCliDaemon) -> None:
    assert (await daemon.rpc("version"))["result"]["version"] == "0.13.19"
    assert (await daemon.rpc("listAccounts"))["result"] == []


async def test_a_quiet_stream_sends_headers_and_a_comment_after_15_seconds_and_again(daemon: SignalCliDaemon) -> None:
    arrived = [arrival async for arrival in chunks(f"{daemon.url}/api/v1/events", 32)]
    assert [body for _, body in arrived] == [b":\n", b":\n"]
    assert [round(at / 15) for at, _ in arrived] == [1, 2]
