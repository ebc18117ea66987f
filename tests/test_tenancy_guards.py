"""Tools of a chat's agent do not reach around its memory: Hermes' own dispatch, with the plugin's hooks."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import model_tools
import pytest
from gateway.platforms.base import BasePlatformAdapter
from hermes_hardened_adapters.common.host import files
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy import middleware, session
from hermes_hardened_adapters.common.host.tenancy.guarding import guards
from tools.process_registry import ProcessSession, process_registry
from tools.registry import registry

from tests.tenancy_host import ALICE, BOB, GROUP, UNKNOWN, Host, becomes, forget_shells, gateway, in_chat

MARK = "oystercatcher"
"""In the name and the text of everything that is not the chat's."""
REACHES = [
    "{home}/memories/MEMORY.md",
    "{home}/memories/contexts/oystercatcher/MEMORY.md",
    "{home}/skills/oystercatcher.md",
    "{home}/logs/gateway-oystercatcher.log",
    "{home}/logs/process-results/oystercatcher",
    "{home}/skills/.curator_backups/blobs/oystercatcher",
    "{home}/./memories//../memories/MEMORY.md",
    "{home}/cache/images/../../memories/MEMORY.md",
    "{home}/cache/images/out.png",
    "{home}/cache/../memories/MEMORY.md",
    "~/.hermes/memories/MEMORY.md",
    "~//.hermes/./memories/MEMORY.md",
    "{top}/.hermes/../.hermes/memories/MEMORY.md",
    "{top}/root/memories/MEMORY.md",
    "{top}/root/profiles/play/memories/MEMORY.md",
    "{work}/link.md",
    "{work}/folder/memories/MEMORY.md",
    "link.md",
    "./folder/memories/MEMORY.md",
    "../.hermes/memories/MEMORY.md",
    "../root/profiles/work/memories/MEMORY.md",
    "/proc/self/root{home}/memories/MEMORY.md",
    "/proc/self/environ",
    "/dev/fd/0",
]
LISTS = [
    *(path for path in REACHES if not path.endswith("environ")),
    *("{home}", "{home}/cache", "{home}/cache/images", "{top}", "/", "..", "~", "../..", "folder", "{work}/.."),
    *("/nonexistent {home}/memories", "/nonexistent,{home}/memories", "{top}/root/profiles", "/tmp/hermes-results"),
]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """Make a person's home with HERMES_HOME of a profile, other homes, and a working folder with ways into them."""
    top = tmp_path / "top"
    home = top / "root" / "profiles" / "work"
    for each in (home, top / "root", top / "root" / "profiles" / "play", top / ".hermes"):
        for folder in ("memories/contexts/oystercatcher", "skills", "logs", "cache/images", "cache/documents"):
            (each / folder).mkdir(parents=True)
        for name in (
            *("memories/MEMORY.md", "memories/contexts/oystercatcher/MEMORY.md", "skills/oystercatcher.md"),
            *("logs/process-results/oystercatcher", "skills/.curator_backups/blobs/oystercatcher"),
        ):
            (each / name).parent.mkdir(parents=True, exist_ok=True)
            (each / name).write_text(f"{MARK} in {name}\n")
        (each / "logs" / "gateway-oystercatcher.log").write_text(MARK)
        (each / "cache" / "documents" / "doc_1_oystercatcher.txt").write_text(f"{MARK} received")
        (each / "cache" / "images" / "out.png").symlink_to(each / "memories" / "MEMORY.md")
    work = top / "work"
    (work / "notes").mkdir(parents=True)
    (work / "notes" / "mine.txt").write_text("a plover of mine\n")
    (work / "link.md").symlink_to(home / "memories" / "MEMORY.md")
    (work / "folder").symlink_to(home)
    for name, value in {"HOME": top, "HERMES_HOME": home, "TERMINAL_CWD": work}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.chdir(work)
    with gateway():
        yield Host(home)
    forget_shells()


