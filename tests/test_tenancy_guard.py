"""The things that calls of tools name, and those that are refused: decisions without Hermes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.common.tenancy.guard import (
    Call,
    Malformed,
    Path,
    Place,
    Rights,
    Use,
    allows,
    calls,
    paths,
    refusal,
    stores,
)
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


def named(tool: str, **args: Any) -> set[tuple[str, Use]]:
    return {(path.text, path.use) for call in calls(tool, args) for path in paths(call)}


@pytest.mark.parametrize(
    ("tool", "args", "expected"),
    [
        ("read_file", {"path": "a.txt"}, {("a.txt", Use.READ)}),
        ("write_file", {"path": "a.txt", "content": "x"}, {("a.txt", Use.WRITE)}),
        ("write_file", {"path": "a", "content": "/etc/x"}, {("a", Use.WRITE), ("/etc/x", Use.MENTION)}),
        ("search_files", {"pattern": "x"}, {(".", Use.LIST)}),
        ("search_files", {"pattern": "x", "path": ""}, {(".", Use.LIST)}),
        ("search_files", {"pattern": "x", "path": "a b"}, {("a b", Use.LIST), ("a", Use.LIST), ("b", Use.LIST)}),
        (
            "search_files",
            {"pattern": "x", "path": "a c, b"},
            {("a c, b", Use.LIST), ("a c", Use.LIST), ("b", Use.LIST)},
        ),
        (
            "search_files",
            {"pattern": "../h/*", "path": "a", "target": "files"},
            {("a", Use.LIST), ("a/../h", Use.LIST)},
        ),
        ("search_files", {"pattern": "*.py", "path": "a", "target": "find"}, {("a", Use.LIST)}),
        (
            "search_files",
            {"pattern": "~/h*/x", "path": "a", "target": "files"},
            {("a", Use.LIST), ("~", Use.LIST), ("~/h*/x", Use.MENTION)},
        ),
        ("patch", {"path": "a", "old_string": "x"}, {("a", Use.WRITE)}),
        ("patch", {"mode": "patch", "patch": "*** Begin Patch\n*** Update File: b \n@@"}, {("b", Use.WRITE)}),
        ("patch", {"patch": "***Add File: c\n*** Delete  File:d"}, {("c", Use.WRITE), ("d", Use.WRITE)}),
        (
            "patch",
            {"patch": " junk *** Move File: e -> ~/f"},
            {("e -> ~/f", Use.WRITE), ("e", Use.WRITE), ("~/f", Use.WRITE)},
        ),
        ("vision_analyze", {"image_url": "https://x.test/a.png", "question": "?"}, set()),
        ("vision_analyze", {"image_url": "data:image/png;base64,AA"}, set()),
        ("vision_analyze", {"image_url": "FILE:///a.png"}, {("FILE:///a.png", Use.READ)}),
        ("image_generate", {"reference_image_urls": '["a.png", "b.png"]'}, {("a.png", Use.READ), ("b.png", Use.READ)}),
        ("text_to_speech", {"text": "hello", "output_path": "a.mp3"}, {("a.mp3", Use.WRITE)}),
        ("yb_send_dm", {"media_files": [["a", True], {"path": "b"}, "c"]}, {(x, Use.READ) for x in "abc"}),
        ("kanban_complete", {"artifacts": ["a"]}, {("a", Use.READ)}),
        ("terminal", {"command": "ls", "workdir": "a"}, {("a", Use.MENTION)}),
        ("cronjob_manage", {"workdir": "a"}, {("a", Use.MENTION)}),
        ("mcp_files_read", {"what": {"deep": ["  ~/x", "relative/x"]}}, {("~/x", Use.MENTION)}),
        ("mcp_files_read", {"what": '{"deep": "file:///x"}'}, {("file:///x", Use.MENTION)}),
        ("mcp_files_read", {"/key": 1}, set()),
        ("tool_call", {"name": "read_file", "arguments": {"path": "a"}}, {("a", Use.READ)}),
        ("tool_call", {"name": " read_file ", "arguments": '{"path": "a"}'}, {("a", Use.READ)}),
        ("tool_call", {"calls": [{"name": "read_file", "arguments": {"path": "a"}}]}, {("a", Use.READ)}),
        ("tool_call", {"calls": '{"name": "read_file", "arguments": "{\\"path\\": \\"a\\"}"}'}, {("a", Use.READ)}),
        ("tool_call", {"name": "read_file", "arguments": ""}, set()),
        ("todo", {"todos": [{"content": "buy bread"}]}, set()),
    ],
)
def test_paths_of_a_call(tool: str, args: dict[str, Any], expected: set[tuple[str, Use]]) -> None:
    assert named(tool, **args) == expected


@pytest.mark.parametrize(
    ("tool", "args"),
    [
        ("read_file", {"path": 5}),
        ("read_file", {"path": {"a": "b"}}),
        ("write_file", {"path": True}),
        ("patch", {"patch": ["*** Add File: a"]}),
        ("search_files", {"path": ["a"]}),
        ("search_files", {"path": 3}),
        ("kanban_complete", {"artifacts": [{"url": "a"}]}),
        ("tool_call", {"name": "read_file", "arguments": "path=a"}),
        ("tool_call", {"name": "read_file", "arguments": ["a"]}),
        ("tool_call", {"calls": ["read_file"]}),
        ("mcp_x", {"deep": json.loads("[" * 40 + "]" * 40)}),
    ],
)
def test_arguments_of_another_shape_are_not_judged_as_harmless(tool: str, args: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        named(tool, **args)


@given(tool=st.sampled_from(["read_file", "patch", "search_files", "tool_call", "mcp_x"]), args=JSON)
def test_any_arguments_are_judged_or_refused(tool: str, args: Any) -> None:
    given_args = args if isinstance(args, dict) else {"path": args, "patch": args, "calls": args}
    try:
        found = named(tool, **{str(key): value for key, value in given_args.items() if key != "tool"})
    except Malformed:
        return
    assert all(isinstance(text, str) for text, _ in found)


def test_what_is_allowed_where() -> None:
    allowed = {(use, place) for use in Use for place in Place if allows(use, place)}
    assert allowed == {
        *((use, Place.OUTSIDE) for use in Use),
        (Use.READ, Place.RECEIVED),
        (Use.MENTION, Place.RECEIVED),
        (Use.MENTION, Place.AROUND),
    }
    assert Path("x", Use.READ).use is Use.READ


TRUSTED = Rights(trusted=True)


@pytest.mark.parametrize(
    ("tool", "args", "rights", "is_refused"),
    [
        ("read_file", {}, Rights(), False),
        ("terminal", {}, Rights(), False),
        ("terminal", {}, Rights(denied=frozenset({"terminal"})), True),
        ("terminal", {}, Rights(trusted=True, denied=frozenset({"terminal"})), False),
        ("process", {}, Rights(trusted=True, denied=frozenset({"process_manage"})), False),
        ("process_manage", {}, Rights(denied=frozenset({"process"})), True),
        ("cronjob", {}, Rights(denied=frozenset({"cronjob_manage"})), True),
        ("tool_call", {"name": "terminal"}, Rights(denied=frozenset({"terminal"})), True),
        ("todo_list", {}, Rights(denied=frozenset({"todo"})), True),
        ("todo", {}, Rights(denied=frozenset({"todo_list"})), True),
        ("tool_call", {"name": "cronjob_manage"}, Rights(denied=frozenset({"cronjob"})), True),
        ("tool_call", {"calls": [{"name": "todo"}]}, Rights(denied=frozenset({"todo_list"})), True),
        ("skill_manage", {"action": "create"}, Rights(), True),
        ("skill_manage", {"operations": [{"action": "patch"}]}, Rights(), True),
        ("skill_manage", {}, TRUSTED, True),
        ("skill_manage", {"action": "create"}, Rights(writes_skills=True), False),
        ("skill_view", {"name": "x"}, Rights(), False),
        ("terminal", {}, Rights(has_shell=False), True),
        ("read_file", {}, Rights(trusted=True, has_shell=False), True),
        ("web_search", {}, Rights(has_shell=False), False),
        ("kanban_show", {"task_id": "t1"}, Rights(), True),
        ("kanban_list", {}, Rights(), True),
        ("kanban_list", {}, TRUSTED, False),
        ("kanban_show", {}, Rights(board_task="t1"), False),
        ("kanban_show", {"task_id": "t1"}, Rights(board_task="t1"), False),
        ("kanban_show", {"task_id": "t2"}, Rights(board_task="t1"), True),
        ("kanban_show", {"task_id": ["t1"]}, Rights(board_task="t1"), True),
        ("kanban_list", {}, Rights(board_task="t1"), True),
        ("cronjob", {"script": "backup.sh"}, Rights(), True),
        ("cronjob", {"script": "backup.sh"}, TRUSTED, False),
        ("cronjob", {"script": ""}, Rights(), False),
        ("cronjob_manage", {"monitor": "https://example.org"}, Rights(), False),
        ("cronjob_manage", {"monitor": "watch.py"}, Rights(), True),
        ("cronjob_manage", {"monitor_script": ["watch.py"]}, Rights(), True),
        ("process", {"action": "log"}, Rights(), True),
        ("process_manage", {"action": "log"}, TRUSTED, False),
    ],
)
def test_rights(tool: str, args: dict[str, Any], rights: Rights, is_refused: bool) -> None:
    (call,) = calls(tool, args)
    assert bool(refusal(call, rights, owns_process=False)) is is_refused


def test_an_own_process_is_allowed() -> None:
    assert refusal(Call("process", {}), Rights(), owns_process=True) is None


@pytest.mark.parametrize(
    ("tool", "args", "expected"),
    [
        ("memory", {"action": "add", "content": "x"}, True),
        ("memory", {"action": "replace", "old_text": "x", "content": "y"}, True),
        ("memory", {"action": "remove", "old_text": "x"}, False),
        ("memory", {"action": None}, True),
        ("memory", {}, True),
        ("memory", {"operations": [{"action": "remove"}, {"action": "add"}]}, True),
        ("memory", {"operations": '[{"action": "remove"}]'}, False),
        ("skill_manage", {"action": "create"}, True),
        ("session_search", {"query": "x"}, False),
        ("tool_call", {"name": "memory", "arguments": {"action": "add"}}, True),
        ("tool_call", {"calls": [{"name": "todo"}, {"name": "memory", "arguments": '{"action": "add"}'}]}, True),
        ("tool_call", {"name": "todo", "arguments": {}}, False),
    ],
)
def test_what_puts_something_into_a_memory_or_a_skill(tool: str, args: dict[str, Any], expected: bool) -> None:
    assert any(map(stores, calls(tool, args))) == expected


@pytest.mark.parametrize("operations", ["add", [1], ["add"], 7])
def test_operations_that_cannot_be_read_are_refused(operations: object) -> None:
    with pytest.raises(Malformed):
        stores(Call("memory", {"operations": operations}))
