"""The operator's commands beside a running adapter in the real host, and `/adapters` from a chat."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.cli.trace import followed
from hermes_hardened_adapters.common.host.profile import state_file
from hermes_hardened_adapters.common.state import snapshot
from hermes_hardened_adapters.common.state.store import pseudonymizer

from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import DM, HERMES, OPS, TOKEN, FakeMattermostServer
from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    ALICE_ACI,
    BOB_ACI,
    CAROL,
    CAROL_ACI,
    GROUP,
    OWN_ACI,
    FakeSignalDaemon,
    contact,
    group,
)
from tests.hosted import Hosted, hosted, hosted_mattermost
from tests.recordings import operated
from tests.scene_signal import ALICE_A, ALLOTMENT, BOT, BOT_ITSELF, CAROL_C, Person, in_group, variant


@pytest.fixture
def daemon(daemon: FakeSignalDaemon, alice_on_signal: None, monkeypatch: pytest.MonkeyPatch) -> FakeSignalDaemon:
    """A daemon with Carol and a second group, that the environment points to."""
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", f"{ALICE},{CAROL}")
    monkeypatch.setattr(snapshot, "EVERY_SECONDS", 0.05)
    daemon.groups.append(group(ALLOTMENT, name="Allotment"))
    daemon.contacts.append(contact(CAROL, CAROL_ACI, "Carol"))
    monkeypatch.setenv("SIGNAL_HTTP_URL", daemon.url)
    monkeypatch.setenv("SIGNAL_ACCOUNT", ACCOUNT)
    return daemon


@pytest.fixture
def server(
    server: FakeMattermostServer, alice_and_bob_on_mattermost: None, monkeypatch: pytest.MonkeyPatch
) -> FakeMattermostServer:
    """A server that the environment points to."""
    monkeypatch.setenv("MATTERMOST_URL", server.url)
    monkeypatch.setenv("MATTERMOST_TOKEN", TOKEN)
    return server


def named(identity: str) -> str:
    """Return the pseudonym of somebody in the running gateway's trace."""
    return pseudonymizer(state_file(Path(os.environ["HERMES_HOME"])))(identity)


def texts(host: Hosted) -> list[str]:
    return [event.text for event in host.reached]


# -- from outside