def at(host: Host, path: str) -> str:
    top = host.home.parents[2]
    return path.format(home=host.home, top=top, work=top / "work")


@pytest.mark.parametrize("path", REACHES)
@pytest.mark.parametrize("chat", [GROUP, UNKNOWN], ids=["group", "unknown"])
def test_the_agents_files_are_not_read(host: Host, path: str, chat: dict[str, str]) -> None:
    answer = host.call(chat, "read_file", path=at(host, path))
    assert "belongs to the agent" in answer
    assert MARK not in answer


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("target", ["content", "files"])
def test_the_agents_files_are_not_searched(host: Host, path: str, target: str) -> None:
    pattern = MARK if target == "content" else "*"
    answer = host.call(GROUP, "search_files", path=at(host, path), pattern=pattern, target=target)
    assert "holds things of the agent" in answer
    assert MARK not in answer


@pytest.mark.parametrize("path", [*REACHES[:-2], "{home}/cache/documents/doc_1_oystercatcher.txt", "{home}/new.txt"])
def test_the_agents_files_are_not_written(host: Host, path: str) -> None:
    before = _contents(host)
    spelt = at(host, path)
    for tool, args in (
        ("write_file", {"content": "changed"}),
        ("patch", {"mode": "replace", "old_string": MARK, "new_string": "changed"}),
        ("text_to_speech", {"text": "changed"}),
    ):
        named = "output_path" if tool == "text_to_speech" else "path"
        assert "belongs to the agent" in host.call(GROUP, tool, **{named: spelt}, **args)
    for operation in (f"Update File: {spelt}", f"Add File: {spelt}", f"Delete File: {spelt}"):
        text = f"*** Begin Patch\n*** {operation}\n@@\n-{MARK}\n+changed\n*** End Patch"
        assert "belongs to the agent" in host.call(GROUP, "patch", mode="patch", patch=text)
    for move in (f"notes/mine.txt -> {spelt}", f"{spelt} -> notes/stolen.txt"):
        text = f"*** Begin Patch\n*** Move File: {move}\n*** End Patch"
        assert "belongs to the agent" in host.call(GROUP, "patch", mode="patch", patch=text)
    assert _contents(host) == before


def _contents(host: Host) -> dict[str, str]:
    top = host.home.parents[2]
    return {
        str(path): path.read_text()
        for suffix in ("*.md", "*.txt")
        for path in top.rglob(suffix)
        if path.name != "SOUL.md"
    }


@pytest.mark.parametrize("path", ["{home}/memories/MEMORY.md", "file://{home}/memories/MEMORY.md", "FILE:{home}/x"])
@pytest.mark.parametrize(
    ("tool", "argument"),
    [
        ("vision_analyze", "image_url"),
        ("video_analyze", "video_url"),
        ("image_generate", "reference_image_urls"),
        ("yb_send_dm", "media_files"),
        ("kanban_complete", "artifacts"),
        ("terminal", "workdir"),
        ("cronjob", "workdir"),
        ("browser_navigate", "url"),
        ("mcp_files_open", "deep"),
        ("tool_of_tomorrow", "what"),
    ],
)
def test_no_tool_is_given_the_agents_files(host: Host, tool: str, argument: str, path: str) -> None:
    spelt = at(host, path)
    for value in (spelt, [spelt], json.dumps([spelt])):
        blocked = in_chat(GROUP, middleware.check, tool_name=tool, args={argument: value}, session_id="s", task_id="t")
        assert blocked is not None, value
        for wrapped in (
            {"name": tool, "arguments": {argument: value}},
            {"calls": [{"name": tool, "arguments": json.dumps({argument: value})}]},
        ):
            assert in_chat(GROUP, middleware.check, tool_name="tool_call", args=wrapped, session_id="s") is not None


