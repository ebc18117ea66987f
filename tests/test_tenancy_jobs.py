"""A chat's jobs are its own: Hermes' own tool for jobs, with the plugin's middleware."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cron import jobs as hosts
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.contract.names import HostName
from hermes_hardened_adapters.common.host.tenancy import middleware, session
from tools.registry import registry

from tests.tenancy_host import ALICE, BOB, GROUP, UNKNOWN, Host, gateway, in_chat

TOOL = next(name for name in ("cronjob_manage", "cronjob") if name in registry._tools)
ACTIONS = ["update", "pause", "resume", "remove", "run", "run_now", "trigger", "tomorrow"]


@pytest.fixture
def host(hermes_home: Path, jobs_at_home: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("HERMES_GATEWAY_SESSION", "1")
    with gateway():
        yield Host(hermes_home)


def ask(host: Host, chat: dict[str, str], action: str, session_id: str = "s", **args: Any) -> dict[str, Any]:
    """Call the tool; a call that Hermes would refuse on its own counts as a fault of the test."""
    told = json.loads(host.call(chat, TOOL, action=action, session_id=session_id, **args))
    assert isinstance(told, dict)
    return told


def made(host: Host, chat: dict[str, str], name: str, **args: Any) -> str:
    told = ask(host, chat, "create", name=name, prompt=f"tell of {name}", schedule="every 2h", **args)
    assert told.get("success"), told
    return str(told["job_id"])


def names(told: dict[str, Any]) -> set[str]:
    assert told["count"] == len(told["jobs"])
    return {job["name"] for job in told["jobs"]}


def test_a_chat_lists_its_own_jobs(host: Host) -> None:
    made(host, ALICE, "dunlin")
    made(host, BOB, "oystercatcher")
    made(host, GROUP, "knot")
    hosts.create_job(prompt="the operator's", schedule="every 2h", name="heron")
    assert names(ask(host, ALICE, "list")) == {"dunlin"}
    assert names(ask(host, BOB, "LIST ", include_disabled=True)) == {"oystercatcher"}
    assert names(ask(host, GROUP, "list")) == {"knot"}
    assert "oystercatcher" not in json.dumps(ask(host, UNKNOWN, "list"))
    assert names(ask(host, {**ALICE, "platform": "telegram"}, "list")) == set()


def test_trusted_chats_and_the_operator_see_all_jobs(host: Host) -> None:
    made(host, ALICE, "dunlin")
    made(host, BOB, "oystercatcher")
    host.configure(trusted_chats=["signal:+15550000002"])
    assert names(ask(host, ALICE, "list")) == {"dunlin", "oystercatcher"}
    assert names(ask(host, BOB, "list")) == {"oystercatcher"}
    session._serving.clear()
    assert names(ask(host, UNKNOWN, "list")) == {"dunlin", "oystercatcher"}
    session.serves_chats()
    host.configure(policy="global")
    assert names(ask(host, BOB, "list")) == {"dunlin", "oystercatcher"}
    assert names(ask(host, UNKNOWN, "list")) == {"dunlin", "oystercatcher"}


@pytest.mark.parametrize("action", ["list", "create", *ACTIONS])
def test_where_all_profiles_have_one_list_a_chat_has_no_jobs(
    host: Host, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    """As before 0.19: the job may have been made in a chat of another profile's bot with the same person."""
    made(host, ALICE, "dunlin")
    before = hosts.load_jobs()
    monkeypatch.setattr(table, "OWN_JOBS", HostName(("cron.jobs:not_in_this_hermes",)))
    assert names(ask(host, ALICE, "list")) == {"dunlin"}
    (host.home / "profiles" / "other").mkdir(parents=True)
    told = ask(host, ALICE, action, job_id="dunlin", name="knot", prompt="tell of it", schedule="every 2h")
    assert "profiles" in told["error"]
    assert "dunlin" not in json.dumps(told)
    assert hosts.load_jobs() == before
    host.configure(trusted_chats=["signal:+15550000002"])
    assert names(ask(host, ALICE, "list")) == {"dunlin"}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_job_of_another_chat_is_not_reached(host: Host, action: str) -> None:
    theirs = made(host, BOB, "oystercatcher")
    operators = hosts.create_job(prompt="the operator's", schedule="every 2h", name="heron")["id"]
    before = hosts.load_jobs()
    for wanted in (
        theirs,
        theirs[:6],
        theirs.upper(),
        "oystercatcher",
        "OYSTERCATCHER",
        operators,
        "heron",
        7,
        [theirs],
    ):
        told = json.dumps(ask(host, ALICE, action, job_id=wanted, prompt="changed", name="changed"))
        assert "No such job" in told
        assert "oystercatcher" not in told
        assert "heron" not in told
    assert hosts.load_jobs() == before


