"""The JSON-RPC client against a replaying daemon: every failure has a class of its own."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.signal.client import SignalClient
from hermes_hardened_adapters.adapters.signal.failures import RpcError
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, FileTooLarge, Unanswered
from pytest_aiohttp import AiohttpServer

from tests.fakes.signal_daemon import ACCOUNT, FakeSignalDaemon, RawConnection, RpcFault, raw_daemon

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
async def client(daemon: FakeSignalDaemon) -> AsyncIterator[SignalClient]:
    async with SignalClient(daemon.url, ACCOUNT) as client:
        yield client


async def test_a_call_names_the_account(client: SignalClient, daemon: FakeSignalDaemon) -> None:
    assert (await client.rpc("version"))["version"] == "0.14.6"
    await client.rpc("listGroups", {"groupId": ["x"]})
    assert [call.params for call in daemon.calls] == [{"account": ACCOUNT}, {"account": ACCOUNT, "groupId": ["x"]}]


async def test_an_error_of_the_daemon(client: SignalClient, daemon: FakeSignalDaemon) -> None:
    async def limited(_: dict[str, Any]) -> Any:
        raise RpcFault(-5, f"Failed to send to {ACCOUNT}", {"response": {"results": []}})

    daemon.handlers["send"] = limited
    with pytest.raises(RpcError) as caught:
        await client.rpc("send", {"message": "hi"})
    assert (caught.value.code, caught.value.data) == (-5, {"response": {"results": []}})
    assert ACCOUNT not in str(caught.value)


async def test_no_answer_in_time_is_no_failure(client: SignalClient, daemon: FakeSignalDaemon) -> None:
    async def slow(_: dict[str, Any]) -> Any:
        await asyncio.sleep(5)

    daemon.handlers["send"] = slow
    with pytest.raises(Unanswered, match=r"send timed out"):
        await client.rpc("send", timeout=0.05)


async def test_a_daemon_that_is_gone(client: SignalClient, daemon: FakeSignalDaemon) -> None:
    assert await client.check()
    await daemon.stop()
    assert not await client.check()
    with pytest.raises(ConnectionLost):
        await client.rpc("version")


async def test_a_pinned_host_is_asked_for_as_localhost(client: SignalClient, daemon: FakeSignalDaemon) -> None:
    daemon.pinned_host = "elsewhere"
    assert client.headers() == {}
    assert await client.rpc("version")
    assert client.headers() == {"Host": "localhost"}
    assert not client.pin_host()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, b"", Fatal),
        (421, b"", Fatal),
        (500, b"", ConnectionLost),
        (302, b"", Fatal),
        (200, b"<html>", ConnectionLost),
        (200, b"[]", ConnectionLost),
        (200, b"\xff\xfe", ConnectionLost),
    ],
)
async def test_what_is_not_signal_cli(
    aiohttp_server: AiohttpServer, status: int, body: bytes, error: type[Exception]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/elsewhere"} if status == 302 else None)

    app = web.Application()
    app.router.add_post("/api/v1/rpc", answer)
    server = await aiohttp_server(app)
    async with SignalClient(str(server.make_url("")).rstrip("/"), ACCOUNT) as client:
        with pytest.raises(error):
            await client.rpc("version")
        assert not await client.check()


async def test_after_closing_there_is_no_connection() -> None:
    client = SignalClient("http://127.0.0.1:9", ACCOUNT)
    assert not await client.check()
    with pytest.raises(ConnectionLost):
        await client.rpc("version")


async def test_a_connection_that_breaks_is_not_repeated_unseen() -> None:
    """aiohttp would send a GET once more by itself, and make six requests of three in ten seconds."""

    async def broken(connection: RawConnection) -> None:
        connection.abort()

    async with raw_daemon(broken) as daemon, SignalClient(daemon.url, ACCOUNT) as client:
        with pytest.raises(aiohttp.ClientError):
            await client.session.get(f"{daemon.url}/api/v1/events")
        assert len(daemon.connections) == 1


async def client_of(aiohttp_server: AiohttpServer, answer: Answer) -> SignalClient:
    app = web.Application()
    app.router.add_post("/api/v1/rpc", answer)
    server = await aiohttp_server(app)
    return SignalClient(str(server.make_url("")).rstrip("/"), ACCOUNT)


def _as(result: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "result": result, "id": 7}).encode()


async def test_an_endless_answer_is_hung_up_on(aiohttp_server: AiohttpServer) -> None:
    sent = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"jsonrpc":"2.0","id":1,"result":{"data":"')
        while True:
            await response.write(b"AAAA" * 2**14)
            sent += 2**16

    async with await client_of(aiohttp_server, answer) as client:
        with pytest.raises(FileTooLarge):
            await client.attachment("id1", 2**20)
        assert sent < 64 * 2**20


@pytest.mark.parametrize("content", [b"", b"x", b"ab", b"abc", bytes(range(256)) * 20_000], ids=len)
@pytest.mark.parametrize("shape", [lambda data: {"data": data}, lambda data: data], ids=["object", "text"])
async def test_a_file_comes_as_it_was_sent(
    aiohttp_server: AiohttpServer, content: bytes, shape: Callable[[str], Any]
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=_as(shape(base64.b64encode(content).decode())))

    async with await client_of(aiohttp_server, answer) as client:
        assert await client.attachment("id1", len(content)) == content


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"jsonrpc":"2.0","id":7,"error":{"code":-1,"message":"\\"data\\":\\"x"}}', RpcError),
        (_as({}), ConnectionLost),
        (_as(None), ConnectionLost),
        (_as({"data": 7}), ConnectionLost),
        (_as({"data": "not base64!"}), ConnectionLost),
        (_as({"data": "QUJD"})[:-20], ConnectionLost),
        (b'{"result":{"data":"QUJD', ConnectionLost),
        (b"<html>", ConnectionLost),
    ],
)
async def test_an_answer_without_a_file(aiohttp_server: AiohttpServer, body: bytes, error: type[Exception]) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with await client_of(aiohttp_server, answer) as client:
        with pytest.raises(error):
            await client.attachment("id1", 1000)


async def test_another_answer_that_is_too_large_leaves_us_in_doubt(
    aiohttp_server: AiohttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hermes_hardened_adapters.adapters.signal.client._RESPONSE_BYTES", 100)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=_as("x" * 100))

    async with await client_of(aiohttp_server, answer) as client:
        with pytest.raises(Unanswered):
            await client.rpc("send")


async def test_the_event_loop_goes_on_while_a_large_file_is_decoded(aiohttp_server: AiohttpServer) -> None:
    body = _as({"data": base64.b64encode(bytes(48 * 2**20)).decode()})
    ticks = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal ticks
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(body)
        await response.write_eof()
        ticks = 0
        return response

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    async with await client_of(aiohttp_server, answer) as client:
        ticking = asyncio.create_task(tick())
        async with client.session.post(f"{client.base_url}/api/v1/rpc") as response:
            assert len(base64.b64decode(json.loads(await response.read())["result"]["data"])) == 48 * 2**20
        on_the_loop = ticks
        assert len(await client.attachment("id1", 48 * 2**20)) == 48 * 2**20
        beside_it = ticks
        ticking.cancel()
    assert beside_it > 2 * on_the_loop + 10
