"""The SSE reader: the standard's cases as tables, then the library's known defects, each by its number."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta

import aiohttp
import pytest
from aiohttp_sse_client.client import EventSource
from hermes_hardened_adapters.adapters.signal.sse import EventParser, EventStream, NotAnEventStream, ServerEvent
from hermes_hardened_adapters.common.core.errors import ConnectionLost
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.signal_daemon import RawConnection, Script, raw_daemon, recorded

# -- the parser alone


def parse(*chunks: bytes) -> list[ServerEvent]:
    parser = EventParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def datas(*chunks: bytes) -> list[str]:
    return [event.data for event in parse(*chunks)]


BOM = b"\xef\xbb\xbf"

# After web-platform-tests eventsource/format-*, launchdarkly/sse-contract-tests and httpx-sse's decoder tests.
CASES = {
    "simple": (b"data: dog\n\n", ["dog"]),
    "no space": (b"data:dog\n\n", ["dog"]),
    "several events": (b"data:a\n\ndata:b\n\ndata:c\n\n", ["a", "b", "c"]),
    "cr": (b"data:a\rdata:b\r\rdata:c\r\r", ["a\nb", "c"]),
    "crlf": (b"data:a\r\ndata:b\r\n\r\ndata:c\r\n\r\n", ["a\nb", "c"]),
    "mixed line ends": (b"data:test\r\ndata\ndata:test\r\n\r", ["test\n\ntest"]),
    "cr then lf is one line end": (b"data:a\r\n\r\ndata:b\n\r\n", ["a", "b"]),
    "lf then cr is two": (b"data:a\n\rdata:b\n\n", ["a", "b"]),
    "bom": (BOM + b"data:1\n\n", ["1"]),
    "bom twice": (BOM + BOM + b"data:1\n\ndata:2\n\ndata:3\n\n", ["2", "3"]),
    "bom later": (BOM + b"data:1\n\n" + BOM + b"data:2\n\ndata:3\n\n", ["1", "3"]),
    "bom within data": (b"data:" + BOM + b"x\n\n", ["\ufeffx"]),
    "comments": (b"data:1\r:\0\n:\r\ndata:2\n:xxxxx\rdata:3\n:data:fail\r:xxxxx\ndata:4\n\n", ["1\n2\n3\n4"]),
    "keepalives": (b":\n:\ndata:1\n:\n\n:\n", ["1"]),
    "one space stripped": (b"data:\ttest\rdata: \ndata:test\n\n", ["\ttest\n\ntest"]),
    "leading spaces": (b"data:    test\n\n", ["   test"]),
    "trailing spaces": (b"data:test  \n\n", ["test  "]),
    "data without colon": (b"data\n\ndata\ndata\n\ndata:test\n\n", ["", "\n", "test"]),
    "trailing empty data lines": (b"data:a\ndata:\ndata:\n\n", ["a\n\n"]),
    "only empty data": (b"data:\n\n", [""]),
    "no data": (b"event:receive\nid:1\n\ndata:x\n\n", ["x"]),
    "blank lines": (b"\n\n\r\r\r\n\r\ndata:x\n\n\n\n", ["x"]),
    "unknown fields": (b"data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacomment\n\n", ["test\n"]),
    "field names are exact": (b"data:test\n data:no\nDATA:no\ndatas:no\ndat:no\n\n", ["test"]),
    "colon in the value": (b"data:a:b: c\n\n", ["a:b: c"]),
    "nul": (b"data:\0\n\n", ["\0"]),
    "unfinished line": (b"data:a\n\ndata:b", ["a"]),
    "unfinished event": (b"data:a\n\ndata:b\n", ["a"]),
    "odd separators": (
        "data:a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee\n\n".encode(),
        ["a\u2028b\u2029c\u0085d\v\f\x1c\x1d\x1ee"],
    ),
    "utf-8": ("data:ok…👋\n\n".encode(), ["ok…👋"]),
    "bad utf-8": (b"data:a\xffb\xf0\x9f\n\ndata:\xc3\n\n", ["a\ufffdb\ufffd", "\ufffd"]),
    "bad utf-8 in a name": (b"da\xffta:x\n\ndata:y\n\n", ["y"]),
    "empty": (b"", []),
    "less than a bom": (b"\xef\xbb", []),
}


@pytest.mark.parametrize("name", CASES)
def test_standard(name: str) -> None:
    body, expected = CASES[name]
    assert datas(body) == expected
    assert datas(*(body[i : i + 1] for i in range(len(body)))) == expected
    for cut in range(len(body)):
        assert datas(body[:cut], b"", body[cut:]) == expected, cut


@pytest.mark.parametrize(
    ("body", "types"),
    [
        (b"event:receive\ndata:x\n\ndata:y\n\n", ["receive", "message"]),
        (b"event: a\nevent: b\ndata:x\n\n", ["b"]),
        (b"event:a\nevent\ndata:x\n\n", ["message"]),
        (b"event:a\n\ndata:x\n\n", ["message"]),
        (b"event:  a\ndata:x\n\n", [" a"]),
    ],
)
def test_types(body: bytes, types: list[str]) -> None:
    assert [event.type for event in parse(body)] == types


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        (b"id:1\ndata:a\n\ndata:b\n\n", ["1", "1"]),
        (b"id:1\ndata:a\n\nid\ndata:b\n\n", ["1", ""]),
        (b"id:1\ndata:a\n\nid:2\0\ndata:b\n\n", ["1", "1"]),
        (b"id:1\n\ndata:a\n\n", ["1"]),
        ("id:…\ndata:a\n\n".encode(), ["…"]),
    ],
)
def test_ids(body: bytes, ids: list[str]) -> None:
    assert [event.last_event_id for event in parse(body)] == ids


def test_an_id_counts_even_without_data() -> None:
    parser = EventParser()
    parser.feed(b"id:7\n")
    assert parser.last_event_id == ""
    parser.feed(b"\n")
    assert parser.last_event_id == "7"


@pytest.mark.parametrize(
    ("value", "retry"),
    [
        ("3000", 3000),
        ("007", 7),
        ("-1", None),
        ("+1", None),
        ("1_000", None),
        ("1.5", None),
        ("1000x", None),
        ("", None),
        ("١", None),
        ("9" * 5000, None),
    ],
)
def test_retry_is_ascii_digits(value: str, retry: int | None) -> None:
    parser = EventParser()
    parser.feed(f"retry:{value}\n".encode())
    assert parser.retry == retry


def test_counts() -> None:
    parser = EventParser()
    body = BOM + b":\n:\nevent:receive\ndata:x\n\n:\n"
    assert len(parser.feed(body)) == 1
    assert (parser.bytes, parser.comments, parser.skipped) == (len(body), 3, 0)


@pytest.mark.parametrize(
    "giant",
    [
        b"data:" + b"x" * 200 + b"\n",
        b"event:" + b"x" * 200 + b"\n",
        b"x" * 60 + b"\ndata:" + b"y" * 101 + b"\n",
        (b"data:" + b"x" * 30 + b"\n") * 4,
        b"data:" + b"x" * 200 + b"\r\ndata:rest\r\n",
        b"data:kept?\ndata:" + b"x" * 200 + b"\nid:1\n:comment\ndata:rest\n",
    ],
)
def test_an_event_beyond_the_cap_is_skipped_and_the_next_one_comes(giant: bytes) -> None:
    body = b"data:before\n\n" + giant + b"\ndata:after\n\n"
    for size in (1, 3, 7, 64, 1000):
        parser = EventParser(cap=100)
        events = [e.data for i in range(0, len(body), size) for e in parser.feed(body[i : i + size])]
        assert events == ["before", "after"]
        assert parser.skipped == 1


def test_an_event_of_just_the_cap_is_kept() -> None:
    for size in (1, 10, 1000):
        parser = EventParser(cap=100)
        body = b"data:" + b"x" * 95 + b"\n\n"
        assert [e.data for i in range(0, len(body), size) for e in parser.feed(body[i : i + size])] == ["x" * 95]
        assert parser.skipped == 0


def test_many_keepalives_never_fill_the_cap() -> None:
    parser = EventParser(cap=100)
    for _ in range(1000):
        parser.feed(b":")
        parser.feed(b"\n")
    assert [e.data for e in parser.feed(b"data:x\n\n")] == ["x"]
    assert parser.skipped == 0


def test_a_giant_line_takes_linear_time() -> None:
    """Gluing the 4 KB pieces of 50 MB to one bytes object would copy 300 GB."""
    piece = b"x" * 4096
    parser = EventParser()
    began = time.perf_counter()
    parser.feed(b"data:")
    for _ in range(12_800):
        parser.feed(piece)
    (event,) = parser.feed(b"\n\n")
    assert len(event.data) == 12_800 * 4096
    assert time.perf_counter() - began < 3


def test_many_data_lines_take_linear_time() -> None:
    began = time.perf_counter()
    (data,) = datas(b"data:0123456789\n" * 300_000 + b"\n")
    assert len(data) == 11 * 300_000 - 1
    assert time.perf_counter() - began < 3


def test_a_recorded_stream_survives_every_cut() -> None:
    body = recorded("dm_text") + b":\n" + recorded("typing_start")
    whole = parse(body)
    assert [event.type for event in whole] == ["receive", "receive"]
    for cut in range(len(body)):
        assert parse(body[:cut], body[cut:]) == whole
        before = parse(body[:cut])
        assert whole[: len(before)] == before


def reference(body: bytes) -> list[tuple[str, str, str]]:
    """The standard's algorithm word for word, on the whole text at once."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff")
    events, data, kind, last = [], "", "", ""
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        if line == "":
            if data:
                events.append((kind or "message", data[:-1], last))
            data = kind = ""
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data += value + "\n"
        elif name == "event":
            kind = value
        elif name == "id" and "\0" not in value:
            last = value
    return events


