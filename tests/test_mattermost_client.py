"""The REST client against a server that answers as recorded: every call, every failure, and never the token."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.adapters.mattermost.rest.failures import ApiError
from hermes_hardened_adapters.common.core.errors import ConnectionLost, Fatal, FileTooLarge, RateLimited, Unanswered
from pydantic import SecretStr
from pytest_aiohttp import AiohttpServer

from tests.fakes.clock import Time
from tests.fakes.mattermost_rest import FIXTURES
from tests.fakes.mattermost_server import (
    ALICE,
    BOB,
    DM,
    GROUP_MESSAGE,
    HERMES,
    OPS,
    SECRET,
    TEAM,
    TOKEN,
    FakeMattermostServer,
    Fault,
    recorded,
)

NOBODY = "a" * 26
Use = Callable[[MattermostClient], Awaitable[Any]]


@pytest.fixture(autouse=True)
def driver_without_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """mattermostdriver cannot call `asyncio.get_event_loop`, which raises in Python 3.14 unless a loop runs."""
    monkeypatch.delattr("mattermostdriver.driver.asyncio")


@pytest.fixture
async def client(server: FakeMattermostServer, clock: Time) -> AsyncIterator[MattermostClient]:
    async with MattermostClient(server.url, SecretStr(TOKEN), timeout=0.3, clock=clock, sleep=clock.sleep) as client:
        yield client


async def test_who_is_who(client: MattermostClient) -> None:
    assert (await client.me())["username"] == "hermes"
    assert {user["id"] for user in await client.users_by_ids([ALICE, BOB, NOBODY])} == {ALICE, BOB}
    assert [user["id"] for user in await client.users_by_names(["bob"])] == [BOB]
    assert await client.users_by_ids([]) == await client.users_by_names([]) == []


async def test_channels(client: MattermostClient, server: FakeMattermostServer) -> None:
    assert (await client.channel(DM))["display_name"] == ""
    everywhere = {channel["id"] for channel in await client.my_channels()}
    assert everywhere == {OPS, SECRET, DM, GROUP_MESSAGE}
    server.lists_all_channels = False
    assert {channel["id"] for channel in await client.my_channels()} == everywhere
    assert {channel["id"] for channel in await client.my_channels(TEAM)} == everywhere
    await client.my_channels()
    assert len(server.called("GET", "/users/me/channels")) == 2
    await client.leave_channel(OPS)
    assert HERMES not in server.members[OPS]


async def test_posts(client: MattermostClient, server: FakeMattermostServer) -> None:
    before = server.now()
    root = await client.create_post(OPS, "hello")
    reply = await client.create_post(OPS, "again", root["id"])
    thread = (await client.thread(reply["id"]))["posts"]
    assert thread == {post["id"]: server.posts[post["id"]] for post in (root, reply)}
    assert (await client.newest_posts(OPS, 1))["order"] == [reply["id"]]
    assert (await client.patch_post(reply["id"], "edited"))["message"] == "edited"
    await server.delete(reply["id"])
    since = await client.posts_since(OPS, before)
    assert since["order"] == [reply["id"], root["id"]]
    assert since["posts"][reply["id"]]["delete_at"] > 0


async def test_typing(client: MattermostClient, server: FakeMattermostServer) -> None:
    await client.typing(OPS)
    await client.typing(OPS, NOBODY)
    assert [call.json for call in server.called("POST", "/users/me/typing")] == [
        {"channel_id": OPS, "parent_id": ""},
        {"channel_id": OPS, "parent_id": NOBODY},
    ]


async def test_files(client: MattermostClient, server: FakeMattermostServer) -> None:
    info = await client.upload_file(OPS, 'größe 1"\r\n.png', b"\x89PNG", "image/png")
    assert (await client.file_info(info["id"]))["mime_type"] == "image/png"
    assert info["name"] == 'größe 1".png'
    (upload,) = server.called("POST", "/files")
    assert upload.form["channel_id"][1] == OPS.encode()
    assert upload.form["files"] == ('größe 1".png', b"\x89PNG", "image/png")
    assert await client.download_file(info["id"], 4) == b"\x89PNG"
    with pytest.raises(FileTooLarge):
        await client.download_file(info["id"], 3)
    post = await client.call("POST", "/posts", {"channel_id": OPS, "message": "", "file_ids": [info["id"]]})
    assert post["file_ids"] == [info["id"]]


async def test_the_server(client: MattermostClient) -> None:
    assert (await client.config())["MaxPostSize"] == "16383"
    assert (await client.ping_system())["status"] == "OK"


async def test_a_path_before_the_api() -> None:
    async with FakeMattermostServer(prefix="/chat") as server, MattermostClient(server.url + "/", TOKEN) as client:
        assert (await client.me())["id"] == HERMES
        await client.create_post(OPS, "hi")
    assert [call.path for call in server.calls] == ["/users/me", "/posts"]


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c.thread("me/../../system"),
        lambda c: c.channel("?x"),
        lambda c: c.patch_post(NOBODY.upper(), "x"),
        lambda c: c.thread(NOBODY + "\n"),
        lambda c: c.newest_posts("x&since=0"),
        lambda c: c.download_file("..", 1),
    ],
)
async def test_what_is_no_id_is_never_sent(client: MattermostClient, server: FakeMattermostServer, use: Use) -> None:
    await client.me()
    server.calls.clear()
    with pytest.raises(ValueError):
        await use(client)
    assert server.calls == []


@pytest.mark.parametrize(
    ("use", "status", "error_id"),
    [
        (lambda c: c.channel(NOBODY), 404, "app.channel.get.existing.app_error"),
        (lambda c: c.thread(NOBODY), 404, "app.post.get.app_error"),
        (lambda c: c.file_info(NOBODY), 404, "app.file_info.get.app_error"),
        (lambda c: c.create_post(NOBODY, "x"), 403, "api.context.permissions.app_error"),
        (lambda c: c.create_post(OPS, "x", NOBODY), 400, "api.post.create_post.root_id.app_error"),
        (lambda c: c.create_post(OPS, "x" * 16384), 400, "model.post.is_valid.msg.app_error"),
        (lambda c: c.patch_post(NOBODY, "x"), 403, "api.context.permissions.app_error"),
        (
            lambda c: c.upload_file(OPS, "a", bytes(11 * 2**20), ""),
            413,
            "api.file.upload_file.too_large_detailed.app_error",
        ),
    ],
)
async def test_refused_for_good(
    client: MattermostClient, server: FakeMattermostServer, clock: Time, use: Use, status: int, error_id: str
) -> None:
    await client.me()
    server.calls.clear()
    with pytest.raises(ApiError) as caught:
        await use(client)
    assert (caught.value.status, caught.value.error_id) == (status, error_id)
    assert error_id in str(caught.value)
    assert len(server.calls) == 1
    assert clock.slept == []


# -- who we are


async def test_a_bad_token(client: MattermostClient, server: FakeMattermostServer) -> None:
    server.revoke_token()
    for use in (client.me(), client.create_post(OPS, "hi")):
        with pytest.raises(Fatal) as caught:
            await use
        assert caught.value.code == "mattermost_bad_token"


async def test_a_proxy_that_wants_a_password(client: MattermostClient, server: FakeMattermostServer) -> None:
    server.faults.append(Fault(401, body="<html>Log in</html>"))
    with pytest.raises(Fatal, match="proxy") as caught:
        await client.me()
    assert caught.value.code == "mattermost_proxy"


async def test_another_server(client: MattermostClient, server: FakeMattermostServer) -> None:
    server.faults.append(Fault(404, body="not here"))
    with pytest.raises(Fatal, match="MATTERMOST_URL"):
        await client.me()


@pytest.mark.parametrize("body", ["<html>", "[]", '{"id": 7}', ""])
async def test_an_answer_that_is_not_mattermosts(
    client: MattermostClient, server: FakeMattermostServer, body: str
) -> None:
    server.faults.append(Fault(200, body=body))
    with pytest.raises(ConnectionLost, match="MATTERMOST_URL"):
        await client.me()


@pytest.mark.parametrize("status", [301, 307])
async def test_the_token_is_not_carried_elsewhere(
    client: MattermostClient, server: FakeMattermostServer, status: int
) -> None:
    async with FakeMattermostServer() as elsewhere:
        server.faults.append(Fault(status, headers={"Location": f"{elsewhere.url}/api/v4/users/me"}, times=9))
        with pytest.raises(Fatal) as caught:
            await client.me()
        assert caught.value.code == "mattermost_redirected"
        with pytest.raises(aiohttp.ClientError):
            await client.session.get(f"{server.url}/api/v4/users/me", headers=client.headers())
        assert elsewhere.calls == []
        await client.session.get(f"{server.url}/api/v4/users/me")
        assert "Authorization" not in elsewhere.calls[0].headers


# -- what may pass


@pytest.mark.parametrize("fault", [Fault(503, times=2), Fault(times=2)], ids=["503", "cut"])
async def test_reading_is_repeated(
    client: MattermostClient, server: FakeMattermostServer, clock: Time, fault: Fault
) -> None:
    server.faults.append(fault)
    assert [user["id"] for user in await client.users_by_ids([ALICE])] == [ALICE]
    assert len(server.calls) == 3
    assert len(clock.slept) == 2


@pytest.mark.parametrize("fault", [Fault(502, times=99), Fault(times=99)], ids=["502", "cut"])
async def test_reading_is_given_up(client: MattermostClient, server: FakeMattermostServer, fault: Fault) -> None:
    server.faults.append(fault)
    with pytest.raises(ConnectionLost):
        await client.users_by_ids([ALICE])
    assert len(server.calls) == 4


async def test_no_answer_in_time(client: MattermostClient, server: FakeMattermostServer) -> None:
    server.faults.append(Fault(delay=1, times=99))
    with pytest.raises(ConnectionLost, match="no answer"):
        await client.me()
    assert len(server.calls) == 4


@pytest.mark.parametrize(
    "fault",
    [Fault(carried_out=True), Fault(delay=1, carried_out=True), Fault(504, carried_out=True)],
    ids=["cut", "late", "504"],
)
async def test_a_post_whose_answer_is_lost_is_made_once(
    client: MattermostClient, server: FakeMattermostServer, fault: Fault
) -> None:
    await client.me()
    server.faults.append(fault)
    post = await client.create_post(OPS, "once")
    first, second = server.called("POST", "/posts")
    assert first.json == second.json
    assert first.json["pending_post_id"].startswith(f"{HERMES}:")
    assert list(server.posts) == [post["id"]]


async def test_each_post_has_a_pending_id_of_its_own(client: MattermostClient, server: FakeMattermostServer) -> None:
    await client.create_post(OPS, "same")
    await client.create_post(OPS, "same")
    await client.call("POST", "/posts", {"channel_id": OPS, "message": "same", "pending_post_id": "mine"})
    ids = [call.json["pending_post_id"] for call in server.called("POST", "/posts")]
    assert len(set(ids)) == 3
    assert ids[2] == "mine"


async def test_a_post_is_not_repeated_when_the_server_may_have_forgotten_it(server: FakeMattermostServer) -> None:
    clock = Time()

    async def oversleep(_: float) -> None:
        await clock.sleep(26)

    async with MattermostClient(server.url, TOKEN, timeout=0.1, clock=clock, sleep=oversleep) as client:
        await client.me()
        server.faults.append(Fault(delay=1, times=99))
        with pytest.raises(Unanswered):
            await client.create_post(OPS, "hi")
    assert len(server.called("POST", "/posts")) == 2


@pytest.mark.parametrize(
    "fault", [Fault(times=99), Fault(delay=1, times=99), Fault(504, times=99)], ids=["cut", "late", "504"]
)
async def test_other_writing_is_not_repeated(
    client: MattermostClient, server: FakeMattermostServer, fault: Fault
) -> None:
    server.faults.append(fault)
    with pytest.raises(Unanswered, match="unknown"):
        await client.typing(OPS)
    with pytest.raises(Unanswered):
        await client.patch_post(NOBODY, "x")
    with pytest.raises(Unanswered):
        await client.upload_file(OPS, "a", b"x", "")
    assert len(server.calls) == 3


async def test_writing_that_failed(client: MattermostClient, server: FakeMattermostServer) -> None:
    server.faults.append(Fault(503))
    with pytest.raises(ConnectionLost):
        await client.typing(OPS)
    assert len(server.calls) == 1


async def test_what_never_arrived_is_repeated(server: FakeMattermostServer, unused_tcp_port: int) -> None:
    async def arrives(_: float) -> None:
        if not server.url:
            await server.start(unused_tcp_port)

    await server.stop()
    server.url = ""
    async with MattermostClient(f"http://127.0.0.1:{unused_tcp_port}", TOKEN, sleep=arrives) as client:
        await client.typing(OPS)
    assert len(server.calls) == 1


async def test_a_server_that_is_gone(client: MattermostClient, server: FakeMattermostServer, clock: Time) -> None:
    await server.stop()
    with pytest.raises(ConnectionLost, match="cannot be reached"):
        await client.typing(OPS)
    assert len(clock.slept) == 3


async def test_any_other_call(client: MattermostClient, server: FakeMattermostServer) -> None:
    assert (await client.call("GET", f"users/{ALICE}"))["id"] == ALICE
    server.faults.append(Fault(carried_out=True, path="/posts"))
    post = await client.call("POST", "/posts/", {"channel_id": OPS, "message": "once"})
    assert list(server.posts) == [post["id"]]
    for path in ("../../admin", "users/me?x", "users//me", ""):
        with pytest.raises(ValueError):
            await client.call("GET", path)


async def test_a_closed_client(server: FakeMattermostServer) -> None:
    client = MattermostClient(server.url, TOKEN)
    with pytest.raises(ConnectionLost, match="closed"):
        await client.me()
    async with client:
        await client.me()
    with pytest.raises(ConnectionLost, match="closed"):
        await client.me()


# -- rate limits


async def test_a_rate_limit_is_waited_for(client: MattermostClient, server: FakeMattermostServer, clock: Time) -> None:
    await client.me()
    server.limit_rate(times=3)
    await client.create_post(OPS, "hi")
    await client.typing(OPS)
    assert len(server.posts) == 1
    assert len(clock.slept) == 3
    assert all(1 <= slept <= 1.25 for slept in clock.slept)


async def test_a_rate_limit_that_lasts(client: MattermostClient, server: FakeMattermostServer, clock: Time) -> None:
    server.limit_rate(times=99, retry_after=12)
    with pytest.raises(RateLimited) as caught:
        await client.typing(OPS)
    assert caught.value.retry_after == 12
    assert len(clock.slept) == 2


async def test_many_posts_under_a_rate_limit(server: FakeMattermostServer) -> None:
    async with MattermostClient(server.url, TOKEN, sleep=lambda _: asyncio.sleep(0.01)) as client:
        await client.me()
        server.limit_rate(times=30)
        await asyncio.gather(*(client.create_post(OPS, str(n)) for n in range(15)))
    assert sorted(int(post["message"]) for post in server.posts.values()) == list(range(15))


# -- TLS


# -- secrets


def everything(exc: BaseException | None) -> str:
    """All that a careless log could show of an exception and those behind it."""
    shown = ""
    while exc is not None:
        shown += f"{exc!s}{exc!r}{vars(exc)!r}"
        exc = exc.__cause__ or exc.__context__
    return shown


async def test_no_failure_and_no_log_shows_the_token_or_the_text(
    client: MattermostClient,
    server: FakeMattermostServer,
    caplog: pytest.LogCaptureFixture,
    aiohttp_server: AiohttpServer,
) -> None:
    caplog.set_level(logging.DEBUG)
    text = "my secret words"

    async def gibberish(_: web.Request) -> web.Response:
        return web.Response(text=f"{text} {TOKEN}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", gibberish)
    await client.me()
    for fault in (
        Fault(400, body=json.dumps({"id": f"{text} {TOKEN}", "message": TOKEN})),
        Fault(401, body=json.dumps({"id": "x", "message": TOKEN})),
        Fault(200, body=text),
        Fault(503, times=4),
        Fault(302, headers={"Location": f"http://127.0.0.1/{TOKEN}"}),
        Fault(times=9),
    ):
        server.faults[:] = [fault]
        with pytest.raises(Exception) as caught:
            await client.create_post(OPS, text)
        assert TOKEN not in everything(caught.value)
        assert text not in everything(caught.value)
    other = await aiohttp_server(app)
    async with MattermostClient(str(other.make_url("")), TOKEN) as lost:
        with pytest.raises(ConnectionLost) as caught:
            await lost.call("POST", "/posts", {"channel_id": OPS, "message": text, "pending_post_id": "x"})
    assert text not in everything(caught.value)
    assert TOKEN not in repr(vars(client))
    assert TOKEN not in caplog.text
    assert text not in caplog.text


# -- the fake server itself


@pytest.mark.parametrize(
    "name",
    [
        "channel_leave_self",
        "channel_malformed_id",
        "channel_ops",
        "channel_unknown",
        "config_client",
        "file_info_404",
        "not_found_route",
        "post_empty_message",
        "post_get_404",
        "post_invalid_root_400",
        "post_malformed_root_400",
        "post_unknown_channel",
        "system_ping",
        "typing",
        "user_by_id",
        "user_unknown",
        "users_ids",
        "users_me",
        "users_me_bad_token",
        "users_me_teams",
    ],
)
async def test_the_server_answers_as_recorded(server: FakeMattermostServer, name: str) -> None:
    sample = json.loads((FIXTURES / f"{name}.json").read_text())
    request = sample["request"]
    token = "another" if request["as"] == "bad-token" else TOKEN
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as session:
        response = await session.request(request["method"], server.url + request["path"], json=request["body"])
        body = json.loads(await response.text())
    assert response.status == sample["status"]
    assert response.content_type == sample["headers"]["Content-Type"].partition(";")[0]
    assert shape(body) == shape(sample["body"])
    if response.status >= 400:
        assert (body["id"], body["message"]) == (sample["body"]["id"], sample["body"]["message"])


def shape(value: Any) -> Any:
    match value:
        case dict():
            return {key: shape(child) for key, child in value.items()}
        case list():
            return [shape(child) for child in value]
    return type(value).__name__


async def test_pages_of_posts_have_the_recorded_keys(client: MattermostClient, server: FakeMattermostServer) -> None:
    posts = [await server.post(ALICE, OPS, str(n)) for n in range(5)]
    page = await client.newest_posts(OPS, per_page=2)
    assert set(page) == set(recorded("channel_posts_after"))
    assert page["order"] == [posts[4]["id"], posts[3]["id"]]
    server.since_returns_nothing = 1
    assert (await client.posts_since(OPS, 0))["order"] == []
    assert len((await client.posts_since(OPS, 0))["order"]) == 5
