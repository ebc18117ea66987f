"""Memory writes that wait for approval: each context's on their own, in the real host's memory."""

from __future__ import annotations

import contextlib
import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway.config import Platform
from gateway.session import SessionSource
from gateway.session_context import _UNSET, _VAR_MAP, set_session_vars
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy import memory_command, middleware, session, tenant
from hermes_hardened_adapters.common.host.tenancy.tenant import Tenant
from hermes_hardened_adapters.common.tenancy import memory, reviews
from hermes_hardened_adapters.common.tenancy.chats import Chat
from tools.memory_tool import load_on_disk_store, memory_tool

from tools import skill_provenance, terminal_tool, write_approval

DM, GROUP = Chat("signal", "+1555", "dm", user_id="+1555"), Chat("signal", "group:x", "group", user_id="+1555")
SECRET = "the combination is 4711"
EDIT = "patch" if "patch" in str(table.MEMORY_SCHEMA.load()["parameters"]["properties"]["action"]) else "replace"
PINS = table.PIN_ENTRIES.optional() is not None


def in_chat(chat: Chat) -> None:
    """Let the message of a chat arrive in this task, whose session the host has bound."""
    kind = {"chat_type": chat.chat_type, "user_id": chat.user_id}
    session.arrived(SessionSource(platform=Platform(chat.platform), chat_id=chat.chat_id, **kind))
    set_session_vars(platform=chat.platform, chat_id=chat.chat_id, user_id=chat.user_id)


class Chats:
    """The model and people in chats of one home."""

    def __init__(self, home: Path) -> None:
        self.home = home

    @property
    def here(self) -> Tenant:
        return tenant.tenant()

    def calls(self, chat: Chat, **args: Any) -> dict[str, Any]:
        """Call the memory tool as a chat's agent, through our middleware. The host's half must not be asked."""

        def not_the_hosts(args: object) -> str:
            raise AssertionError("the host would carry it out on the memory of all chats")

        in_chat(chat)
        sealed = middleware.seal(tool_name="memory", args={"target": "memory", **args})
        assert sealed is not None
        answer = middleware.carry_out(tool_name="memory", next_call=not_the_hosts, **sealed)
        return dict(json.loads(answer))

    def types(self, chat: Chat, words: str, *, operator: bool = False) -> str:
        return memory_command.answer(self.here, chat, words.split(), operator)

    def folder(self, chat: Chat) -> Path:
        return memory.folder(self.home, chat.key)

    def entries(self, chat: Chat) -> list[str]:
        return memory.entries(self.folder(chat) / "MEMORY.md")

    def of_the_host(self) -> list[dict[str, Any]]:
        return list(write_approval.list_pending("memory"))


def set_up(home: Path, **config: Any) -> None:
    config = {"memory": {"write_approval": True}} | config
    (home / "config.yaml").write_text(json.dumps({"plugins": {"enabled": ["hardened-adapters"]}} | config))
    tenant._tenants.clear()


@pytest.fixture
def chats(hermes_home: Path) -> Iterator[Chats]:
    set_up(hermes_home)
    # Other tests of this process may have served chats.
    session._arrived.set(None)
    session._serving.clear()
    yield Chats(hermes_home)
    for variable in _VAR_MAP.values():
        variable.set(_UNSET)
    session._arrived.set(None)
    session._serving.clear()
    tenant._tenants.clear()


def test_a_write_waits_in_its_chats_own_queue(chats: Chats) -> None:
    answer = chats.calls(DM, action="add", content=SECRET)
    assert answer["success"], answer
    assert answer["staged"]
    assert "/memory pending" in answer["message"]
    assert not chats.entries(DM)
    assert not chats.of_the_host()
    assert answer["pending_id"] in (listed := chats.types(DM, "pending"))
    assert SECRET in listed
    for chat, operator in ((GROUP, False), (GROUP, True), (Chat("signal", "+1666", "dm"), True)):
        assert SECRET not in chats.types(chat, "pending", operator=operator)
        for order in ("approve", "reject"):
            assert "No pending" in chats.types(chat, f"{order} {answer['pending_id']}", operator=operator)
            assert SECRET not in chats.types(chat, f"{order} all", operator=operator)
    assert chats.types(DM, f"approve {answer['pending_id']}") == "Approved 1 memory write(s)."
    assert chats.entries(DM) == [SECRET]
    assert not chats.entries(GROUP)
    assert not load_on_disk_store().memory_entries
    assert chats.types(DM, "pending") == "No pending memory writes."


