"""Whatever happens in other chats, a chat reads the same: noninterference of the pure parts."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hermes_hardened_adapters.common.tenancy import memory, requests, sealing
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation, Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, GLOBAL, Contexts, checked
from hermes_hardened_adapters.common.tenancy.functions import policy as policy_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

PLATFORMS, IDS = ("signal", "mattermost"), ("a", "A", "a/b", "a_b", "..", "é")
NAMES = st.sampled_from(["org", "sales", "Org", "org/1", "org_1"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def chats(draw: st.DrawFn) -> Chat:
    kind = draw(st.sampled_from(["dm", "group", "thread"]))
    user = draw(st.sampled_from(["u", "v", ""]))
    parent = draw(st.sampled_from(["", "a"])) if kind == "thread" else ""
    return Chat(
        draw(st.sampled_from(PLATFORMS)),
        draw(st.sampled_from(IDS)),
        kind,
        draw(st.sampled_from(["t", ""])) if kind == "thread" else "",
        user,
        draw(st.sampled_from(["s1", "s2"])),
        origin={"parent_chat_id": parent} if parent else {},
    )


POLICIES = st.sampled_from([*BUILT_IN.values(), policy_of(lambda user_id: user_id or 0, "agent")])
ANSWERS = NAMES | st.lists(NAMES, min_size=1, max_size=3) | st.none()
TABLES = st.dictionaries(st.builds(lambda p, i: f"{p}:{i}", st.sampled_from(PLATFORMS), st.sampled_from(IDS)), ANSWERS)
CONTEXTS = st.builds(Contexts, POLICIES, TABLES)
EVENTS = st.lists(st.tuples(chats(), st.sampled_from(["memory", "user"]), st.sampled_from("xyz")), max_size=8)


def contexts_of(contexts: Contexts, chat: Chat, operation: Operation) -> tuple[str, ...] | None:
    """Return the contexts of a chat, None if nothing is to be read or written."""
    try:
        return contexts.of(chat, operation)
    except Unknown:
        return None


def happen(home: Path, contexts: Contexts, events: Sequence[tuple[Chat, str, str]]) -> None:
    """Save what the chats save, each in the first of its contexts. The host's own memory is not ours to write."""
    for chat, target, content in events:
        if found := contexts_of(contexts, chat, Operation.WRITE):
            file = memory.make_folder(home, found[0]) / memory.FILES[target]
            file.write_text(memory.DELIMITER.join([*memory.entries(file), content]))


def reads(home: Path, contexts: Contexts, chat: Chat) -> object:
    """Return the model request of a chat, with all that it reads."""
    parts = []
    for context in contexts_of(contexts, chat, Operation.READ) or ():
        for target, name in memory.FILES.items():
            entries = memory.entries(memory.folder(home, context) / name)
            parts.append(memory.block(f"{target} of {context}", entries, 2200))
    return requests.with_system_text({"messages": [{"role": "system", "content": "?"}]}, "\n".join(parts), "")


def reaches(contexts: Contexts, writer: Chat, reader: Chat) -> bool:
    """Return True if what a chat writes is for another to read."""
    written = contexts_of(contexts, writer, Operation.WRITE)
    return bool(written) and written[0] in (contexts_of(contexts, reader, Operation.READ) or ())


@settings(deadline=None)
@given(CONTEXTS, chats(), EVENTS, EVENTS)
def test_what_a_chat_reads_depends_on_its_own_contexts_alone(
    contexts: Contexts, reader: Chat, history: list[Any], others: list[Any]
) -> None:
    foreign = [event for event in others if not reaches(contexts, event[0], reader)]
    mixed = [event for pair in zip(history, foreign, strict=False) for event in pair]
    mixed += history[len(foreign) :] + foreign[len(history) :]
    with tempfile.TemporaryDirectory() as alone, tempfile.TemporaryDirectory() as among_others:
        happen(Path(alone), contexts, [event for event in history if reaches(contexts, event[0], reader)])
        happen(Path(among_others), contexts, mixed)
        assert reads(Path(alone), contexts, reader) == reads(Path(among_others), contexts, reader)
        assert not (Path(among_others) / "memories" / "MEMORY.md").exists()


@settings(deadline=None)
@given(CONTEXTS, chats())
def test_what_a_chat_writes_it_reads_and_recalls(contexts: Contexts, chat: Chat) -> None:
    assert len({contexts_of(contexts, chat, operation) for operation in Operation}) == 1


