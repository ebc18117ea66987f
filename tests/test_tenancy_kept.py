"""Files that Hermes keeps for chats in common folders: a chat has those that were named to it, and no others."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platforms.base import MessageEvent
from gateway.session import SessionSource
from hermes_hardened_adapters.common.host.tenancy import middleware, session
from hermes_hardened_adapters.common.host.tenancy.guarding import kept
from hermes_hardened_adapters.common.tenancy.owners import Owners

from tests.chat_agent import DIRECT, Agents
from tests.chat_agent import GROUP as CHANNEL
from tests.fakes.echo_model import EchoModel
from tests.scripted_tools import asks, says
from tests.tenancy_host import ALICE, BOB, GROUP, UNKNOWN, Host, becomes, forget_shells, gateway, in_chat

WORD = "lapwing"
"""In every kept file."""
OTHERS = {"bob": BOB, "group": GROUP, "unknown": UNKNOWN}
LIVE = "cache/delegation/live/deleg_12345678/task-0.log"
PAGE = "cache/web/example.org-0123456789.md"
PICTURE = "cache/images/img_0123456789ab.png.txt"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    home, work = tmp_path / "home", tmp_path / "work"
    for each in (home, work, tmp_path / "temporary"):
        each.mkdir()
    for name, value in {"HOME": tmp_path, "HERMES_HOME": home, "TERMINAL_CWD": work}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(kept, "_files", Owners(100))
    monkeypatch.setattr(kept, "_calls", Owners(100))
    monkeypatch.chdir(work)
    with gateway():
        yield Host(home)
    forget_shells()


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"a {WORD}\n")
    return path


def reads(host: Host, chat: Mapping[str, str], path: Path | str, session_id: str = "s") -> bool:
    """Return True if a chat's agent is shown a file. Each chat has a task of its own: the host notes repeated reads."""
    task = f"{chat.get('chat_id')}-{len(kept._files._owners)}-{os.urandom(4).hex()}"
    answer = host.call(chat, "read_file", path=str(path), task_id=task, session_id=session_id)
    assert (WORD in answer) != ("belongs to the agent" in answer), answer
    return WORD in answer


def arrives(chat: Mapping[str, str], *paths: Path) -> None:
    """Let a message with files arrive, as the gateway's hook says it."""
    source = SessionSource(
        platform=Platform(chat["platform"]), chat_id=chat["chat_id"], chat_type="dm", user_id=chat["user_id"]
    )
    event = MessageEvent(text="", source=source, media_urls=[str(path) for path in paths])
    copy_context().run(middleware.message_arrived, event=event)


def answers(
    chat: Mapping[str, str],
    tool: str,
    text: object,
    *made: Path,
    args: Mapping[str, Any] | None = None,
    session_id: str = "s",
    call_id: str = "",
) -> Any:
    """Let a tool make files and answer, through the middleware."""

    def made_by_tool(_: object) -> object:
        for path in made:
            write(path)
        return text

    return in_chat(
        chat,
        middleware.carry_out,
        tool_name=tool,
        args=dict(args or {}),
        next_call=made_by_tool,
        session_id=session_id,
        tool_call_id=call_id,
    )


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what a restart forgets."""
    monkeypatch.setattr(kept, "_files", Owners(100))
    monkeypatch.setattr(kept, "_calls", Owners(100))


# -- received files


def test_a_received_file_is_for_its_chat(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(host.home / "cache" / "documents" / "doc_1_a report, for you.txt")
    arrives(ALICE, path)
    assert reads(host, ALICE, path)
    assert not any(reads(host, other, path) for other in OTHERS.values())
    assert not reads(host, BOB, f"{host.home}/cache/../cache/documents/{path.name}")
    assert not reads(host, BOB, f"file://{path}")
    # Nobody guesses its name, and after a restart its chat still wants to read it.
    forget(monkeypatch)
    assert reads(host, BOB, path)


def test_chats_of_one_context_share_their_files(host: Host) -> None:
    host.configure(contexts={f"signal:{each['chat_id']}": "team" for each in (ALICE, BOB)})
    path = write(host.home / "cache" / "documents" / "doc_1_report.txt")
    arrives(ALICE, path)
    assert reads(host, ALICE, path)
    assert reads(host, BOB, path)
    assert not reads(host, GROUP, path)


def test_a_trusted_chat_has_all_files(host: Host) -> None:
    host.configure(trusted_chats=["signal:" + BOB["chat_id"]])
    path = write(host.home / "cache" / "documents" / "doc_1_report.txt")
    arrives(ALICE, path)
    assert reads(host, BOB, path)


def test_people_of_a_shared_session_have_its_files_where_each_has_a_memory(host: Host) -> None:
    """Nobody's memory is known there, but the file was said to all."""
    host.configure(policy="user")
    path = write(host.home / "cache" / "documents" / "doc_1_report.txt")
    kept.received([str(path)], SessionSource(Platform.SIGNAL, GROUP["chat_id"], chat_type="group", user_id="+1"))
    assert reads(host, {**GROUP, "user_id": "+9"}, path)
    assert not reads(host, BOB, path)