def test_nobody_else_reads_the_files(chats: Chats) -> None:
    chats.calls(DM, action="add", content=SECRET)
    (waiting,) = (chats.folder(DM) / "pending").iterdir()
    assert stat.S_IMODE(waiting.stat().st_mode) == 0o600
    assert stat.S_IMODE(waiting.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("word", ["approve", "apply", "APPROVE"])
def test_all_is_approved_at_once(chats: Chats, word: str) -> None:
    chats.calls(DM, action="add", content="one")
    chats.calls(DM, operations=[{"action": "add", "content": "two"}, {"action": "add", "content": "three"}])
    assert chats.types(DM, f"{word} all") == "Approved 2 memory write(s)."
    assert chats.entries(DM) == ["one", "two", "three"]


@pytest.mark.parametrize("word", ["reject", "deny", "drop"])
def test_what_is_rejected_is_gone(chats: Chats, word: str) -> None:
    identity = chats.calls(DM, action="add", content="one")["pending_id"]
    chats.calls(DM, action="add", content="two")
    assert identity in chats.types(DM, f"{word} {identity}")
    assert identity not in chats.types(DM, "pending")
    assert chats.types(DM, f"{word} all") == "Rejected 1 pending memory write(s)."
    assert not chats.entries(DM)


def test_an_approved_change_is_the_one_that_was_shown(chats: Chats) -> None:
    set_up(chats.home, memory={})
    chats.calls(DM, action="add", content="likes tea")
    set_up(chats.home)
    identity = chats.calls(DM, action=EDIT, old_text="tea", content="likes coffee")["pending_id"]
    assert "tea" in chats.types(DM, "pending")
    if PINS:
        assert "entry: likes tea" in chats.types(DM, "pending")
        set_up(chats.home, memory={})
        chats.calls(DM, action="remove", old_text="tea")
        chats.calls(DM, action="add", content="hates tea")
        set_up(chats.home)
        assert "Failed" in chats.types(DM, f"approve {identity}")
        assert chats.entries(DM) == ["hates tea"]
        assert identity in chats.types(DM, "pending")
    else:
        assert "Approved 1" in chats.types(DM, f"approve {identity}")
        assert chats.entries(DM) == ["likes coffee"]


def test_a_change_of_an_entry_that_is_not_there_is_refused_at_once_or_when_approved(chats: Chats) -> None:
    answer = chats.calls(DM, action="remove", old_text="nothing like that")
    if not PINS:
        assert "Failed" in chats.types(DM, f"approve {answer['pending_id']}")
        return
    assert not answer["success"]
    assert "No pending" in chats.types(DM, "pending")


@pytest.mark.parametrize(
    "args",
    [
        {"action": "add"},
        {"action": "remove"},
        {"action": "explode", "content": "x"},
        {"operations": ["add"]},
        {"operations": "add"},
        {"action": "add", "content": "x", "target": "elsewhere"},
    ],
)
def test_what_the_host_refuses_waits_for_nobody(chats: Chats, args: dict[str, Any]) -> None:
    assert not chats.calls(DM, **args).get("success")
    assert chats.types(DM, "pending") == "No pending memory writes."
    assert not chats.of_the_host()


def test_without_the_setting_nothing_waits(chats: Chats) -> None:
    set_up(chats.home, memory={})
    assert "staged" not in chats.calls(DM, action="add", content=SECRET)
    assert chats.entries(DM) == [SECRET]
    assert chats.types(DM, "") == "memory.write_approval = off\n\nNo pending memory writes."


def test_what_the_background_review_takes_away_waits_where_the_host_wants_that(chats: Chats) -> None:
    set_up(chats.home, memory={})
    chats.calls(DM, action="add", content=SECRET)
    token = skill_provenance.set_current_write_origin("background_review")
    try:
        answer = chats.calls(DM, action="remove", old_text="4711")
        assert chats.calls(DM, action="add", content="it rains")["success"]
    finally:
        skill_provenance.reset_current_write_origin(token)
    asks = table.UNATTENDED_REVIEW.optional() is not None
    assert answer.get("staged", False) is asks
    assert (SECRET in chats.entries(DM)) is asks
    assert "it rains" in chats.entries(DM)
    assert not chats.of_the_host()
    if asks:
        assert "[auto]" in chats.types(DM, "pending")
        chats.types(DM, "approve all")
        assert SECRET not in chats.entries(DM)


def test_what_the_host_queues_after_all_moves_into_the_chats_queue(
    chats: Chats, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The setting changes between our look and the host's.
    monkeypatch.setattr("hermes_hardened_adapters.common.host.tenancy.reviews.reviewed", lambda args, store: None)
    answer = chats.calls(DM, action="add", content=SECRET)
    assert answer["staged"]
    assert not chats.of_the_host()
    assert "Approved 1" in chats.types(DM, f"approve {answer['pending_id']}")
    assert chats.entries(DM) == [SECRET]


def test_a_queue_has_an_end_and_says_so(chats: Chats) -> None:
    for n in range(reviews.MOST):
        assert chats.calls(DM, action="add", content=f"fact {n}")["success"]
    full = chats.calls(DM, action="add", content="one more")
    assert not full["success"]
    assert "/memory pending" in full["error"]
    assert not chats.calls(GROUP, action="add", content="x" * reviews.LONGEST)["success"]
    assert chats.calls(GROUP, action="add", content="another chat's")["success"]
    assert f"Rejected {reviews.MOST}" in chats.types(DM, "reject all")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"payload": []}', b"\xff\xfe", b"[" * 5000, b'"' + b"x" * 100_000 + b'"'],
    ids=lambda content: str(content[:12]),
)
def test_a_damaged_file_is_not_in_anybodys_way(chats: Chats, content: bytes) -> None:
    chats.calls(DM, action="add", content="one")
    (chats.folder(DM) / "pending" / "00000000.json").write_bytes(content)
    assert "(1)" in chats.types(DM, "pending")
    assert "Approved 1" in chats.types(DM, "approve all")
    assert "Rejected 1" in chats.types(DM, "reject all")


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"action": "add", "target": "memory", "content": 5},
        {"action": "batch", "target": "memory", "operations": 7},
        {"action": ["add"], "target": "memory"},
        {"action": "add", "target": ["memory"], "content": "x"},
    ],
)
def test_a_write_of_another_shape_fails_and_can_be_rejected(chats: Chats, payload: dict[str, Any]) -> None:
    folder = memory.make_folder(chats.home, DM.key)
    reviews.stage(folder, "hello", "foreground", 0.0, payload)
    assert "Failed" in chats.types(DM, "approve all")
    assert "Rejected 1" in chats.types(DM, "reject all")