@settings(deadline=None)
@given(st.sampled_from([policy for name, policy in BUILT_IN.items() if name != "global"]), chats(), chats())
def test_equal_ids_on_two_networks_are_two_chats(policy: Any, one: Chat, other: Chat) -> None:
    one, other = replace(one, platform="signal"), replace(other, platform="mattermost")
    assert not reaches(Contexts(policy), one, other)


# -- answers of a policy

WRONG = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.binary()
    | st.just("")
    | st.text(" \t\n", max_size=3)
    | st.dictionaries(st.text(), st.text())
    | st.sets(st.text())
    | st.just(())
    | st.lists(st.none() | st.integers() | st.just("global") | st.just(""), max_size=2)
    | st.tuples(NAMES, st.none() | st.just("global") | st.tuples(NAMES))
    | st.builds(object)
    | st.just(ANY)
    | st.just("x" * 5_001)
    | st.just("\ud800")
)


@settings(deadline=None)
@given(WRONG, st.sampled_from(Operation))
def test_a_wrong_answer_is_never_global(answer: object, operation: Operation) -> None:
    with pytest.raises(Unknown):
        Contexts(lambda chat, operation: answer).of(Chat("signal", "a"), operation)


@settings(deadline=None)
@given(st.sampled_from([ValueError("x"), KeyError("x"), RecursionError(), StopIteration(), ImportError("x")]))
def test_a_policy_that_fails_is_never_global(failure: Exception) -> None:
    def fails(**_: object) -> str:
        raise failure

    with pytest.raises(Unknown):
        Contexts(policy_of(fails, "")).of(Chat("signal", "a"), Operation.WRITE)


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))
def test_every_context_has_a_folder(context: str) -> None:
    assume(context.strip() and context != "global")
    assert checked(context) == (context,) != GLOBAL
    with tempfile.TemporaryDirectory() as home:
        path = memory.make_folder(Path(home), context)
        assert path.parent == Path(home) / "memories" / "contexts"
        assert [each.context for each in memory.stored(Path(home))] == [context]


LIKE = st.text("aA/._- \0é", min_size=1, max_size=60) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300
)


@settings(deadline=None)
@given(LIKE, LIKE)
def test_different_contexts_never_share_a_folder(one: str, other: str) -> None:
    """Also where the file system takes large and small letters for the same."""
    assume(one != other)
    assert memory.folder_name(one).casefold() != memory.folder_name(other).casefold()
    assert len(memory.folder_name(one)) < 80
    assert Path(memory.folder_name(one)).name == memory.folder_name(one)


# -- sealed calls and requests


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["action", "target", "content", "old_text", "operations", "scope"]), JSON))
def test_a_sealed_write_names_no_target_of_the_host(args: dict[str, Any]) -> None:
    before = copy.deepcopy(args)
    sealed = sealing.sealed(sealing.MEMORY, args)
    assert sealed["target"] not in memory.FILES
    assert args == before
    opened = sealing.unsealed(sealing.MEMORY, sealed)
    assert {**opened, "target": 0} == {**args, "target": 0}
    target = args.get("target")
    assert opened["target"] == (None if target is None else str(target).removeprefix("chat:") or None)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["query", "session_id", "sealed", "profile", "around_message_id"]), JSON))
def test_a_sealed_search_asks_the_host_for_nothing(args: dict[str, Any]) -> None:
    sealed = sealing.sealed(sealing.SEARCH, args)
    assert {name: value for name, value in sealed.items() if name != "sealed"} == {"query": "", "session_id": "sealed"}
    assert sealing.unsealed(sealing.SEARCH, sealed) == args


REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "messages": JSON | st.lists(st.fixed_dictionaries({"role": st.sampled_from(["system", "user", "developer"]),
                                                           "content": JSON}), max_size=3),
        "system": JSON,
        "instructions": st.none() | st.text(),
    },
)  # fmt: skip
MODES = st.sampled_from(["chat_completions", "codex_responses", "anthropic_messages", "bedrock_converse", ""])


@settings(deadline=None)
@given(REQUESTS, MODES)
def test_a_request_gets_the_text_or_stays_as_it_was(request: dict[str, Any], mode: str) -> None:
    before = copy.deepcopy(request)
    changed = requests.with_system_text(request, "zqmark", mode)
    assert request == before
    assert changed is None or json.dumps(changed).count("zqmark") == json.dumps(before).count("zqmark") + 1