@pytest.mark.parametrize("value", [5, True, {"a": 1}, [{"a": 1}], "a\0b", "x" * 5000])
def test_wrong_types_are_refused(host: Host, value: Any) -> None:
    for tool in ("read_file", "write_file", "search_files", "patch"):
        assert in_chat(GROUP, middleware.check, tool_name=tool, args={"path": value}, session_id="s") is not None


@pytest.mark.parametrize("missing", ["tool_request", "tool_execution"])
def test_one_seam_is_enough(host: Host, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    host.configure(deny_tools=["terminal"])
    monkeypatch.setitem(table.PLUGIN_MANAGER()._middleware, missing, [])
    path = at(host, "{home}/memories/MEMORY.md")
    assert MARK not in host.call(GROUP, "read_file", path=path)
    assert MARK not in host.call(GROUP, "search_files", path=str(host.home), pattern=MARK)
    assert "error" in json.loads(host.call(GROUP, "write_file", path=path, content="x"))
    assert host.call(GROUP, "terminal", command="echo plo''ver").count("plover") == 0
    assert MARK in Path(path).read_text()


def test_chats_do_not_wait_for_each_other(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real, busy, done = guards.guarded, threading.Event(), threading.Event()

    def slow(session_id: str) -> Any:
        if session_id == "slow":
            busy.set()
            assert done.wait(60)
        return real(session_id)

    def answers(session_id: str) -> str:
        return becomes(GROUP, sends, session_id) or sends

    sends = at(host, "MEDIA:{home}/memories/MEMORY.md")
    monkeypatch.setattr(guards, "guarded", slow)
    with ThreadPoolExecutor(2) as pool:
        for task, act in {
            "a": answers,
            "b": lambda session_id: host.call(ALICE, "read_file", path="x", session_id=session_id),
        }.items():
            waiting = pool.submit(act, "slow")
            assert busy.wait(60)
            try:
                assert "plover" in host.call(GROUP, "read_file", path="notes/mine.txt", task_id=task)
                assert "belongs to the agent" in host.call(
                    GROUP, "read_file", path=at(host, "{home}/memories/MEMORY.md")
                )
                assert str(host.home) not in answers("s")
            finally:
                done.set()
                waiting.result()
            busy.clear()
            done.clear()


def test_own_work_is_not_hindered(host: Host) -> None:
    assert "plover" in host.call(GROUP, "read_file", path="notes/mine.txt")
    assert "plover" in host.call(GROUP, "read_file", path=at(host, "{work}/notes/mine.txt"), task_id="a")
    assert "plover" in host.call(GROUP, "search_files", pattern="plover", path="notes")
    assert "error" not in json.loads(host.call(GROUP, "write_file", path="notes/new.txt", content="x"))
    assert (host.home.parents[2] / "work" / "notes" / "new.txt").read_text().strip() == "x"
    text = "*** Begin Patch\n*** Update File: notes/mine.txt\n@@\n-a plover of mine\n+a dunlin\n*** End Patch"
    for args in ({"patch": text}, {"path": "notes/mine.txt", "old_string": "plover", "new_string": "dunlin"}):
        assert in_chat(GROUP, middleware.check, tool_name="patch", args=args, session_id="s", task_id="t") is None


def test_a_received_file_is_read_by_its_name_only(host: Host) -> None:
    folder = host.home / "cache" / "documents"
    assert f"{MARK} received" in host.call(GROUP, "read_file", path=str(folder / "doc_1_oystercatcher.txt"))
    # Of a missing one, Hermes would name those beside it.
    for missing in ("doc_2_oystercatcher.txt", "doc.txt", "", "doc_1_oystercatcher.md"):
        assert MARK not in host.call(GROUP, "read_file", path=str(folder / missing)).replace(missing or "-", "")


@pytest.mark.parametrize("path", ["{home}/memories/MEMORY.md", "~/.hermes/memories/MEMORY.md", "link.md"])
def test_a_trusted_chat_and_the_operator_may_use_files(host: Host, path: str) -> None:
    host.configure(trusted_chats=["signal:+15550000002"])
    assert MARK in host.call(ALICE, "read_file", path=at(host, path))
    assert MARK not in host.call(BOB, "read_file", path=at(host, path), task_id="b")
    assert MARK not in host.call(UNKNOWN, "read_file", path=at(host, path), task_id="b")
    session._serving.clear()
    assert MARK in host.call(UNKNOWN, "read_file", path=at(host, path), task_id="a")


def test_nothing_is_guarded_where_all_memory_is_global(host: Host) -> None:
    host.configure(policy="global", deny_tools=["read_file"])
    for chat in (GROUP, UNKNOWN):
        assert MARK in host.call(chat, "read_file", path=str(host.home / "memories" / "MEMORY.md"), task_id=str(chat))


def test_an_error_in_the_check_is_a_refusal(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(session, "current", fails)
    assert "plover" not in host.call(GROUP, "read_file", path="notes/mine.txt")


def test_wrong_settings_stop_chats_and_not_the_operator(host: Host) -> None:
    host.configure(polcy="chat")
    assert "plover" not in host.call(GROUP, "read_file", path="notes/mine.txt")
    session._serving.clear()
    assert "plover" in host.call(UNKNOWN, "read_file", path="notes/mine.txt")


# -- skills


def _skill(host: Host, chat: dict[str, str], session_id: str = "s") -> str:
    text = "---\nname: waders\ndescription: of birds\n---\n# Waders\n\nLook at their legs.\n"
    one = {"action": "create", "name": "waders", "content": text}
    takes_several = "operations" in registry._tools["skill_manage"].schema["parameters"]["properties"]
    return host.call(chat, "skill_manage", session_id=session_id, **({"operations": [one]} if takes_several else one))


@pytest.mark.parametrize(
    ("settings", "chat", "may"),
    [
        ({}, GROUP, False),
        ({}, UNKNOWN, False),
        ({"write_skills": True}, GROUP, True),
        ({"global_writers": ["signal:+15550000002"]}, ALICE, True),
        ({"global_writers": ["signal:+15550000002"]}, BOB, False),
        # The group's person may write elsewhere only.
        ({"global_writers": ["signal:+15550000002"]}, GROUP, False),
    ],
)
def test_skills_are_written_by_chats_that_may(
    host: Host, settings: dict[str, Any], chat: dict[str, str], may: bool
) -> None:
    host.configure(**settings)
    answer = _skill(host, chat)
    assert bool(list(host.home.rglob("waders/SKILL.md"))) is may, answer


def test_hermes_own_keeper_of_skills_may_write_them(host: Host) -> None:
    for session_id, platform in (("kept", "curator"), ("other", "signal")):
        in_chat(UNKNOWN, middleware.show, request={}, session_id=session_id, task_id="t", platform=platform)
    assert "shared with every chat" in _skill(host, UNKNOWN, "other")
    assert "shared with every chat" not in _skill(host, UNKNOWN, "kept")
    assert list(host.home.rglob("waders/SKILL.md"))


# -- processes, denied tools, the board


def _tool(*names: str) -> str:
    return next(name for name in names if name in registry._tools)


PROCESS = _tool("process_manage", "process")


@pytest.fixture
def processes() -> Iterator[None]:
    """Register a background process of each of two chats, and one of a task."""
    for name, key, task in (("alice", ALICE["chat_id"], "t-a"), ("bob", BOB["chat_id"], "t-b")):
        entry = ProcessSession(id=f"proc_{name}", command=f"say {name}", task_id=task, exited=True)
        entry.session_key = f"agent:main:signal:dm:{key}"
        entry.output_buffer = f"{name}'s words"
        process_registry._finished[entry.id] = entry
    yield
    process_registry._finished.clear()


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("action", ["poll", "log", "wait", "kill", "write", "submit", "close", "handoff", "tomorrow"])
def test_processes_of_others_are_not_reached(host: Host, action: str) -> None:
    for wanted in ("proc_bob", "bob", "proc_b", "", None, 5, ["proc_bob"]):
        answer = _process(host, ALICE, action, wanted)
        assert "No such process" in answer
        assert "bob" not in answer
    assert "No such process" in _process(host, UNKNOWN, action, "proc_bob")


def _process(host: Host, chat: dict[str, str], action: str, wanted: Any) -> str:
    args = {"action": action, "session_id": wanted, "data": "x"}
    return str(in_chat(chat, model_tools.handle_function_call, PROCESS, args, "t", session_id="s"))


@pytest.mark.usefixtures("processes")
def test_own_processes_are_reached(host: Host) -> None:
    assert "bob's words" in _process(host, BOB, "log", "proc_bob")
    assert "bob's words" in str(
        in_chat(GROUP, model_tools.handle_function_call, PROCESS, {"action": "log", "session_id": "proc_bob"}, "t-b")
    )


def test_a_list_of_processes_is_scoped_or_refused(host: Host) -> None:
    check = {"tool_name": PROCESS, "args": {"action": "list"}}
    assert in_chat(GROUP, middleware.check, **check, session_id="s", task_id="t") is None
    assert in_chat(UNKNOWN, middleware.check, **check, session_id="s", task_id="t") is not None


@pytest.mark.parametrize("name", ["process", "process_manage"])
def test_denied_tools(host: Host, name: str) -> None:
    host.configure(deny_tools=["terminal", name], trusted_chats=["signal:+15550000002"])
    for tool in ("terminal", "process", "process_manage"):
        for chat, is_blocked in ((GROUP, True), (UNKNOWN, True), (ALICE, False)):
            blocked = in_chat(chat, middleware.check, tool_name=tool, args={"action": "list"}, session_id="s")
            assert (blocked is not None) is is_blocked
    assert "not available" in host.call(GROUP, "terminal", command="echo plover")


def test_a_worker_of_the_board_sees_its_own_task(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked(tool: str, **args: str) -> bool:
        return in_chat(UNKNOWN, middleware.check, tool_name=tool, args=args, session_id="s") is not None

    assert blocked("kanban_show", task_id="t_1")
    monkeypatch.setenv("HERMES_KANBAN_TASK", "t_1")
    assert not blocked("kanban_show", task_id="t_1")
    assert not blocked("kanban_complete", summary="done")
    assert blocked("kanban_show", task_id="t_2")
    assert blocked("kanban_list")
    assert blocked("read_file", path=str(host.home / "memories" / "MEMORY.md"))


# -- shells


def _run(host: Host, chat: dict[str, str], task: str, command: str) -> str:
    in_chat(chat, middleware.show, request={}, session_id=task, task_id=task, platform="signal")
    return str(json.loads(host.call(chat, "terminal", command=command, session_id=task, task_id=task))["output"])


def test_own_shells(host: Host) -> None:
    host.configure(own_shells=True)
    _run(host, ALICE, "a", f"export BIRD={MARK}; echo {MARK} > secret.txt")
    assert MARK in _run(host, ALICE, "a", "echo $BIRD; cat secret.txt")
    answer = _run(host, BOB, "b", "echo [$BIRD]; pwd; ls")
    assert MARK not in answer
    assert "[]" in answer
    assert "hermes-chats/signal_" in answer
    assert MARK not in host.call(BOB, "read_file", path="secret.txt", task_id="b", session_id="b")
    assert MARK in host.call(ALICE, "read_file", path="secret.txt", task_id="a", session_id="a")
    folder = next(path.parent for path in host.home.parents[2].rglob("secret.txt"))
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "belongs to the agent" in host.call(BOB, "read_file", path=str(folder / "secret.txt"), task_id="b")
    assert "holds things" in host.call(BOB, "search_files", path="..", pattern=MARK, task_id="b")
    assert MARK in host.call(ALICE, "search_files", path=str(folder), pattern=MARK, task_id="a")


def test_without_a_shell_of_its_own_a_session_runs_nothing(host: Host) -> None:
    host.configure(own_shells=True)
    assert "no shell of its own" in host.call(ALICE, "terminal", command="echo plover", task_id="never-begun")
    assert "no shell of its own" in host.call(ALICE, "read_file", path="x", task_id="")


def test_shells_are_common_by_default(host: Host) -> None:
    assert "hermes-chats" not in _run(host, GROUP, "common", "pwd")
    assert not list(host.home.parents[2].rglob("hermes-chats"))


# -- references and answers, on any platform


def _event(text: Any, platform: str = "telegram") -> Any:
    source = SimpleNamespace(
        platform=platform,
        chat_id="7",
        chat_type="dm",
        thread_id=None,
        user_id="7",
        profile=None,
        scope_id=None,
    )
    return SimpleNamespace(source=source, text=text, get_command=lambda: None, is_command=lambda: False)


def test_references_to_the_agents_files_are_rewritten(host: Host) -> None:
    def arrives(text: Any) -> Any:
        return in_chat(UNKNOWN, middleware.message_arrived, event=_event(text), gateway=None)

    rewritten = arrives(f"see @file:{host.home}/memories/MEMORY.md and @file:notes/mine.txt")
    assert rewritten["action"] == "rewrite"
    assert "@file:notes" in rewritten["text"]
    assert "@file:/" not in rewritten["text"]
    assert arrives("hello") is None
    assert arrives("@file:notes/mine.txt") is None
    assert arrives(None) is None
    host.configure(trusted_chats=["telegram:7"])
    assert arrives(f"see @file:{host.home}/memories/MEMORY.md") is None


@pytest.mark.parametrize(
    "answer",
    [
        "MEDIA:{home}/memories/MEMORY.md",
        "here:\nMEDIA:`{home}/memories/MEMORY.md` !",
        "look at {home}/memories/MEMORY.md please",
        "MEDIA:~/.hermes/memories/MEMORY.md",
        "~/.hermes/memories/MEMORY.md",
        "MEDIA:{work}/link.md\nMEDIA:{work}/notes/mine.txt",
    ],
)
def test_answers_name_no_files_of_the_agent(host: Host, answer: str) -> None:
    spelt = at(host, answer)
    changed = becomes(GROUP, spelt)
    assert isinstance(changed, str)
    assert files.NOT_SENT in changed
    media, rest = BasePlatformAdapter.extract_media(changed)
    sent = [
        os.path.realpath(path)
        for path in (*(path for path, _ in media), *BasePlatformAdapter.extract_local_files(rest)[0])
    ]
    assert not [path for path in sent if "MEMORY" in path]
    assert ("mine.txt" in answer) == ("mine.txt" in changed)


def test_an_answer_is_withheld_if_a_file_is_spelt_unlike_its_path(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = str(host.home / "memories" / "MEMORY.md")
    monkeypatch.setattr(table, "EXTRACT_MEDIA", lambda text: ([(secret, False)] if "MEDIA:" in text else [], text))
    answer = becomes(GROUP, "MEDIA:otherwise")
    assert answer == files.NOT_SENT


def test_other_answers_stay_as_they_are(host: Host) -> None:
    def answered(text: str, chat: dict[str, str] = GROUP) -> Any:
        return becomes(chat, text)

    assert answered("hello") is None
    assert answered(at(host, "MEDIA:{work}/notes/mine.txt")) is None
    assert answered(at(host, "MEDIA:{home}/cache/documents/doc_1_oystercatcher.txt")) is None
    secret = at(host, "MEDIA:{home}/memories/MEMORY.md")
    session._serving.clear()
    assert answered(secret, UNKNOWN) is None