async def test_a_group_is_approved_and_revoked_while_the_gateway_runs(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hosted(daemon) as host:
        ask = lambda text: in_group(ALICE_A, f"{BOT} {text}", BOT_ITSELF, group_id=ALLOTMENT)  # noqa: E731
        await host.emit(ask("before"))
        assert texts(host) == []
        assert await operated("groups", "approve", ALLOTMENT, "--why", "the neighbours asked") == 0
        await host.until(lambda: ALLOTMENT in host.adapter.connection.allowlist.approved)
        await host.emit(ask("in between"))
        assert "remove it there" not in capsys.readouterr().out
        assert await operated("groups", "revoke", named(GROUP)) == 0
        assert "remove it there" in capsys.readouterr().out
        assert await operated("groups", "revoke", ALLOTMENT) == 0
        await host.until(lambda: host.adapter.connection.allowlist.revoked == {GROUP, ALLOTMENT})
        await host.emit(ask("after"), in_group(ALICE_A, f"{BOT} listed, but revoked", BOT_ITSELF))
        assert texts(host) == ["in between"]
        capsys.readouterr()
        assert await operated("groups", "list", "--json") == 0
        rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
        assert not rows["Allotment"]["served"]
        assert rows["Allotment"]["because"].startswith("revoked by ")
        assert rows["Test Group"]["membership"] == "member"


async def test_a_group_we_are_invited_to_is_joined_when_it_is_approved(daemon: FakeSignalDaemon) -> None:
    pending = group(ALLOTMENT, name="Allotment", pending=((ACCOUNT, OWN_ACI),), is_member=False)
    daemon.groups = [group(), pending]
    async with hosted(daemon) as host:
        assert await operated("groups", "approve", ALLOTMENT) == 0
        await host.until(lambda: daemon.called("updateGroup") == [{"account": ACCOUNT, "groupId": ALLOTMENT}])
        assert GROUP not in host.adapter.connection.allowlist.approved


async def test_what_was_approved_while_no_gateway_ran_is_joined_at_connect(daemon: FakeSignalDaemon) -> None:
    assert await operated("groups", "approve", ALLOTMENT) == 0
    daemon.groups = [group(), group(ALLOTMENT, name="Allotment", pending=((ACCOUNT, OWN_ACI),), is_member=False)]
    async with hosted(daemon) as host:
        await host.until(lambda: len(daemon.called("updateGroup")) == 1)
        await host.emit(in_group(ALICE_A, f"{BOT} here?", BOT_ITSELF, group_id=ALLOTMENT))
        assert texts(host) == ["here?"]


async def test_a_channel_is_approved_and_revoked_while_the_gateway_runs(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server) as host:
        await server.post(ALICE_ID, OPS, "@hermes before")
        await host.settled()
        assert await operated("groups", "revoke", OPS) == 0
        await host.until(lambda: OPS in host.adapter.connection.allowlist.revoked)
        await server.post(ALICE_ID, OPS, "@hermes after")
        await host.settled()
        assert texts(host) == ["before"]
        mallory = server.add_user("mallory")
        asked_for, not_asked_for = (server.add_channel(name, members={mallory}) for name in ("wanted", "unwanted"))
        assert await operated("groups", "approve", asked_for) == 0
        await host.until(lambda: asked_for in host.adapter.connection.allowlist.approved)
        for channel in (asked_for, not_asked_for):
            await server.add_member(channel, HERMES, mallory)
        await host.settled()
        assert HERMES in server.members[asked_for]
        assert HERMES not in server.members[not_asked_for]


async def test_an_order_about_nothing_known_is_refused(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await operated("groups", "approve", "group.QUJD") == 2
    assert "is not a known group or channel" in capsys.readouterr().err
    assert await operated("groups", "approve", OPS) == 2  # Mattermost is not configured


async def test_the_groups_are_listed_without_the_daemon(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    await daemon.stop()
    assert await operated("groups", "list") == 0
    written = capsys.readouterr()
    assert GROUP in written.out
    assert "The list from signal is missing" in written.err


async def test_a_number_that_moved_is_confirmed_while_the_gateway_runs(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    new = Person("Alice", "77777777-7777-4777-8777-777777777777", ALICE)
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="before"), variant("dm_text", new, text="a new phone"))
        assert texts(host) == ["before"]
        assert await operated("people", "moved", "--json") == 0
        moved = {"number": ALICE, "aci": ALICE_ACI, "moved_to": new.aci}
        assert json.loads(capsys.readouterr().out) == [moved]
        for wrong in (ALICE_ACI, "55555555-5555-4555-8555-555555555555", new.aci.replace("-", ""), "PNI:" + new.aci):
            assert await operated("people", "confirm", ALICE, wrong) == 2
        assert await operated("people", "confirm", ALICE, new.aci, "--why", "she called") == 0
        await host.until(lambda: host.adapter.connection.source.senders.directory.aci_of(ALICE) == new.aci)
        await host.emit(variant("dm_text", new, text="it is me"))
        old = Person("somebody", ALICE_ACI, None)
        await host.emit(variant("dm_text", old, text="her old account"))
        assert texts(host) == ["before", "it is me"]
    assert await operated("people", "confirm", ALICE, new.aci) == 2
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", new, text="still me"))
        assert texts(host) == ["still me"]


# -- status and trace


async def test_the_status_of_a_running_gateway_and_of_none(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await operated("status") == 2  # no state file yet
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="hello"), in_group(ALICE_A, "not addressed"))

        async def fresh() -> Any:
            capsys.readouterr()
            assert await operated("status", "--json") in {0, 1}
            (row,) = json.loads(capsys.readouterr().out)
            return row

        async with asyncio.timeout(5):
            while not (row := await fresh()).get("decisions"):
                await asyncio.sleep(0.05)
        assert row["fault"] == ""
        assert row["listening"]
        assert row["ledger"] == 2
        assert row["decisions"] == {"dispatch direct message": 1, "dispatch no mention required here": 1}
        assert await operated("status") == 0
    assert await operated("status") == 1
    assert "not connected" in capsys.readouterr().out


async def test_a_gateway_that_hangs_is_not_called_listening(
    daemon: FakeSignalDaemon, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hosted(daemon):
        await asyncio.sleep(0.3)
        monkeypatch.setattr(snapshot, "FRESH_SECONDS", -1.0)
        assert await operated("status") == 1
        assert "no gateway has been running" in capsys.readouterr().out


async def test_the_trace_is_found_by_number_aci_group_and_pseudonym(
    daemon: FakeSignalDaemon, hermes_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="a secret"), variant("dm_text", CAROL_C, text="mine"))
        await host.emit(in_group(ALICE_A, "who is up?", group_id=ALLOTMENT))

    async def found(*filters: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert await operated("trace", "--json", *filters) == 0
        out = capsys.readouterr().out
        assert ALICE not in out
        assert "secret" not in out
        return [json.loads(line) for line in out.splitlines()]

    everything = await found()
    assert [row["verdict"] for row in everything] == ["dispatch", "dispatch", "ignore"]
    assert await found("--who", ALICE) == await found("--who", ALICE_ACI.upper()) == [everything[0], everything[2]]
    assert await found("--who", CAROL) == [everything[1]]
    assert await found("--chat", ALLOTMENT) == await found("--chat", named(ALLOTMENT)) == [everything[2]]
    assert await found("--verdict", "ignore", "--network", "signal") == [everything[2]]
    assert await found("--last", "1") == [everything[2]]
    assert await found("--network", "mattermost") == []
    with closing(followed(state_file(hermes_home), 1)) as going_on:
        assert [next(going_on).event for _ in range(2)] == [row["event"] for row in everything[1:]]
    assert await operated("trace") == 0
    written = capsys.readouterr().out
    assert all(row["reason"] in written and row["event"] in written for row in everything)


# -- from a chat


async def test_an_admin_operates_the_bot_from_a_direct_message(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon, allow_admin_from=[ALICE], group_allow_admin_from=[ALICE]) as host:

        async def asked(text: str, who: Any = ALICE_A) -> str:
            before = len(daemon.called("send"))
            await host.emit(variant("dm_text", who, text=text))
            answers = daemon.called("send")[before:]
            return str(answers[0]["message"]) if answers else ""

        assert "listening" in await asked("/adapters status")
        listed = await asked("/adapters groups list")
        assert "✓ Test Group" in listed
        assert "✗ Allotment" in listed
        approval = f"/adapters groups approve {named(ALLOTMENT)} the neighbours asked"
        assert await asked(approval) == "Allotment: granted"
        assert host.adapter.connection.allowlist.approved == {ALLOTMENT}
        assert "dispatch by rule 5" in await asked("/adapters trace 3")
        assert "no such group" in await asked("/adapters groups approve nonsense")
        assert await asked(f"/adapters groups revoke {ALLOTMENT}") == "Allotment: revoked"
        assert (await asked("/adapters")).startswith("/adapters status")
        assert "Only an admin" in await asked("/adapters status", CAROL_C)
        assert host.reached == []
        before = len(daemon.called("send"))
        await host.emit(in_group(ALICE_A, f"{BOT} /adapters trace", BOT_ITSELF))
        assert "direct message" in daemon.called("send")[before]["message"]


async def test_where_nobody_is_an_admin_nobody_operates(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon) as host:
        await host.emit(variant("dm_text", ALICE_A, text="/adapters groups revoke " + GROUP))
        assert "Only an admin" in daemon.called("send")[0]["message"]
        assert not host.adapter.connection.allowlist.revoked


async def test_a_stranger_gets_no_answer_from_it(daemon: FakeSignalDaemon) -> None:
    async with hosted(daemon, allow_admin_from=[ALICE]) as host:
        event = variant("dm_text", ALICE_A, text="/adapters status")
        event["envelope"] |= dict.fromkeys(("source", "sourceNumber"), "+15550009999") | {"sourceUuid": BOB_ACI}
        await host.emit(event)
        assert daemon.called("send") == []
        assert len(host.refused) == 1


async def test_an_admin_operates_mattermost_too(server: FakeMattermostServer) -> None:
    async with hosted_mattermost(server, allow_admin_from=[ALICE_ID]) as host:
        await server.post(ALICE_ID, DM, "@hermes /adapters groups list")
        await host.settled()
        (answer,) = [post for post in server.posts.values() if post["user_id"] == HERMES]
        assert f"{OPS} member: the settings allow all" in answer["message"]