def test_own_jobs_are_changed_by_id_and_name(host: Host) -> None:
    made(host, BOB, "knot")
    mine = made(host, ALICE, "Knot")
    assert ask(host, ALICE, "pause", job_id="KNOT")["success"]
    states = {job["name"]: job["enabled"] for job in hosts.load_jobs()}
    assert states == {"knot": True, "Knot": False}
    assert ask(host, ALICE, "resume", job_id=mine)["success"]
    assert ask(host, ALICE, "update", job_id="knot", prompt="tell of knots in ropes")["success"]
    assert [job["prompt"] for job in hosts.load_jobs()] == ["tell of knot", "tell of knots in ropes"]
    assert ask(host, ALICE, "remove", job_id="knot")["success"]
    assert [job["name"] for job in hosts.load_jobs()] == ["knot"]


def test_a_name_of_two_own_jobs_is_ambiguous_and_ids_of_others_stay_untold(host: Host) -> None:
    ids = {made(host, ALICE, "knot"), made(host, ALICE, "knot")}
    theirs = made(host, BOB, "knot")
    told = json.dumps(ask(host, ALICE, "remove", job_id="knot"))
    assert all(each in told for each in ids)
    assert theirs not in told
    assert len(hosts.load_jobs()) == 3


def test_a_job_named_like_the_id_of_another_is_the_own_one(host: Host) -> None:
    theirs = made(host, BOB, "oystercatcher")
    made(host, ALICE, theirs)
    assert ask(host, ALICE, "remove", job_id=theirs)["success"]
    assert [job["name"] for job in hosts.load_jobs()] == ["oystercatcher"]


@pytest.mark.parametrize(
    "target",
    [
        *("all", "telegram", "signal", "signal:+15550000003", "origin,all", "local, signal:+15550000003", "bot-chat"),
        *(["all"], ["origin", "telegram"], '["all"]', ["origin,all"], {"a": 1}, 5, "telegram:+15550000002"),
        *("signal:+15550000002:9", "https://example.org"),
    ],
)
def test_jobs_answer_to_their_chat_only(host: Host, target: Any) -> None:
    mine = made(host, ALICE, "dunlin")
    before = hosts.load_jobs()
    for name in ("deliver", "failure_deliver"):
        assert not ask(host, ALICE, "create", prompt="x", schedule="every 2h", **{name: target})["success"]
        assert not ask(host, ALICE, "update", job_id=mine, **{name: target})["success"]
    assert hosts.load_jobs() == before


@pytest.mark.parametrize("target", [None, "", "origin", "local", "signal:+15550000002", ["origin"], "ORIGIN"])
def test_a_job_may_answer_here(host: Host, target: Any) -> None:
    made(host, ALICE, "dunlin", deliver=target)


def test_jobs_read_own_jobs_only(host: Host) -> None:
    mine, theirs = made(host, ALICE, "dunlin"), made(host, BOB, "oystercatcher")
    for sources in (theirs, [theirs], [mine, theirs], json.dumps([theirs]), "oystercatcher", f"{mine},{theirs}", [7]):
        assert not ask(host, ALICE, "create", prompt="x", schedule="every 2h", context_from=sources)["success"]
        assert not ask(host, ALICE, "update", job_id=mine, context_from=sources)["success"]
    for sources in (mine, [mine], "dunlin", json.dumps([mine])):
        made(host, ALICE, "after", context_from=sources)
        assert hosts.load_jobs()[-1]["context_from"] == [mine]