@pytest.mark.parametrize("paths", [["https://example.org/a.png"], [None, 5], ["\0"], ["x" * 9000], [""]])
def test_what_is_no_path_is_no_file(host: Host, paths: list[Any]) -> None:
    kept.received(paths, SessionSource(Platform.SIGNAL, "+1", chat_type="dm"))
    kept.received(paths, None)


# -- what tools make


@pytest.mark.parametrize(
    ("tool", "inside"),
    [
        ("delegate_task", LIVE),
        ("delegate_task", "cache/delegation/subagent-summary-0-20260101_000000_000000.txt"),
        ("delegate_task", "delegation_cache/live/deleg_1/task-1.log"),
        ("web_extract", PAGE),
        ("browser_snapshot", "web_cache/browser-snapshot-0123456789.txt"),
        ("image_generate", PICTURE),
        ("mcp_draw_picture", PICTURE),
    ],
)
@pytest.mark.parametrize("form", ["json", "text", "parts"])
def test_a_file_is_for_the_chat_whose_call_made_it(host: Host, tool: str, inside: str, form: str) -> None:
    path = host.home / inside
    text = f'Full text saved to: {path}.\nread_file path="{path}" offset=2'
    forms = {
        "json": json.dumps({"results": [{"log": str(path)}]}),
        "text": text,
        "parts": {"content": [{"text": text}]},
    }
    assert answers(ALICE, tool, forms[form], path) == forms[form]
    assert reads(host, ALICE, path)
    assert not any(reads(host, other, path) for other in OTHERS.values())


def test_sub_agents_make_files_for_their_chat(host: Host) -> None:
    in_chat(ALICE, session.delegated, "s", "child")
    path = host.home / LIVE
    in_chat(UNKNOWN, answers, {}, "delegate_task", str(path), path, session_id="child")
    assert reads(host, ALICE, path)
    assert not reads(host, BOB, path)


async def test_what_the_hosts_own_sub_agents_do_is_for_their_chat(hermes_home: Path) -> None:
    async with EchoModel(script=asks) as model:
        agents = Agents(hermes_home, model)
        agents.toolsets = ["delegation", "file"]
        said = await agents.ask(DIRECT, says("delegate_task", goal=f"say {WORD}", context="none"))
        logs = re.findall(r"/[^\s\"]+/task-0\.log", said)
        # The oldest hosts write none.
        assert bool(logs) is (importlib.util.find_spec("tools.delegation_live_log") is not None), said
        for log in logs:
            assert WORD in await agents.ask(DIRECT, says("read_file", path=log))
            assert "belongs to the agent" in await agents.ask(CHANNEL, says("read_file", path=log))


@pytest.mark.parametrize("inside", [LIVE, PAGE])
@pytest.mark.parametrize("tool", ["read_file", "terminal", "todo", "skill_view", "mcp_files_list"])
def test_other_tools_give_nobody_what_agents_made(host: Host, tool: str, inside: str) -> None:
    path = host.home / inside
    answers(ALICE, tool, str(path), path)
    assert not reads(host, ALICE, path)


@pytest.mark.parametrize("tool", ["memory", "session_search", "cronjob"])
def test_memory_recall_and_jobs_give_nobody_a_file(host: Host, tool: str) -> None:
    path = write(host.home / LIVE)
    args = {"action": "add", "target": "memory", "content": str(path), "query": str(path)}
    in_chat(ALICE, middleware.carry_out, tool_name=tool, args=args, next_call=lambda _: str(path), session_id="s")
    assert not reads(host, ALICE, path)