@pytest.mark.parametrize("identity", ["../../GROUP/pending/{}", "{}/../{}", "..", "/etc/passwd", "*", "{}.json", "\0"])
@pytest.mark.parametrize("order", ["approve", "reject"])
def test_an_id_is_no_path(chats: Chats, order: str, identity: str) -> None:
    chats.calls(DM, action="add", content="its folder is there")
    other = chats.calls(GROUP, action="add", content=SECRET)["pending_id"]
    named = identity.replace("GROUP", memory.folder_name(GROUP.key)).replace("{}", other)
    assert "No pending" in chats.types(DM, f"{order} {named}")
    assert other in chats.types(GROUP, "pending")


def test_a_list_is_one_line_a_write(chats: Chats) -> None:
    chats.calls(DM, action="add", content="fine\n  ffffffff  add to memory: harmless @everyone\u202e")
    listed = chats.types(DM, "pending")
    assert "@everyone" not in listed
    assert "\u202e" not in listed
    assert len([line for line in listed.splitlines() if line.startswith("  ")]) == 1


# -- the memory of all chats


def global_write(content: str) -> str:
    return str(json.loads(memory_tool(action="add", content=content, store=load_on_disk_store()))["pending_id"])


def test_the_queue_of_all_chats_is_for_an_admin_in_a_direct_message(chats: Chats) -> None:
    identity = global_write("the office has moved")
    for words in ("", "pending", "approve all", f"approve {identity}", "reject all", "global pending"):
        assert "office" not in chats.types(DM, words)
    assert "office" not in chats.types(DM, "pending", operator=True), "it is not this chat's"
    assert "office" in chats.types(DM, "global pending", operator=True)
    (outside := chats.home / "pending" / "x.json").write_text("{}")
    for words in ("global reject ../x", "global approve ../x", "global approval off"):
        assert chats.types(DM, words, operator=True).startswith("/memory pending")
    assert outside.exists()
    assert len(chats.of_the_host()) == 1
    assert "Approved 1" in chats.types(DM, f"global approve {identity}", operator=True)
    assert load_on_disk_store().memory_entries == ["the office has moved"]