def test_a_thread_and_a_person_have_their_own_jobs_where_the_policy_says_so(host: Host) -> None:
    channel = {"platform": "mattermost", "chat_id": "c1", "user_id": "u1"}
    thread, other = {**channel, "thread_id": "t1"}, {**channel, "user_id": "u2"}
    for policy, seen_in_channel, seen_by_other in (
        ("chat", {"in channel", "in thread"}, {"in channel", "in thread"}),
        ("thread", {"in channel"}, {"in channel"}),
        ("chat+user", {"in channel", "in thread"}, set()),
    ):
        host.configure(policy=policy)
        for job in hosts.load_jobs():
            hosts.remove_job(job["id"])
        made(host, channel, "in channel")
        made(host, thread, "in thread")
        assert names(ask(host, channel, "list")) == seen_in_channel
        assert names(ask(host, other, "list")) == seen_by_other


def test_a_context_of_two_chats_does_not_share_jobs(host: Host) -> None:
    host.configure(contexts={"signal:+15550000002": "family", "signal:+15550000003": "family"})
    made(host, ALICE, "dunlin")
    assert names(ask(host, BOB, "list")) == set()


def test_a_job_that_would_be_the_operators_is_not_made(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in `/background`, where Hermes binds nothing but our own variable names the chat."""
    monkeypatch.setattr(session, "current", lambda _: session.Chat(**ALICE))
    assert not ask(host, UNKNOWN, "create", prompt="x", schedule="every 2h")["success"]
    assert hosts.load_jobs() == []


def test_the_agent_of_a_job_has_the_jobs_of_its_chat(host: Host) -> None:
    mine = made(host, ALICE, "dunlin")
    made(host, BOB, "oystercatcher")
    operators = hosts.create_job(prompt="the operator's", schedule="every 2h", name="heron")["id"]
    assert names(ask(host, UNKNOWN, "list", session_id=f"cron_{mine}_20260101_000000")) == {"dunlin"}
    assert "oystercatcher" not in json.dumps(ask(host, UNKNOWN, "list", session_id="cron_gone_20260101_000000"))
    assert len(names(ask(host, UNKNOWN, "list", session_id=f"cron_{operators}_20260101_000000"))) == 3


def test_scripts_are_not_for_chats(host: Host) -> None:
    (host.home / "scripts").mkdir(exist_ok=True)
    (host.home / "scripts" / "backup.sh").write_text("echo")
    for more in ({"script": "backup.sh", "no_agent": True}, {"monitor": "backup.sh"}):
        told = ask(host, ALICE, "create", prompt="x", schedule="every 2h", **more)
        assert "Scripts of jobs" in told["error"]


@pytest.mark.parametrize("broken", ["LIST_JOBS", "REMOVE_JOB"])
def test_an_error_never_runs_the_unfiltered_call(host: Host, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = made(host, BOB, "oystercatcher")

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(table, broken, fails)
        patched.setattr(session, "current", lambda _: session.Chat(**ALICE))
        for action in ("list", "create", "remove"):
            told = ask(host, UNKNOWN, action, job_id=theirs, prompt="x", schedule="every 2h")
            assert broken == "REMOVE_JOB" or not told["success"]
            assert "oystercatcher" not in json.dumps(told)
    assert hosts.get_job(theirs) is not None


@pytest.mark.parametrize("answer", ["no JSON", "[]", '{"jobs": 5}', '{"jobs": ["a"]}', None, 5])
def test_an_unknown_answer_is_withheld(host: Host, answer: Any) -> None:
    told = in_chat(
        ALICE, middleware.carry_out, tool_name=TOOL, args={"action": "list"}, next_call=lambda _: answer, session_id="s"
    )
    assert "withheld" not in told
    assert json.loads(told)["success"] is False


def test_an_error_of_the_tool_itself_is_passed_on(host: Host) -> None:
    def next_call(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_chat(
            ALICE, middleware.carry_out, tool_name=TOOL, args={"action": "list"}, next_call=next_call, session_id="s"
        )
