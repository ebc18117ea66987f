"""Mattermost in the real host: posts in at a fake server, what reached Hermes, what was posted back."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platform_registry import platform_registry
from gateway.platforms.base import MessageType
from gateway.slash_access import policy_for_source
from hermes_hardened_adapters.adapters.mattermost import connection
from hermes_hardened_adapters.adapters.mattermost.rest.client import MattermostClient
from hermes_hardened_adapters.common.core.chats import Status

from tests.fakes.mattermost_rest import Fault
from tests.fakes.mattermost_server import ALICE, BOB, DM, GROUP_MESSAGE, HERMES, OPS, SECRET, TEAM, FakeMattermostServer
from tests.hosted import Hosted, created_mattermost, hosted_mattermost

pytestmark = pytest.mark.usefixtures("alice_and_bob_on_mattermost")


async def said(host: Hosted, server: FakeMattermostServer, *posts: tuple[Any, ...], **fields: Any) -> None:
    for post in posts:
        await server.post(*post, **fields)
        await host.settled()


def answers(server: FakeMattermostServer) -> list[dict[str, Any]]:
    return [post for post in server.posts.values() if post["user_id"] == HERMES]


# -- gating


async def test_a_mention_a_command_and_a_direct_message(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await said(
            host,
            server,
            (ALICE, OPS, "@hermes what is the status?"),
            (ALICE, OPS, "@hermes, /status"),
            (ALICE, OPS, "@hermes/ops look"),
            (ALICE, DM, "just us"),
            (ALICE, GROUP_MESSAGE, "@hermes in private"),
        )
        assert [(event.text, event.get_command(), event.source.chat_type) for event in host.reached] == [
            ("what is the status?", None, "channel"),
            ("/status", "status", "channel"),
            ("@hermes/ops look", None, "channel"),
            ("just us", None, "dm"),
            ("in private", None, "group"),
        ]
        assert {event.source.user_id for event in host.reached} == {ALICE}
        assert host.reached[0].source.user_name == "alice"


@pytest.mark.parametrize("text", ["@hermes2 hi", "joe@hermes.io", "`@hermes` hi", "```\n@hermes\n```", "hi all"])
async def test_what_is_no_mention_is_observed(server: FakeMattermostServer, text: str) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, text))
        assert [event.observe_only for event in host.passed] == [True]
        assert answers(server) == []


async def test_markdown_around_a_mention_is_not_damaged(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "**@hermes** do  `a  b`"), (ALICE, OPS, "look, @hermes!"))
        assert [event.text for event in host.reached] == ["**@hermes** do  `a  b`", "look!"]


@pytest.mark.parametrize(
    "props",
    [
        {"from_webhook": "true"},
        {"from_webhook": "true", "override_username": "alice"},
        {"from_bot": "true"},
        {"from_plugin": "true"},
        {"override_username": "admin"},
    ],
)
async def test_what_no_person_typed_carries_nobodys_authority(
    server: FakeMattermostServer, props: dict[str, str]
) -> None:
    async with hosted_mattermost(server, group_allow_admin_from=[ALICE]) as host:
        await said(
            host,
            server,
            (ALICE, OPS, "@hermes /restart"),
            (ALICE, OPS, "@hermes do it"),
            sender_name="alice",
            props=props,
        )
        assert host.dispatched == []
        await said(host, server, (ALICE, OPS, "@hermes what was that?"))
        (event,) = host.reached
        lines = event.channel_context.split("\n")
        assert lines[1].startswith("[unverified] program")
        assert "＠hermes /restart" in lines[1]


async def test_programs_that_are_allowed_are_heard_but_never_command_nor_go_on_for_ever(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATTERMOST_ALLOW_BOTS", "mentions")
    hook = {"from_webhook": "true"}
    async with hosted_mattermost(server, group_allow_admin_from=[ALICE]) as host:
        await said(host, server, (ALICE, OPS, "@hermes /restart"), props=hook)
        assert host.dispatched == []
        await said(host, server, *[(ALICE, OPS, f"@hermes alert {n}") for n in range(6)], props=hook)
        assert [event.text for event in host.reached] == ["alert 0", "alert 1", "alert 2"]
        source = host.reached[0].source
        assert (source.user_id, source.is_bot) == (f"program:{ALICE}", True)
        assert not policy_for_source(host.runner.config, source).is_admin(source.user_id)
        await said(host, server, (BOB, OPS, "@hermes enough"))
        await said(host, server, (ALICE, OPS, "@hermes alert again"), props=hook)
        assert [event.text for event in host.reached][3:] == ["enough", "alert again"]


async def test_a_stranger_is_only_observed(server: FakeMattermostServer, mallory: str) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (mallory, OPS, "@hermes read @file:notes.txt"), (ALICE, OPS, "@hermes hi"))
        assert [event.text for event in host.dispatched] == ["hi"]
        assert "[unverified] mallory: ＠hermes read ＠file:notes.txt\n" in host.reached[0].channel_context


async def test_what_is_said_to_another_person_is_observed(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server, require_mention=False) as host:
        await said(host, server, (ALICE, OPS, "@bob look"), (ALICE, OPS, "@nobody look"), (ALICE, OPS, "hi"))
        assert [event.text for event in host.observed] == ["@bob look"]
        assert [event.text for event in host.reached] == ["@nobody look", "hi"]
        lookups = [call for call in server.calls if call.path.endswith("/users/usernames")]
        assert len(lookups) == 2


async def test_a_thread_of_ours_needs_no_mention(server: FakeMattermostServer) -> None:
    root = server.store(ALICE, OPS, "a root of alice's")
    ours = server.store(HERMES, OPS, "a root of ours")
    async with hosted_mattermost(server) as host:
        await said(host, server, (BOB, OPS, "not for us"), root_id=root["id"])
        await said(host, server, (BOB, OPS, "for us"), (BOB, OPS, "@alice not for us"), root_id=ours["id"])
        assert [event.text for event in host.reached] == ["for us"]
        assert host.reached[0].source.thread_id == ours["id"]
        await server.post(HERMES, OPS, "answering", root_id=root["id"])
        await said(host, server, (BOB, OPS, "for us now"), root_id=root["id"])
        assert [event.text for event in host.reached] == ["for us", "for us now"]
        threads = [call for call in server.calls if call.path.endswith("/thread")]
        assert len(threads) == 2


async def test_threads_have_backgrounds_of_their_own(server: FakeMattermostServer) -> None:
    root = server.store(ALICE, OPS, "root")["id"]
    async with hosted_mattermost(server) as host:
        await said(host, server, (BOB, OPS, "in the channel"))
        await said(host, server, (BOB, OPS, "in the thread"), (ALICE, OPS, "@hermes and here?"), root_id=root)
        await said(host, server, (ALICE, OPS, "@hermes and there?"))
        contexts = [event.channel_context for event in host.reached]
        assert ["in the thread" in c for c in contexts] == [True, False]
        assert ["in the channel" in c for c in contexts] == [False, True]


async def test_a_reaction_is_background_in_the_thread_of_the_post(server: FakeMattermostServer) -> None:
    root = server.store(ALICE, OPS, "root")["id"]
    async with hosted_mattermost(server) as host:
        there = await server.post(server.me_id, OPS, "in the thread", root_id=root)
        here = await server.post(server.me_id, OPS, "in the channel")
        foreign = await server.post(BOB, OPS, "Bob's")
        await host.settled()
        for post, emoji in ((there, "tada"), (here, "heart"), (here, "tada"), (foreign, "heart")):
            await server.react(BOB, post["id"], emoji)
        await server.react(server.me_id, here["id"], "eyes")
        await server.react(BOB, here["id"], "heart", removed=True)
        await host.settled()
        lines = host.adapter._observed.lines
        assert list(map(str, lines(f"{OPS} {root}"))) == ['bob reacted :tada: to "in the thread"']
        assert list(map(str, lines(OPS)))[1:] == ['bob reacted :tada: to "in the channel"']
        await server.react(BOB, here["id"], "tada", removed=True)
        await host.settled()
        assert len(lines(OPS)) == 1
        assert host.dispatched == []


async def test_the_operator_turns_reactions_off(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server, reaction_context="off") as host:
        ours = await server.post(server.me_id, OPS, "ours")
        await host.settled()
        await server.react(BOB, ours["id"], "tada")
        await host.settled()
        assert host.adapter._observed.count() == 0


@pytest.mark.parametrize("wanted", ["answer", "background"])
async def test_edits_are_looked_at_again_and_deletions_forgotten(server: FakeMattermostServer, wanted: str) -> None:
    async with hosted_mattermost(server, edited_requests=wanted) as host:
        typo = await server.post(ALICE, OPS, "teh plan")
        oops = await server.post(ALICE, OPS, "a secret")
        late = await server.post(ALICE, OPS, "what now?")
        asked = await server.post(ALICE, OPS, "@hermes first")
        await host.settled()
        await server.edit(typo["id"], "the plan")
        await server.delete(oops["id"])
        await server.edit(late["id"], "@hermes what now?")
        await server.edit(asked["id"], "@hermes first, again")
        await host.settled()
        again = ["(edited) first, again"] if wanted == "answer" else []
        assert [event.text for event in host.reached] == ["first", "(edited) what now?", *again]
        await said(host, server, (ALICE, OPS, "@hermes well?"))
        contexts = "".join(event.channel_context or "" for event in host.reached[1:])
        assert "alice: the plan" in contexts
        assert "teh plan" not in contexts
        assert "a secret" not in contexts
        assert ("(edited) first, again" in contexts) == (wanted == "background")


async def test_a_renamed_bot_is_still_found(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        server.users[HERMES]["username"] = "iris"
        await server.emit({"event": "user_updated", "data": {"user": server.users[HERMES]}, "broadcast": {}})
        await said(host, server, (ALICE, OPS, "@iris hi"), (ALICE, OPS, "@hermes hi"))
        assert [event.text for event in host.reached] == ["hi"]


async def test_everybody_is_not_us_unless_wanted(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@channel hi"))
        assert host.dispatched == []
    async with hosted_mattermost(server, broadcast_addresses=True) as host:
        await said(host, server, (ALICE, OPS, "@channel hi"))
        assert [event.text for event in host.reached] == ["@channel hi"]


async def test_channels_that_are_not_listed_are_not_read(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server, allowed_channels=[SECRET]) as host:
        await said(host, server, (ALICE, OPS, "@hermes hi"), (ALICE, SECRET, "@hermes there"))
        assert [event.text for event in host.passed] == ["there"]


# -- joins


@pytest.mark.parametrize("listed", [True, False])
async def test_whoever_adds_us_decides_whether_we_stay(
    server: FakeMattermostServer, mallory: str, listed: bool
) -> None:
    channel = server.add_channel("new", members={ALICE, mallory})
    async with hosted_mattermost(server, allowed_channels=[OPS]) as host:
        await server.add_member(channel, HERMES, ALICE if listed else mallory)
        await said(host, server, (ALICE, channel, "@hermes hi"))
        assert [event.text for event in host.reached] == (["hi"] if listed else [])
        assert (HERMES in server.members[channel]) is listed
    async with hosted_mattermost(server, allowed_channels=[OPS]) as host:
        await said(host, server, (ALICE, channel, "@hermes after a restart"))
        assert [event.text for event in host.reached] == (["after a restart"] if listed else [])


async def test_removed_and_forgotten(server: FakeMattermostServer) -> None:
    channel = server.add_channel("new", members={ALICE})
    async with hosted_mattermost(server, allowed_channels=[OPS]) as host:
        await server.add_member(channel, HERMES, ALICE)
        await server.remove_member(channel, HERMES, ALICE)
        await said(host, server, (ALICE, channel, "@hermes hi"))
        assert host.reached == []


# -- files


async def test_files_of_dispatched_posts_are_fetched_others_named(server: FakeMattermostServer) -> None:
    photo = server.add_file("photo.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 32, ALICE)["id"]
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "look"), file_ids=[photo])
        assert [event.text for event in host.observed] == ["look (Attachment photo.png, image/png, not fetched)"]
        assert not [call for call in server.calls if "/files/" in call.path]
        await said(host, server, (ALICE, OPS, "@hermes look"), file_ids=[photo])
        (event,) = host.reached
        assert (event.message_type, event.media_types) == (MessageType.PHOTO, ["image/png"])
        del server.files[photo]
        await said(host, server, (ALICE, DM, "gone"), file_ids=[photo])
        assert "could not be fetched" in host.reached[-1].text


# -- catch-up


@pytest.mark.parametrize("resumes", [True, False])
async def test_a_cut_of_two_seconds_loses_and_doubles_nothing(server: FakeMattermostServer, resumes: bool) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@hermes before"))
        server.resumes = resumes
        server.cut()
        await server.post(ALICE, OPS, "@hermes one")
        await server.post(BOB, OPS, "beside the point")
        await server.post(BOB, OPS, "@hermes two")
        await server.post(ALICE, DM, "direct")
        await server.post(ALICE, SECRET, "@hermes three")
        await host.until(lambda: len(host.reached) >= 5)
        await said(host, server, (ALICE, OPS, "@hermes after"))
        texts = [event.text for event in host.reached]
        assert sorted(texts) == sorted(["before", "one", "two", "direct", "three", "after"])
        in_ops = [e.text for e in host.reached if e.source.chat_id == OPS]
        assert in_ops == ["before", "one", "two", "after"]
        assert sum("beside the point" in (e.channel_context or "") for e in host.reached) >= 1
        assert host.adapter.connection.source.gaps.caught_up == (0 if resumes else 5)


@pytest.mark.parametrize("path", ["/users/me/channels", f"/channels/{OPS}/posts"])
async def test_posts_missed_while_rest_was_ill_are_not_lost(
    server: FakeMattermostServer, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = partial(MattermostClient, sleep=lambda seconds: asyncio.sleep(seconds / 50))
    monkeypatch.setattr(connection, "MattermostClient", quick)
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@hermes one"))
        server.resumes = False
        server.faults.append(Fault(500, 4, path=path))
        server.store(ALICE, OPS, "@hermes two")
        server.cut()
        await server.connected(1)
        later = server.now() + 11_000
        await server.post(ALICE, OPS, "@hermes three", create_at=later, update_at=later)
        await host.until(lambda: len(host.reached) == 3)
        assert sorted(event.text for event in host.reached) == ["one", "three", "two"]
        cursors = host.adapter.connection.source.cursors
        await host.until(lambda: cursors.since(OPS) == later)


@pytest.mark.parametrize("delay", [0, 0.001, 0.005, 0.02, 0.05])
async def test_disconnecting_while_connecting_leaves_nothing(server: FakeMattermostServer, delay: float) -> None:
    _, adapter = created_mattermost(server)
    connecting = asyncio.create_task(adapter.connect())
    await asyncio.sleep(delay)
    await adapter.disconnect()
    await connecting
    await adapter.disconnect()
    assert not adapter.is_connected
    assert not adapter.has_fatal_error
    assert not [task for task in asyncio.all_tasks() if "hermes_hardened_adapters" in repr(task.get_coro())]


async def test_after_a_restart_missed_mentions_are_answered_and_missed_commands_are_not(
    server: FakeMattermostServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@hermes before"))
    old = server.store(ALICE, OPS, "@hermes long ago")
    server.store(ALICE, OPS, "@hermes /restart")
    server.store(ALICE, OPS, "@hermes lately")
    server.store(ALICE, DM, "/restart")
    server.since_returns_nothing = 1
    async with hosted_mattermost(server, catch_up_minutes=15) as host:
        await host.until(lambda: len(host.reached) >= 2)
        await host.settled()
        assert {event.text for event in host.reached} >= {"lately", "long ago"}
        assert not [event for event in host.dispatched if event.is_command()]
        assert "before" not in {event.text for event in host.reached}
        assert "caught up" in caplog.text
    assert old


async def test_missed_edits_and_deletions_reach_the_background(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        typo = await server.post(ALICE, OPS, "teh plan")
        oops = await server.post(ALICE, OPS, "a secret")
        await host.settled()
        server.resumes = False
        server.cut()
        await server.edit(typo["id"], "the plan")
        await server.delete(oops["id"])
        await host.until(lambda: host.adapter.connection.stream.stats.reconnects >= 1)
        await host.settled()
        await said(host, server, (ALICE, OPS, "@hermes well?"))
        assert "\nalice: the plan\n[End" in host.reached[-1].channel_context


async def test_a_team_that_was_left_takes_its_channels_along(server: FakeMattermostServer) -> None:
    channel = server.add_channel("new", members={ALICE})
    async with hosted_mattermost(server, allowed_channels=[OPS]) as host:
        await server.add_member(channel, HERMES, ALICE)
        await host.settled()
        assert host.adapter.connection.source.allowlist.approved == {channel}
        server.members[channel].discard(HERMES)
        await server.emit({"event": "leave_team", "data": {"team_id": TEAM, "user_id": HERMES}, "broadcast": {}})
        await host.until(lambda: not host.adapter.connection.source.allowlist.approved)


async def test_what_was_missed_too_long_ago_is_background(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@hermes before"))
    server.store(ALICE, OPS, "@hermes long ago")
    async with hosted_mattermost(server, catch_up_minutes=0) as host:
        await host.until(lambda: bool(host.observed))
        assert host.dispatched == []
        await said(host, server, (ALICE, OPS, "@hermes now"))
        assert "long ago" in host.reached[0].channel_context


async def test_the_first_run_of_all_has_missed_nothing(server: FakeMattermostServer) -> None:
    server.store(ALICE, OPS, "@hermes before we came")
    async with hosted_mattermost(server) as host:
        await asyncio.sleep(0.1)
        await host.settled()
        assert host.passed == []


# -- outbound


async def test_answers_stay_in_their_thread_and_ping_nobody(server: FakeMattermostServer) -> None:
    root = server.store(HERMES, OPS, "root")["id"]

    def typing() -> list[Any]:
        return [call.json for call in server.calls if call.path.endswith("/typing")]

    async with hosted_mattermost(server) as host:

        async def answer(event: Any) -> str | None:
            # Newer hosts show no typing for an answer that is there at once.
            await host.until(lambda: bool(typing()))
            return await host._handle(event)

        host.adapter.set_message_handler(answer)
        await said(host, server, (ALICE, OPS, "hi"), root_id=root)
        assert [(post["message"], post["root_id"]) for post in answers(server)[1:]] == [("answer", root)]
        assert {body["parent_id"] for body in typing()} == {root}
        result = await host.adapter.send(OPS, "@channel and `@here` and @All.")
        assert result.success
        assert answers(server)[-1]["message"] == "@channe\u200bl and `@here` and @Al\u200bl."


async def test_long_texts_fill_posts_and_a_failure_in_the_middle_is_told(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        text = "\n".join(f"line {number} " + "x" * 90 for number in range(400))
        result = await host.adapter.send(OPS, text)
        assert result.success
        assert [len(post["message"]) <= 16383 for post in answers(server)] == [True] * 3
        server.members[OPS].discard(HERMES)
        result = await host.adapter._send_with_retry(OPS, text)
        assert not result.success
        assert "0 of 3 messages were sent" in result.error
        assert len(answers(server)) == 3


async def test_without_a_connection_an_answer_fails_at_once(server: FakeMattermostServer) -> None:
    _, adapter = created_mattermost(server)
    result = await adapter.send(OPS, "too late")
    assert not result.success
    assert answers(server) == []


async def test_a_rate_limit_is_waited_out(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        server.limit_rate(1)
        assert (await host.adapter.send(OPS, "patience")).success
        assert [post["message"] for post in answers(server)] == ["patience"]


async def test_a_picture_is_posted_by_stocks_own_code(server: FakeMattermostServer, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 32)
    async with hosted_mattermost(server) as host:
        result = await host.adapter.send_image_file(OPS, str(picture), caption="@all look")
        assert result.success
        assert answers(server)[-1]["message"] == "@al\u200bl look"
        assert len(answers(server)[-1]["file_ids"]) == 1


async def test_a_stranger_who_writes_sees_no_sign_of_us(
    server: FakeMattermostServer, mallory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MATTERMOST_ALLOWED_USERS")
    channel = server.add_channel("dm", "D", members={HERMES, mallory})
    async with hosted_mattermost(server) as host:
        server.calls.clear()
        await said(host, server, (mallory, channel, "hello?"))
        assert len(host.refused) == 1
        assert [call.path for call in server.calls if "typing" in call.path or "posts" in call.path] == []


# -- status


async def test_a_bad_token_is_told(server: FakeMattermostServer) -> None:
    _, adapter = created_mattermost(server, token="wrong" * 5)
    assert await adapter.connect() is False
    assert adapter.fatal_error_code == "mattermost_bad_token"
    assert "wrong" not in adapter.fatal_error_message
    assert not adapter.is_connected


async def test_a_refused_upgrade_is_told(server: FakeMattermostServer) -> None:
    server.refuse_upgrade = (403, {})
    _, adapter = created_mattermost(server)
    assert await adapter.connect() is False
    assert adapter.fatal_error_code
    assert not adapter.is_connected


async def test_a_server_that_is_not_there(hermes_home: Path) -> None:
    server = FakeMattermostServer(url="http://127.0.0.1:9")
    _, adapter = created_mattermost(server)
    assert await adapter.connect() is False
    assert (adapter.fatal_error_code, adapter.fatal_error_retryable) == ("mattermost_unreachable", True)


async def test_no_token_and_no_text_in_the_log(server: FakeMattermostServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with hosted_mattermost(server) as host:
        await said(host, server, (ALICE, OPS, "@hermes a secret text"), (BOB, DM, "another secret"))
        await host.adapter.send(OPS, "our secret")
    ours = "\n".join(r.getMessage() for r in caplog.records if "hardened" in r.name or "mattermost" in r.name.lower())
    assert "listening" in ours
    for secret in (server.token, "a secret text", "another secret", "our secret"):
        assert secret not in ours


async def test_the_entry_carries_what_stocks_carried(server: FakeMattermostServer) -> None:
    _, adapter = created_mattermost(server)
    assert type(adapter).__module__ == "hermes_hardened_adapters.adapters.mattermost.adapter"
    assert adapter.platform is Platform.MATTERMOST
    entry = platform_registry.get("mattermost")
    assert entry.plugin_name == "hardened-adapters"
    for name in (
        "apply_yaml_config_fn",
        "is_connected",
        "standalone_sender_fn",
        "cron_deliver_env_var",
        "max_message_length",
        "allow_update_command",
        "allowed_users_env",
        "allow_all_env",
        "setup_fn",
        "emoji",
        "required_env",
    ):
        assert getattr(entry, name), name


# -- channels that are not served


async def test_what_is_said_in_a_channel_that_is_not_served_is_traced_and_no_more(
    server: FakeMattermostServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MATTERMOST_ALLOWED_CHANNELS", GROUP_MESSAGE)
    async with hosted_mattermost(server) as host:
        source = host.adapter.connection.source
        await said(host, server, (ALICE, OPS, "@hermes one"), (BOB, OPS, "two"))
        assert source.pipeline.trace.counts == {"ignore chat not on the allowlist": 2}
        assert source.cursors.since(OPS) == max(post["create_at"] for post in server.posts.values())
        await source.allowlist.order(OPS, Status.GRANTED, "admin", "")
        await said(host, server, (ALICE, OPS, "@hermes three"))
        assert [event.text for event in host.reached] == ["three"]