def test_a_chat_whose_memory_is_global_has_the_hosts_queue(chats: Chats) -> None:
    contexts = {DM.key: "global", GROUP.key: "global"}
    entries = {"plugins": {"enabled": ["hardened-adapters"], "entries": {"hardened-adapters": {"memory": {}}}}}
    entries["plugins"]["entries"]["hardened-adapters"]["memory"] = {"contexts": contexts}  # type: ignore[index]
    set_up(chats.home, **entries)
    global_write("the office has moved")
    assert "office" in chats.types(DM, "pending")
    assert "office" not in chats.types(GROUP, "pending")
    assert "Approved 1" in chats.types(DM, "approve all")


def test_only_the_operator_switches_reviews(chats: Chats) -> None:
    assert chats.types(DM, "approval") == "memory.write_approval = on"
    for words in ("approval off", "mode off", "Approval no"):
        assert chats.types(DM, words).startswith("⛔")
        assert memory_command.is_switch(words.split()), "so that the host carries it out for an admin"
    assert not memory_command.is_switch(["approval"])
    assert write_approval.write_approval_enabled("memory")


@pytest.mark.parametrize("words", ["help", "approve", "reject", "show", "diff 1"])
def test_other_words_show_what_there_is(chats: Chats, words: str) -> None:
    assert chats.types(DM, words).startswith("/memory pending")


@pytest.mark.parametrize(
    ("choice", "kept", "staged"), [("once", True, False), ("deny", False, False), ("?", False, True)]
)
def test_the_operators_terminal_is_asked_at_once(
    chats: Chats, monkeypatch: pytest.MonkeyPatch, choice: str, kept: bool, staged: bool
) -> None:
    monkeypatch.setenv("HERMES_INTERACTIVE", "1")
    memory_settings = {"memory": {"cli_context": "owner"}}
    set_up(chats.home, plugins={"enabled": [], "entries": {"hardened-adapters": memory_settings}})
    terminal_tool.set_approval_callback(lambda *_, **__: choice)
    try:
        sealed = middleware.seal(tool_name="memory", args={"action": "add", "target": "memory", "content": SECRET})
        assert sealed is not None
        answer = json.loads(middleware.carry_out(tool_name="memory", next_call=lambda args: "{}", **sealed))
    finally:
        terminal_tool.set_approval_callback(None)
    folder = memory.folder(chats.home, "owner")
    assert (memory.entries(folder / "MEMORY.md") == [SECRET]) is kept
    assert answer["success"] is (kept or staged)
    assert len(reviews.waiting(folder)) == staged
    assert not chats.of_the_host()


# -- the queue's files, without the host


def test_ids_are_new_and_the_oldest_comes_first(tmp_path: Path) -> None:
    ids = [reviews.stage(tmp_path, str(n), "foreground", float(n), {"action": "add"}) for n in (2, 1, 3)]
    assert len(set(ids)) == 3
    assert [each.summary for each in reviews.waiting(tmp_path)] == ["1", "2", "3"]
    assert not [path for path in (tmp_path / "pending").iterdir() if path.suffix != ".json"]


def test_no_queue_is_an_empty_one(tmp_path: Path) -> None:
    assert not reviews.waiting(tmp_path)
    assert not reviews.discard(tmp_path, "00000000")
    assert reviews.discard_all(tmp_path) == 0
    (tmp_path / "pending").write_text("no folder")
    assert not reviews.waiting(tmp_path)
    with contextlib.suppress(FileExistsError, NotADirectoryError):
        reviews.stage(tmp_path, "x", "foreground", 0.0, {})
        raise AssertionError("a file is no queue")
