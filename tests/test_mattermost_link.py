"""The supervised WebSocket against a replaying server: cut, resumed, refused, silent, and nothing lost unseen."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.mattermost.link import supervised_stream
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.adapters.mattermost.sequence import Frame, frame_of
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, HardenedError
from hermes_hardened_adapters.common.stream.supervisor import Supervisor
from pytest_aiohttp import AiohttpServer

from tests.fakes.clock import Time
from tests.fakes.mattermost_rest import recorded
from tests.fakes.mattermost_server import ALICE, OPS, TOKEN, FakeMattermostServer, Fault, recorded_frames
from tests.waiting import until

HELLO = {"event": "hello", "data": {"connection_id": "one"}, "seq": 0}


@dataclass
class Listener:
    stream: Supervisor
    time: Time
    heard: list[str] = field(default_factory=list)
    """Events in order: messages of posts, names of others, and `gap`."""
    frames: list[Frame] = field(default_factory=list)
    deaths: list[HardenedError] = field(default_factory=list)

    def take(self, frame: Frame) -> None:
        self.frames.append(frame)
        posted = frame.event == "posted"
        self.heard.append(json.loads(frame.data["post"])["message"] if posted else frame.event)


@asynccontextmanager
async def listener(url: str, **options: Any) -> AsyncIterator[Listener]:
    clock = Time()
    async with MattermostClient(url, TOKEN, timeout=1, clock=clock, sleep=clock.sleep) as client:
        options = {"clock": clock, "sleep": clock.sleep, "reply_within": 0.2, **options}
        heard: Listener
        stream = supervised_stream(
            client,
            options.pop("on_frame", lambda frame: heard.take(frame)),
            options.pop("on_gap", lambda: heard.heard.append("gap")),
            lambda exc: heard.deaths.append(exc),
            **options,
        )
        heard = Listener(stream, clock)
        try:
            yield heard
        finally:
            await stream.close()


def is_ours(task: asyncio.Task[Any]) -> bool:
    return any(name in repr(task) for name in ("Link.", "Socket.", "Supervisor."))


Script = Callable[[web.WebSocketResponse], Awaitable[None]]


@pytest.fixture
def scripted(aiohttp_server: AiohttpServer) -> Callable[..., Awaitable[str]]:
    """A server whose n-th WebSocket is answered by the n-th script, the last one repeating; the token is good."""

    async def start(*scripts: Script) -> str:
        sockets: list[web.WebSocketResponse] = []

        async def websocket(request: web.Request) -> web.WebSocketResponse:
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            sockets.append(socket)
            await scripts[min(len(sockets), len(scripts)) - 1](socket)
            return socket

        async def me(_: web.Request) -> web.Response:
            return web.json_response(recorded("users_me"))

        app = web.Application()
        app.router.add_get("/api/v4/websocket", websocket)
        app.router.add_get("/api/v4/users/me", me)
        server = await aiohttp_server(app)
        return str(server.make_url("")).rstrip("/")

    return start


def sends(*events: dict[str, Any], end: str = "answer") -> Script:
    """These events, then `answer` pings until the client goes, `hold` in silence, or `close`."""

    async def script(socket: web.WebSocketResponse) -> None:
        for event in events:
            await socket.send_json(event)
        if end == "close":
            return
        async for message in socket:
            if end == "answer":
                await socket.send_json({"status": "OK", "seq_reply": json.loads(message.data)["seq"]})

    return script


def event(seq: int, name: str = "typing") -> dict[str, Any]:
    return {"event": name, "data": {}, "seq": seq}


# -- the sequence


# -- delivery


async def test_open_returns_at_the_hello(server: FakeMattermostServer) -> None:
    server.hello_delay = 0.1
    async with listener(server.url) as it:
        started = time.monotonic()
        await it.stream.open()
        assert time.monotonic() - started >= 0.1
        assert it.heard == ["hello"]
        assert server.upgrades == [{}]
        with pytest.raises(RuntimeError):
            await it.stream.open()


async def test_events_come_raw_and_in_order_and_replies_do_not(server: FakeMattermostServer) -> None:
    async with listener(server.url, ping_every=0.01) as it:
        await it.stream.open()
        await server.emit(*recorded_frames("channel_mention_bot"))
        for number in range(50):
            await server.post(ALICE, OPS, f"{number} ü\U0001f600")
        await until(lambda: len(it.heard) == 54 and len(server.actions) > 2)
        assert it.frames == [frame_of(text) for _, text in server.connections[0].kept]
        assert it.heard[4:] == [f"{number} ü\U0001f600" for number in range(50)]
        assert server.actions[:2] == [{"action": "ping", "seq": 1}, {"action": "ping", "seq": 2}]
        stats = it.stream.stats
        assert (stats.connects, stats.events, stats.gaps, stats.duplicates, stats.skipped) == (1, 54, 0, 0, 0)
        assert stats.last_event is not None
        assert len(server.actions) >= 2


async def test_what_is_no_frame_is_skipped(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        for text in ("", "nonsense", "[]", "{}", '{"event": null, "seq": 1}'):
            await server.emit_raw(text)
        await server.connections[0].socket.send_bytes(b"\x80")  # type: ignore[union-attr]
        await server.post(ALICE, OPS, "after")
        await until(lambda: "after" in it.heard)
        assert it.heard == ["hello", "after"]
        assert it.stream.stats.skipped == 6


async def test_a_handler_that_fails_stops_nothing(
    server: FakeMattermostServer, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Frame] = []

    def fail_once(frame: Frame) -> None:
        heard.append(frame)
        if len(heard) == 2:
            raise KeyError(frame)

    async with listener(server.url, on_frame=fail_once) as it:
        await it.stream.open()
        await server.post(ALICE, OPS, "secret words")
        await server.post(ALICE, OPS, "more")
        await until(lambda: len(heard) == 3)
        assert it.stream.stats.skipped == 1
    assert "KeyError" in caplog.text
    assert "secret words" not in caplog.text


async def test_old_events_are_dropped(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        await server.post(ALICE, OPS, "once")
        await server.emit_raw(server.connections[0].kept[-1][1])
        await server.post(ALICE, OPS, "next")
        await until(lambda: "next" in it.heard)
        assert it.heard == ["hello", "once", "next"]
        assert it.stream.stats.duplicates == 1


# -- cut and resumed


async def test_a_cut_socket_is_resumed_with_what_was_missed(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        await server.post(ALICE, OPS, "before")
        await until(lambda: "before" in it.heard)
        server.cut()
        for text in ("missed 1", "missed 2"):
            await server.post(ALICE, OPS, text)
        await server.connected()
        await server.post(ALICE, OPS, "after")
        await until(lambda: "after" in it.heard)
        assert it.heard == ["hello", "before", "missed 1", "missed 2", "after"]
        assert server.upgrades[1] == {"connection_id": server.connections[0].id, "sequence_number": "2"}
        assert it.time.slept == []
        stats = it.stream.stats
        await until(lambda: stats.reconnects)
        assert (stats.connects, stats.reconnects, stats.resumed, stats.gaps) == (2, 1, 1, 0)
        assert stats.disconnected_since is None


async def test_a_resume_with_nothing_missed_is_proved_by_a_ping(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        server.cut()
        await until(lambda: it.stream.stats.resumed)
        assert it.heard == ["hello"]
        assert it.stream.stats.gaps == 0


async def test_a_resume_that_is_refused_is_a_gap(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        server.resumes = False
        server.cut()
        await server.post(ALICE, OPS, "missed")
        await until(lambda: it.stream.stats.gaps)
        await server.post(ALICE, OPS, "after")
        await until(lambda: "after" in it.heard)
        assert it.heard == ["hello", "gap", "hello", "after"]
        assert (it.stream.stats.resumed, it.stream.stats.gaps) == (0, 1)
        assert server.upgrades[1] != {}


async def test_more_missed_than_the_server_keeps_is_a_gap(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        server.cut()
        for number in range(130):
            await server.post(ALICE, OPS, str(number))
        await until(lambda: it.stream.stats.gaps)
        assert it.heard == ["hello", "gap", "hello"]


async def test_an_event_that_was_lost_comes_by_a_resume(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        post = server.store(ALICE, OPS, "lost on the way")
        server.lose(server.posted(post))
        await server.post(ALICE, OPS, "next")
        await until(lambda: "next" in it.heard)
        assert it.heard == ["hello", "lost on the way", "next"]
        assert (it.stream.stats.resumed, it.stream.stats.gaps) == (1, 0)


async def test_a_number_that_no_event_has_is_a_gap(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        server.skip()
        await server.post(ALICE, OPS, "after the hole")
        await until(lambda: it.stream.stats.gaps)
        await server.post(ALICE, OPS, "after")
        await until(lambda: "after" in it.heard)
        assert it.heard == ["hello", "gap", "hello", "after"]


async def test_a_resume_that_does_not_fill_the_hole_is_a_gap(scripted: Callable[..., Awaitable[str]]) -> None:
    url = await scripted(sends(HELLO, event(5)), sends())
    async with listener(url) as it:
        await it.stream.open()
        await until(lambda: it.stream.stats.resumed)
        assert it.heard == ["hello", "gap"]


async def test_a_hole_that_stays_ends_in_a_new_connection(scripted: Callable[..., Awaitable[str]]) -> None:
    url = await scripted(sends(HELLO, event(5)), sends(event(6)), sends({**HELLO, "data": {"connection_id": "two"}}))
    async with listener(url) as it:
        await it.stream.open()
        await until(lambda: it.stream.stats.gaps)
        assert it.heard == ["hello", "gap", "hello"]


async def test_an_event_too_large_is_a_gap_and_is_not_asked_for_again(
    server: FakeMattermostServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        await server.emit({"event": "posted", "data": {"x": "x" * (8 * 2**20)}})
        await until(lambda: it.stream.stats.gaps)
        await server.post(ALICE, OPS, "after")
        await until(lambda: "after" in it.heard)
        assert it.heard == ["hello", "gap", "hello", "after"]
        assert server.upgrades[1] == {}
        assert "too large or broken" in caplog.text


async def test_a_broken_frame_is_a_gap(
    scripted: Callable[..., Awaitable[str]], caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(socket: web.WebSocketResponse) -> None:
        await socket.send_json(HELLO)
        assert socket._req is not None
        assert socket._req.transport is not None
        socket._req.transport.write(b"\x81\x02\xff\xfe")
        await socket.receive()

    url = await scripted(breaks, sends({**HELLO, "data": {"connection_id": "two"}}))
    async with listener(url) as it:
        await it.stream.open()
        await until(lambda: it.stream.stats.gaps)
        assert it.heard == ["hello", "gap", "hello"]
        assert "too large or broken" in caplog.text


async def test_a_hello_after_a_resume_seemed_granted_is_a_gap(scripted: Callable[..., Awaitable[str]]) -> None:
    async def greets_late(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_json({"status": "OK", "seq_reply": 1})
        await socket.send_json({**HELLO, "data": {"connection_id": "two"}})
        await socket.receive()

    url = await scripted(sends(HELLO, event(1), end="close"), greets_late)
    async with listener(url) as it:
        await it.stream.open()
        await until(lambda: it.stream.stats.gaps)
        assert it.heard == ["hello", "typing", "gap", "hello"]


async def test_an_event_just_small_enough(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        await server.emit({"event": "large", "data": {"x": "x" * (7 * 2**20)}})
        await until(lambda: "large" in it.heard)


# -- the token


@pytest.mark.parametrize("answers_pings", [True, False])
async def test_a_bad_token(server: FakeMattermostServer, answers_pings: bool) -> None:
    server.token = "another"
    server.ping_answer = "OK" if answers_pings else None
    async with listener(server.url) as it:
        with pytest.raises(Fatal) as refused:
            await it.stream.open()
        assert refused.value.code == "mattermost_bad_token"
        assert it.deaths == []
        assert it.heard == []


async def test_a_disabled_bot(server: FakeMattermostServer) -> None:
    server.disable_bot()
    async with listener(server.url) as it:
        with pytest.raises(Fatal) as refused:
            await it.stream.open()
            await until(lambda: it.deaths)
            raise it.deaths[0]
        assert refused.value.code == "mattermost_bot_disabled"


@pytest.mark.parametrize("how", ["revoke_token", "disable_bot"])
async def test_a_token_revoked_on_an_open_socket(
    server: FakeMattermostServer, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    caplog.set_level(logging.DEBUG)
    async with listener(server.url, ping_every=0.02) as it:
        await it.stream.open()
        getattr(server, how)()
        await until(lambda: it.deaths)
        (death,) = it.deaths
        assert isinstance(death, Fatal)
        assert death.code == ("mattermost_bad_token" if how == "revoke_token" else "mattermost_bot_disabled")
        await until(lambda: server.connections[0].socket is None)
        assert len(server.upgrades) == 1
        assert TOKEN not in caplog.text + repr(death) + repr(death.__cause__) + repr(death.__context__)


async def test_a_ping_refused_though_the_token_is_good(server: FakeMattermostServer) -> None:
    async with listener(server.url, ping_every=0.02, give_up_after=1e6) as it:
        await it.stream.open()
        server.ping_answer = "FAIL"
        await until(lambda: len(server.upgrades) > 1)
        server.ping_answer = "OK"
        await until(lambda: it.stream.stats.disconnected_since is None and it.stream.stats.reconnects)
        assert it.deaths == []


async def test_no_hello_though_the_token_is_good(scripted: Callable[..., Awaitable[str]]) -> None:
    url = await scripted(sends(end="close"))
    async with listener(url) as it:
        with pytest.raises(ConnectionLost, match="Authorization"):
            await it.stream.open()


@pytest.mark.parametrize("status", [503, 429])
async def test_who_we_are_cannot_be_asked(server: FakeMattermostServer, status: int) -> None:
    server.token = "another"
    server.faults.append(Fault(status, times=99))
    async with listener(server.url) as it:
        with pytest.raises(ConnectionLost, match="503" if status == 503 else "rate"):
            await it.stream.open()


# -- refused and unreachable


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (200, "mattermost_no_websocket"),
        (302, "mattermost_redirected"),
        (400, "mattermost_no_websocket"),
        (403, "mattermost_proxy"),
        (404, "mattermost_other_api"),
        (426, "mattermost_no_websocket"),
        (401, None),
        (429, None),
        (500, None),
        (502, None),
    ],
)
async def test_an_upgrade_refused(server: FakeMattermostServer, status: int, code: str | None) -> None:
    async with FakeMattermostServer() as elsewhere:
        server.refuse_upgrade = (status, {"Location": f"{elsewhere.url}/api/v4/websocket"})
        async with listener(server.url) as it:
            with pytest.raises(Fatal if code else ConnectionLost) as refused:
                await it.stream.open()
            if isinstance(refused.value, Fatal):
                assert refused.value.code == code
            assert it.deaths == []
            assert TOKEN not in repr(refused.value) + repr(refused.value.__context__)
        assert elsewhere.upgrades == []


async def test_nobody_there(unused_tcp_port: int) -> None:
    async with listener(f"http://127.0.0.1:{unused_tcp_port}") as it:
        with pytest.raises(ConnectionLost, match="cannot be reached"):
            await it.stream.open()


@pytest.mark.parametrize("upgrades", [True, False])
async def test_no_hello_in_time(upgrades: bool, scripted: Callable[..., Awaitable[str]]) -> None:
    async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    silent = await asyncio.start_server(hold, "127.0.0.1", 0)
    url = await scripted(sends(end="hold")) if upgrades else f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
    async with listener(url, reply_within=60) as it:
        with pytest.raises(ConnectionLost, match="hello"):
            await it.stream.open(timeout=0.1)
        assert it.stream.stats.connects == 0
    silent.close()
    await silent.wait_closed()


async def test_a_fatal_refusal_later_ends_it_once(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        server.refuse_upgrade = (404, {})
        server.cut()
        await until(lambda: it.deaths)
        await asyncio.sleep(0.05)
        assert [type(death) for death in it.deaths] == [Fatal]
        assert len(server.upgrades) == 2


async def test_deaf_for_too_long_ends_it_once(server: FakeMattermostServer) -> None:
    async with listener(server.url, give_up_after=60) as it:
        await it.stream.open()
        server.refuse_upgrade = (502, {})
        server.cut()
        await until(lambda: it.deaths)
        (death,) = it.deaths
        assert isinstance(death, ConnectionLost)
        assert "60 s" in str(death)
        assert "502" in str(death)
        assert 59 < sum(it.time.slept) <= 60
        assert it.time.slept[0] >= 1.6


async def test_a_server_that_comes_back_is_resumed(server: FakeMattermostServer) -> None:
    async with listener(server.url, clock=time.monotonic, sleep=lambda _: asyncio.sleep(0.02)) as it:
        await it.stream.open()
        server.refuse_upgrade = (502, {})
        server.cut()
        await server.post(ALICE, OPS, "missed")
        await until(lambda: len(server.upgrades) > 3)
        server.refuse_upgrade = None
        await until(lambda: "missed" in it.heard)
        assert it.stream.stats.gaps == 0
        assert it.deaths == []


async def test_a_server_that_drops_every_socket_is_not_stormed(scripted: Callable[..., Awaitable[str]]) -> None:
    url = await scripted(sends(HELLO, event(1), end="close"))
    async with listener(url) as it:
        started = it.time()
        await it.stream.open()
        await until(lambda: it.stream.stats.connects >= 9)
        assert it.time() - started >= 20
        assert it.deaths == []


# -- silence


async def test_a_ping_without_an_answer(server: FakeMattermostServer) -> None:
    async with listener(server.url, ping_every=0.02, reply_within=0.1) as it:
        await it.stream.open()
        await until(lambda: server.actions)
        server.ping_answer = None
        await until(lambda: len(server.upgrades) > 1)
        server.ping_answer = "OK"
        await until(lambda: it.stream.stats.resumed)
        assert it.stream.stats.gaps == 0


async def test_a_black_hole(server: FakeMattermostServer) -> None:
    async with listener(server.url, ping_every=0.05, reply_within=0.1) as it:
        await it.stream.open()
        server.black_hole()
        await server.post(ALICE, OPS, "into the void")
        await until(lambda: "into the void" in it.heard)
        assert it.heard == ["hello", "into the void"]


async def test_close_is_quick_though_the_peer_hangs(scripted: Callable[..., Awaitable[str]]) -> None:
    release = asyncio.Event()

    async def hangs(socket: web.WebSocketResponse) -> None:
        await socket.send_json(HELLO)
        await release.wait()

    url = await scripted(hangs)
    before = asyncio.all_tasks()
    async with listener(url, reply_within=60) as it:
        await it.stream.open()
        running = asyncio.all_tasks() - before
        started = time.monotonic()
        await it.stream.close()
        assert time.monotonic() - started < 0.6
        await it.stream.close()
        ours = {task for task in running if is_ours(task)}
        assert len(ours) == 4
        assert all(task.done() for task in ours)
        assert it.deaths == []
    release.set()


@pytest.mark.parametrize("moment", ["opening", "backing off", "asking who we are"])
async def test_close_at_any_moment(server: FakeMattermostServer, moment: str) -> None:
    sleeping = asyncio.Event()

    async def sleep_for_ever(_: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    async with listener(server.url, sleep=sleep_for_ever) as it:
        match moment:
            case "opening":
                server.hello_delay = 0.5
                opening = asyncio.create_task(it.stream.open())
                await until(lambda: server.upgrades)
                opening.cancel()
                await asyncio.wait({opening})
            case "backing off":
                await it.stream.open()
                server.refuse_upgrade = (502, {})
                server.cut()
                await sleeping.wait()
            case _:
                await it.stream.open()
                await server.post(ALICE, OPS, "proof")
                await until(lambda: "proof" in it.heard)
                server.faults.append(Fault(delay=0.5))
                server.revoke_token()
                server.cut()
                await until(lambda: server.calls)
        started = time.monotonic()
        await it.stream.close()
        assert time.monotonic() - started < 0.6
        assert it.deaths == []
    assert not [task for task in asyncio.all_tasks() if is_ours(task)]


async def test_open_again_after_close(server: FakeMattermostServer) -> None:
    async with listener(server.url) as it:
        await it.stream.open()
        await it.stream.close()
        await it.stream.open()
        await server.post(ALICE, OPS, "again")
        await until(lambda: "again" in it.heard)
