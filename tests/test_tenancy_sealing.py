"""Sealed calls: what the host alone refuses, what our half makes of them, and the scope of a call."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.common.tenancy.sealing import MEMORY, SEARCH, check_form, scope, sealed, unsealed

CALLS: list[dict[str, Any]] = [
    {"action": "add", "target": "memory", "content": "x", "scope": "global"},
    {"action": "remove", "target": "user", "old_text": "x"},
    {"target": "memory", "operations": [{"action": "add", "content": "x"}]},
    {"target": "chat:memory"},
]


@pytest.mark.parametrize("args", CALLS)
def test_a_sealed_call_of_memory_has_a_target_that_the_host_does_not_know(args: dict[str, Any]) -> None:
    before = repr(args)
    assert sealed(MEMORY, args)["target"] not in {"memory", "user", None}
    assert unsealed(MEMORY, sealed(MEMORY, args)) == args
    assert repr(args) == before


@pytest.mark.parametrize("args", [{}, {"target": None}, {"target": ""}])
def test_a_call_without_a_target_is_sealed_too_and_has_none_afterwards(args: dict[str, Any]) -> None:
    assert sealed(MEMORY, args)["target"] == "chat:"
    assert unsealed(MEMORY, sealed(MEMORY, args))["target"] is None
    assert unsealed(MEMORY, args)["target"] is None


@pytest.mark.parametrize("target", [5, True, ["memory"], {"memory": "user"}, "MEMORY", "\ud800", "../USER.md"])
def test_a_target_of_another_form_stays_none_that_there_is(target: Any) -> None:
    assert sealed(MEMORY, {"target": target})["target"] not in {"memory", "user"}
    assert unsealed(MEMORY, sealed(MEMORY, {"target": target}))["target"] == str(target)


@pytest.mark.parametrize(
    "args",
    [{"query": "x"}, {}, {"session_id": "s"}, {"sealed": {"query": "y"}}, {"sealed": "x", "session_id": "sealed"}],
)
def test_a_sealed_search_asks_for_a_session_that_is_not_there(args: dict[str, Any]) -> None:
    found = sealed(SEARCH, args)
    assert (found["query"], found["session_id"]) == ("", "sealed")
    assert unsealed(SEARCH, found) == args


def test_a_search_that_was_not_sealed_is_taken_as_it_is() -> None:
    assert unsealed(SEARCH, {"query": "x", "sealed": 5}) == {"query": "x", "sealed": 5}


@pytest.mark.parametrize(
    ("args", "wanted"),
    [
        ({}, "chat"),
        ({"scope": None}, "chat"),
        ({"scope": ""}, "chat"),
        ({"scope": "global"}, "global"),
        ({"operations": [{"action": "add"}, {"scope": None}, {"scope": "chat"}, "scope", None]}, "chat"),
        ({"operations": [{"scope": "global"}], "scope": "global"}, "global"),
        ({"operations": 5}, "chat"),
    ],
)
def test_the_scope_of_a_call(args: dict[str, Any], wanted: str) -> None:
    assert scope(args) == wanted


@pytest.mark.parametrize("wrong", ["Global", "all", "global ", 5, True, ["global"], {"global": 1}])
def test_an_unknown_scope_is_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="scope is 'chat' or 'global'"):
        scope({"scope": wrong})


@pytest.mark.parametrize(
    "args",
    [
        {"operations": [{"scope": "global"}]},
        {"operations": [{"scope": "chat"}], "scope": "global"},
        {"operations": ({"scope": "global"}, {"scope": "chat"})},
        {"operations": [{"scope": ["global"]}]},
    ],
)
def test_a_call_has_one_scope(args: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="one scope"):
        scope(args)


@pytest.mark.parametrize("args", [*CALLS, {}, {"operations": None}, {"operations": [], "content": None}])
def test_the_form_of_a_call(args: dict[str, Any]) -> None:
    check_form(args)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"operations": ["x"]}, "operations must be a list"),
        ({"operations": [None]}, "operations must be a list"),
        ({"operations": {"action": "add"}}, "operations must be a list"),
        ({"operations": 5}, "operations must be a list"),
        ({"operations": [{"action": "add", "content": 5}]}, "content must be a text"),
        ({"operations": [{"action": ["add"]}]}, "action must be a text"),
        ({"action": "add", "content": {"text": "x"}}, "content must be a text"),
        ({"action": "replace", "new_text": 5}, "new_text must be a text"),
        ({"action": "remove", "old_text": ["x"]}, "old_text must be a text"),
    ],
)
def test_a_call_of_another_form_is_refused(args: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_form(args)
