"""The proxy of the fault tests does to connections what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.fakes.signal_daemon import RawConnection, raw_daemon
from tests.fakes.tcp_proxy import Mode, TcpProxy

BODY = b"0123456789" * 10


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """Behind it, who asks gets the body and then silence."""

    async def answer(connection: RawConnection) -> None:
        await connection.send(BODY)
        await connection.hung_up()

    async with raw_daemon(answer) as daemon, TcpProxy(daemon.url, watched=b"/body") as proxy:
        yield proxy


async def asked(proxy: TcpProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.url.rpartition(":")[2]))
    writer.write(b"GET /body HTTP/1.1\r\n\r\n")
    return reader, writer


@pytest.mark.parametrize("mode", [Mode.PASS, Mode.BYTEWISE, Mode.DELAY])
async def test_slow_or_not_everything_passes_and_is_counted(proxy: TcpProxy, mode: Mode) -> None:
    proxy.mode, proxy.delay = mode, 0.02
    reader, writer = await asked(proxy)
    assert await asyncio.wait_for(reader.readexactly(len(BODY)), 5) == BODY
    assert (proxy.open, len(proxy.asking()), proxy.peak, proxy.accepted) == (1, 1, 1, 1)
    writer.close()
    await proxy.until(lambda: proxy.open == 0)


@pytest.mark.parametrize("after", [0, 1, 37])
async def test_a_stream_is_cut_after_so_many_bytes(proxy: TcpProxy, after: int) -> None:
    proxy.cut_after = after
    reader, writer = await asked(proxy)
    assert await asyncio.wait_for(reader.read(), 5) == BODY[:after]
    writer.close()
    await proxy.until(lambda: proxy.open == 0)


async def test_a_reset_and_a_half_close_are_told_apart(proxy: TcpProxy) -> None:
    reader, writer = await asked(proxy)
    await reader.readexactly(len(BODY))
    proxy.links[0].half_close()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert proxy.open == 1, "the client's own direction is open"
    writer.close()
    await proxy.until(lambda: proxy.open == 0)

    reader, writer = await asked(proxy)
    await reader.readexactly(len(BODY))
    proxy.links[0].reset()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await proxy.until(lambda: proxy.open == 0)


async def test_a_black_hole_swallows(proxy: TcpProxy) -> None:
    proxy.mode = Mode.BLACK_HOLE
    reader, writer = await asked(proxy)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.2)
    writer.close()
    await proxy.until(lambda: proxy.open == 0)