PIECES = [b"data", b"event", b"id", b":", b" ", b"\n", b"\r", b"\r\n", b"\n\n", b"x", BOM, b"\0", b"\xff", "…".encode()]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=60), st.integers(1, 5))
def test_agrees_with_the_standards_algorithm(pieces: list[bytes], size: int) -> None:
    body = b"".join(pieces)
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    assert [(e.type, e.data, e.last_event_id) for e in parse(*chunks)] == reference(body)


# -- over a socket


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def read(url: str, session: aiohttp.ClientSession) -> list[str]:
    """The data of every event until the server ends the stream."""
    async with EventStream(url, session) as stream, asyncio.timeout(10):
        return [event.data async for event in stream]


async def consume(source: EventStream | EventSource, seen: list[str]) -> None:
    async for event in source:
        seen.append(event.data)


class Dropped(Exception):
    """The bare library saw its server hang up."""


async def bare(url: str, session: aiohttp.ClientSession) -> list[EventSource]:
    """What the library alone makes of the same stream."""

    def drop() -> None:
        raise Dropped

    events: list[EventSource] = []
    async with EventSource(url, session=session, on_error=drop) as source, asyncio.timeout(10):
        try:
            async for event in source:
                events.append(event)
        except Dropped:
            pass
    return events


def plays(*bodies: bytes) -> Script:
    async def script(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(*bodies)
        await connection.end()

    return script


@pytest.mark.parametrize(
    ("body", "ours", "theirs"),
    [
        pytest.param(BOM + b"data:1\n\ndata:2\n\n", ["1", "2"], ["2"], id="1 BOM"),
        pytest.param(b"data:1\r\rdata:2\r\r", ["1", "2"], [], id="2 bare CR"),
        pytest.param(b"data:   x\n\n", ["  x"], ["x"], id="3 leading spaces"),
        pytest.param(b"data:x\ndata:\n\n", ["x\n"], ["x"], id="4 trailing newlines"),
    ],
)
async def test_defects_of_framing(
    session: aiohttp.ClientSession, body: bytes, ours: list[str], theirs: list[str]
) -> None:
    async with raw_daemon(plays(body)) as daemon:
        assert await read(daemon.url, session) == ours
        assert [event.data for event in await bare(daemon.url, session)] == theirs


async def test_defect_5_half_an_event_is_not_glued_to_the_next_connection(session: aiohttp.ClientSession) -> None:
    first, second = plays(b"data:whole\n\n", b"data:half"), plays(b":\ndata:next\n\n")
    async with raw_daemon(first, second) as daemon:
        assert await read(daemon.url, session) == ["whole"]
        assert await read(daemon.url, session) == ["next"]
    halves = plays(b"data:whole\n\n", b"data:half\n")
    async with raw_daemon(halves, second) as daemon:
        seen: list[str] = []
        async with EventSource(daemon.url, session=session, reconnection_time=timedelta(0)) as source:
            async for event in source:
                seen.append(event.data)
                if len(seen) == 2:
                    break
        assert seen == ["whole", "half\nnext"]


async def test_defect_6_bad_utf8(session: aiohttp.ClientSession) -> None:
    async with raw_daemon(plays(b"data:\xff\n\ndata:2\n\n")) as daemon:
        assert await read(daemon.url, session) == ["\ufffd", "2"]
        with pytest.raises(UnicodeDecodeError):
            await bare(daemon.url, session)


async def test_defect_7_long_lines(session: aiohttp.ClientSession) -> None:
    long = "x" * 3_000_000
    async with raw_daemon(plays(f"data:{long}\n\n".encode(), b"data:2\n\n")) as daemon:
        assert await read(daemon.url, session) == [long, "2"]
        with pytest.raises(Exception, match=r"(?i)more than|too big|too long"):
            await bare(daemon.url, session)


async def test_defect_8_a_peers_abort_is_a_lost_connection(session: aiohttp.ClientSession) -> None:
    async def aborts(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b"data:1\n\n", b"data:half")
        connection.abort()

    async with raw_daemon(aborts) as daemon:
        seen: list[str] = []
        async with EventStream(daemon.url, session) as stream:
            with pytest.raises(ConnectionLost):
                await consume(stream, seen)
        assert seen == ["1"]
        with pytest.raises(aiohttp.ClientPayloadError):
            await bare(daemon.url, session)


async def test_defect_9_nothing_is_retried_behind_our_back(session: aiohttp.ClientSession) -> None:
    """Nor slept: the library waits ten seconds when the server hangs up."""
    async with raw_daemon(plays(b"data:1\n\n")) as daemon:
        async with asyncio.timeout(2):
            assert await read(daemon.url, session) == ["1"]
        assert len(daemon.connections) == 1
    with pytest.raises(ConnectionLost, match="ClientConnectorError"):
        await EventStream(daemon.url, session).connect(5)


async def test_defect_10_no_total_timeout() -> None:
    async def slow(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b"data:1\n\n")
        await asyncio.sleep(0.4)
        await connection.chunks(b"data:2\n\n")
        await connection.end()

    impatient = aiohttp.ClientTimeout(total=0.1, sock_read=0.1)
    async with raw_daemon(slow) as daemon, aiohttp.ClientSession(timeout=impatient) as session:
        assert await read(daemon.url, session) == ["1", "2"]
        with pytest.raises(TimeoutError):
            await bare(daemon.url, session)


async def test_defect_11_closing_while_iterating_ends_it(session: aiohttp.ClientSession) -> None:
    async def quiet(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b":\n")
        await connection.hung_up()

    async with raw_daemon(quiet) as daemon:
        for source in (EventStream(daemon.url, session), EventSource(daemon.url, session=session)):
            await source.connect()
            reading = asyncio.create_task(consume(source, []))
            await asyncio.sleep(0.05)
            await source.close()
            (outcome,) = await asyncio.wait_for(asyncio.gather(reading, return_exceptions=True), 2)
            assert (outcome is None) == isinstance(source, EventStream)
        assert [event async for event in EventStream(daemon.url, session)] == []


async def test_defects_12_and_14_ids_and_types(session: aiohttp.ClientSession) -> None:
    async with raw_daemon(plays(b"id:1\ndata:a\n\nid:2\0\ndata:b\n\n")) as daemon:
        async with EventStream(daemon.url, session) as stream:
            ours = [event async for event in stream]
        theirs = await bare(daemon.url, session)
    assert [(event.last_event_id, event.type) for event in ours] == [("1", "message"), ("1", "message")]
    assert [(event.last_event_id, event.type) for event in theirs] == [("1", None), ("2\0", None)]


async def test_defects_13_and_15_retry_has_no_hold_over_us(session: aiohttp.ClientSession) -> None:
    async with raw_daemon(plays(b"retry:1_000\nretry:-1\nretry: 12\ndata:a\n\n")) as daemon:
        async with EventStream(daemon.url, session) as stream:
            assert [event.data async for event in stream] == ["a"]
            assert stream.parser.retry == 12
        assert len(daemon.connections) == 1


async def test_defect_16_the_callers_headers_stay_his(session: aiohttp.ClientSession) -> None:
    async with raw_daemon(plays(b"data:a\n\n")) as daemon:
        headers = {"Host": "localhost"}
        async with EventStream(daemon.url, session, headers=headers) as stream:
            assert [event.data async for event in stream] == ["a"]
        assert headers == {"Host": "localhost"}
        head = daemon.connections[0].head
        async with EventSource(daemon.url, session=session, headers=headers):
            assert "Accept" in headers
    assert "Host: localhost\r\n" in head
    assert "Accept: text/event-stream\r\n" in head
    assert "Cache-Control: no-cache\r\n" in head


async def test_defect_17_keepalives_are_seen(session: aiohttp.ClientSession) -> None:
    async def keeps_alive(connection: RawConnection) -> None:
        await connection.headers()
        for _ in range(3):
            await connection.chunks(b":\n")
            await asyncio.sleep(0.02)
        await connection.end()

    pieces: list[int] = []
    async with raw_daemon(keeps_alive) as daemon:
        stream = EventStream(daemon.url, session, on_bytes=lambda parser: pieces.append(parser.bytes))
        async with stream:
            assert [event async for event in stream] == []
        assert await bare(daemon.url, session) == []
    assert pieces == [2, 4, 6]
    assert stream.parser.comments == 3


async def test_defect_18_every_response_is_closed() -> None:
    ways: list[str] = []

    async def streams(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b"data:1\n\n")
        ways.append(await connection.hung_up())

    async def refuses(connection: RawConnection) -> None:
        await connection.send(b"HTTP/1.1 503 X\r\nContent-Length: 10\r\n\r\nhalf")
        ways.append(await connection.hung_up())

    connector = aiohttp.TCPConnector(limit=1)
    async with raw_daemon(streams, streams, refuses) as daemon, aiohttp.ClientSession(connector=connector) as session:
        for _ in range(2):
            async with EventStream(daemon.url, session) as stream:
                assert (await anext(stream)).data == "1"
        for _ in range(2):
            with pytest.raises(NotAnEventStream):
                await EventStream(daemon.url, session).connect()
        await asyncio.sleep(0.05)
    assert ways == ["reset", "reset", "closed", "closed"]


@pytest.mark.parametrize(
    ("status", "content_type"),
    [
        (200, "text/html"),
        (200, "application/json"),
        (201, "text/event-stream"),
        (204, "text/event-stream"),
        (301, "text/html"),
        (400, "text/plain"),
        (401, "text/plain"),
        (404, "text/html"),
        (421, "text/plain"),
        (503, "text/plain"),
    ],
)
async def test_defect_19_anything_but_an_event_stream_is_refused_with_its_status(
    session: aiohttp.ClientSession, status: int, content_type: str
) -> None:
    async def refuses(connection: RawConnection) -> None:
        await connection.status(status, content_type, b"" if status == 204 else b"data:never\n\n")

    async with raw_daemon(refuses) as daemon:
        with pytest.raises(NotAnEventStream) as refused:
            await asyncio.wait_for(EventStream(daemon.url, session).connect(), 2)
        assert len(daemon.connections) == 1
    assert (refused.value.status, refused.value.content_type) == (status, content_type)


async def test_a_redirect_is_not_followed(session: aiohttp.ClientSession) -> None:
    async with raw_daemon(plays(b"data:elsewhere\n\n")) as elsewhere:

        async def redirects(connection: RawConnection) -> None:
            head = f"HTTP/1.1 302 X\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
            await connection.send(head.encode())

        async with raw_daemon(redirects) as daemon:
            with pytest.raises(NotAnEventStream):
                await EventStream(daemon.url, session).connect()
        assert elsewhere.connections == []


async def test_a_content_type_with_parameters_is_fine(session: aiohttp.ClientSession) -> None:
    async def script(connection: RawConnection) -> None:
        await connection.status(200, "Text/Event-Stream;charset=UTF-8", b"data:1\n\n")

    async with raw_daemon(script) as daemon:
        assert await read(daemon.url, session) == ["1"]


@pytest.mark.parametrize("cut", [0, 1, 14, 15, 60, 300, 436, 437])
async def test_a_stream_cut_anywhere_gives_whole_events_or_none(session: aiohttp.ClientSession, cut: int) -> None:
    body = recorded("dm_text")

    async def cuts(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(body, body[:cut]) if cut else await connection.chunks(body)
        connection.abort()

    async with raw_daemon(cuts) as daemon:
        seen: list[str] = []
        async with EventStream(daemon.url, session) as stream:
            with pytest.raises(ConnectionLost):
                await consume(stream, seen)
    assert seen == datas(body)


async def test_byte_by_byte_and_all_at_once(session: aiohttp.ClientSession) -> None:
    body = recorded("group_mention_after_emoji")
    single = [body[i : i + 1] for i in range(len(body))]
    async with raw_daemon(plays(*single), plays(body * 500)) as daemon:
        assert await read(daemon.url, session) == datas(body)
        assert await read(daemon.url, session) == datas(body) * 500


async def test_nothing_of_url_or_body_is_logged(
    session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuses(connection: RawConnection) -> None:
        await connection.status(404, body=b"private words")

    async def breaks(connection: RawConnection) -> None:
        await connection.headers()
        await connection.chunks(b"data:private words\n\n")
        await asyncio.sleep(0.02)
        await connection.send(b"private words\r\n")

    async with raw_daemon(plays(b"data:private words\n\nretry:private words\n\n"), refuses, breaks) as daemon:
        url = daemon.url + "/api/v1/events?account=%2B15550001111"
        with caplog.at_level(logging.DEBUG):
            assert await read(url, session) == ["private words"]
            with pytest.raises(NotAnEventStream) as refused:
                await read(url, session)
            async with EventStream(url, session) as stream:
                assert (await anext(stream)).data == "private words"
    with pytest.raises(ConnectionLost) as lost:
        await read(url, session)
    for text in (caplog.text, repr(refused.value), repr(lost.value)):
        assert "private" not in text
        assert "15550001111" not in text