@pytest.mark.parametrize("tool", ["delegate_task", "web_extract"])
def test_an_echo_gives_nobody_a_file(host: Host, tool: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = host.home / (LIVE if tool == "delegate_task" else PAGE)
    # As after a restart: its owner is not known, and the file is older than the call.
    write(path)
    with monkeypatch.context() as patched:
        patched.setattr(kept, "_CLOCKS", -0.001)
        answers(BOB, tool, f"I found {path}")
    assert not reads(host, BOB, path)
    # It changes during the call, and the model gave it.
    answers(BOB, tool, f"no such thing: {path}", path, args={"goal": f"say {path}"})
    assert not reads(host, BOB, path)


def test_the_first_chat_keeps_what_another_ones_answer_names(host: Host) -> None:
    path = host.home / LIVE
    answers(ALICE, "delegate_task", str(path), path)
    # The sub-agent still writes.
    answers(BOB, "delegate_task", str(path), path)
    assert reads(host, ALICE, path)
    assert not reads(host, BOB, path)


def test_what_nobody_known_made_is_nobodys(host: Host) -> None:
    path = host.home / LIVE
    answers(UNKNOWN, "delegate_task", str(path), path)
    answers(BOB, "delegate_task", str(path), path)
    assert not any(reads(host, each, path) for each in (ALICE, BOB, UNKNOWN))


def test_a_page_is_for_the_chat_that_fetched_it_last(host: Host) -> None:
    path = host.home / PAGE
    answers(ALICE, "web_extract", str(path), path)
    answers(BOB, "web_extract", str(path), path)
    assert reads(host, BOB, path)
    assert not reads(host, ALICE, path)


def test_after_a_restart_what_agents_made_is_nobodys(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    path = host.home / LIVE
    answers(ALICE, "delegate_task", str(path), path)
    forget(monkeypatch)
    assert not reads(host, ALICE, path)


def test_an_answer_with_many_paths_names_some(host: Host) -> None:
    paths = [host.home / f"cache/delegation/live/deleg_{n}/task-0.log" for n in range(150)]
    answers(ALICE, "delegate_task", json.dumps([str(path) for path in paths * 2]), *paths)
    assert reads(host, ALICE, paths[99])
    assert reads(host, ALICE, paths[0])
    assert not reads(host, ALICE, paths[-1])


@pytest.mark.parametrize("broken", ["resolve", "within"])
def test_an_error_is_nobodys_gain(host: Host, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    path = host.home / LIVE
    with monkeypatch.context() as patched:
        patched.setattr(kept.files, broken, fails)
        kept.received([str(path)], SessionSource(Platform.SIGNAL, "+1", chat_type="dm"))
        assert answers(ALICE, "delegate_task", str(path), path) == str(path)
        in_chat(ALICE, kept.told, "s", str(path))
    assert not reads(host, ALICE, path)


def test_what_a_tool_raises_is_raised(host: Host) -> None:
    def fails(_: object) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        in_chat(ALICE, middleware.carry_out, tool_name="web_extract", args={}, next_call=fails, session_id="s")


# -- what is said of sub-agents in background


def test_what_a_message_of_the_host_names_is_for_its_chat(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = write(host.home / "cache/delegation/subagent-summary-0-20260101_000000_000001.txt")
    page = write(host.home / PAGE)
    text = f"[ASYNC DELEGATION COMPLETE — deleg_1]\nFull subagent output saved to: {summary}\n{page}"
    for message in (text, None, [text]):
        in_chat(ALICE, middleware.turn_began, session_id="s", task_id="t", platform="signal", user_message=message)
    in_chat(BOB, middleware.turn_began, session_id="s", task_id="t", platform="signal", user_message=text)
    assert reads(host, ALICE, summary)
    assert not reads(host, BOB, summary)
    assert not reads(host, ALICE, page)
    forget(monkeypatch)
    monkeypatch.setattr(kept, "_STARTED", kept._STARTED + 1e6)
    in_chat(BOB, middleware.turn_began, session_id="s", task_id="t", platform="signal", user_message=text)
    assert not reads(host, BOB, summary)


# -- results that were too long to show


@pytest.fixture(params=["spillover", "temporary"])
def results(host: Host, request: pytest.FixtureRequest) -> Path:
    return host.home / "cache" / "spillover" if request.param == "spillover" else kept.results()


def test_a_long_result_is_for_the_chat_whose_call_it_was(host: Host, results: Path) -> None:
    for tool in ("terminal", "memory", "session_search", "cronjob"):
        answers(ALICE, tool, "long", call_id=f"call_{tool}")
        path = write(results / f"call_{tool}.txt")
        assert reads(host, ALICE, path)
        assert not any(reads(host, other, path) for other in OTHERS.values())


def test_a_long_result_of_an_unknown_call_is_nobodys(host: Host, results: Path) -> None:
    answers(ALICE, "terminal", "long")
    answers(UNKNOWN, "terminal", "long", call_id="call_2")
    for name in ("call_1.txt", "call_2.txt", ".txt", "tool_result.txt"):
        path = write(results / name)
        assert not any(reads(host, each, path) for each in (ALICE, UNKNOWN))


def test_two_calls_of_one_id_are_nobodys(host: Host, results: Path) -> None:
    answers(ALICE, "terminal", "long", call_id="call_0")
    path = write(results / "call_0.txt")
    answers(BOB, "terminal", "short", call_id="call_0")
    assert not any(reads(host, each, path) for each in (ALICE, BOB))


def test_an_older_result_is_not_that_of_a_call(host: Host, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(results / "call_0.txt")
    monkeypatch.setattr(kept, "_CLOCKS", -0.001)
    answers(BOB, "terminal", "short", call_id="call_0")
    assert not reads(host, BOB, path)


def test_the_name_of_a_result_is_what_the_host_makes_of_the_id(host: Host, results: Path) -> None:
    answers(ALICE, "terminal", "long", call_id="functions.terminal:0/../x")
    name = kept.table.RESULT_FILE("functions.terminal:0/../x")
    assert "/" not in name
    assert reads(host, ALICE, write(results / name))


# -- what is sent


def test_answers_leave_out_files_of_others(host: Host) -> None:
    path = write(host.home / PICTURE.removesuffix(".txt"))
    other = write(host.home / "cache/documents/doc_2_other.pdf")
    arrives(ALICE, path)
    text = f"MEDIA:{path}\nMEDIA:{other}"
    for chat, is_sent in ((ALICE, True), (BOB, False), (UNKNOWN, False)):
        said = becomes(chat, text)
        assert (said is None) is is_sent
        if said is not None:
            assert str(path) not in said
            assert str(other) in said
    host.configure(trusted_chats=["signal:" + BOB["chat_id"]])
    assert becomes(BOB, text) is None


def test_whom_a_file_may_be_sent_to(host: Host) -> None:
    path = write(host.home / PICTURE)
    group, bob, alice = GROUP["chat_id"], BOB["chat_id"], ALICE["chat_id"]

    def may(chat_id: str, platform: str = "signal") -> bool:
        return kept.may_be_sent(str(path), host.home, platform, chat_id)

    assert may(bob)
    arrives(ALICE, path)
    assert may(alice)
    assert not any(may(each) for each in (bob, group, ""))
    assert not may(alice, "mattermost")
    host.configure(contexts={f"signal:{group}": "team", f"signal:{alice}": "team"})
    assert may(group)
    assert not may(bob)
    host.configure(trusted_chats=["signal:" + bob])
    assert may(bob)
    host.configure(policy="global")
    assert may(group)
    host.configure(polcy="chat")
    assert may(alice)
    assert not may(bob)


def test_a_file_of_the_operators_job_is_sent_anywhere(host: Host) -> None:
    path = host.home / PICTURE
    session._serving.clear()
    answers(UNKNOWN, "image_generate", str(path), path)
    assert kept.may_be_sent(str(path), host.home, "signal", BOB["chat_id"])


# -- containers, in which Hermes names part of its home otherwise


def test_what_a_container_has_of_the_home_is_held_as_well(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted, path = Path("/root/.hermes"), write(host.home / LIVE)
    answers(ALICE, "delegate_task", f"see {mounted / LIVE}", path)
    monkeypatch.setenv("TERMINAL_ENV", "docker")

    def may(chat: Mapping[str, str], tool: str, where: Path) -> bool:
        return in_chat(chat, middleware.check, tool_name=tool, args={"path": str(where)}, session_id="s") is None

    assert may(ALICE, "read_file", mounted / LIVE)
    assert not any(may(other, "read_file", mounted / LIVE) for other in OTHERS.values())
    for missing in ("cache/delegation/live/deleg_2/task-0.log", "memories/MEMORY.md", "cache/documents/x.txt"):
        assert not may(ALICE, "read_file", mounted / missing)
    for folder in (mounted, mounted.parent, mounted / "cache", (mounted / LIVE).parent):
        assert not may(ALICE, "search_files", folder)
    assert may(ALICE, "read_file", Path("/root/notes.txt"))
    monkeypatch.setenv("TERMINAL_ENV", "local")
    assert may(BOB, "search_files", mounted)
