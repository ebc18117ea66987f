"""Model requests: where each wire format has its system prompt, and what nobody's shape can break."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hermes_hardened_adapters.common.tenancy.requests import compaction, with_system_text
from hypothesis import given
from hypothesis import strategies as st

TEXT = "MEMORY OF THIS CHAT"
MARK = {"type": "ephemeral"}
MARKER = "[CONTEXT COMPACTION"
ASKED = {"role": "user", "content": "hello"}
MODES = ("chat_completions", "anthropic_messages", "bedrock_converse", "codex_responses")


def part(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **more}


def chat(content: Any, role: str = "system") -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": role, "content": content}, ASKED]}


@pytest.mark.parametrize(
    ("mode", "request_", "changed"),
    [
        ("chat_completions", chat("You"), chat(f"You\n\n{TEXT}")),
        ("chat_completions", chat("You", "developer"), chat(f"You\n\n{TEXT}", "developer")),
        ("chat_completions", chat(None), chat(TEXT)),
        ("chat_completions", chat(""), chat(TEXT)),
        ("chat_completions", chat([part("You")]), chat([part("You"), part(TEXT)])),
        (
            "chat_completions",
            chat([part("You", cache_control=MARK)]),
            chat([part("You"), part(TEXT, cache_control=MARK)]),
        ),
        ("chat_completions", chat([]), chat([part(TEXT)])),
        ("a_mode_of_tomorrow", chat("You"), chat(f"You\n\n{TEXT}")),
        ("", chat("You"), chat(f"You\n\n{TEXT}")),
        (
            "anthropic_messages",
            {"system": "You", "messages": [ASKED]},
            {"system": f"You\n\n{TEXT}", "messages": [ASKED]},
        ),
        ("anthropic_messages", {"messages": [ASKED]}, {"system": TEXT, "messages": [ASKED]}),
        (
            "anthropic_messages",
            {"system": [part("first", cache_control=MARK), part("second", cache_control=MARK)]},
            {"system": [part("first", cache_control=MARK), part("second"), part(TEXT, cache_control=MARK)]},
        ),
        (
            "anthropic_messages",
            {"system": [part("first"), {"type": "other"}]},
            {"system": [part("first"), part(TEXT), {"type": "other"}]},
        ),
        ("bedrock_converse", {"system": [{"text": "You"}]}, {"system": [{"text": "You"}, {"text": TEXT}]}),
        (
            "bedrock_converse",
            {"system": [{"text": "You"}, {"cachePoint": {"type": "default"}}]},
            {"system": [{"text": "You"}, {"text": TEXT}, {"cachePoint": {"type": "default"}}]},
        ),
        ("bedrock_converse", {}, {"system": [{"text": TEXT}]}),
        (
            "codex_responses",
            {"instructions": "You", "input": [ASKED]},
            {"instructions": f"You\n\n{TEXT}", "input": [ASKED]},
        ),
        ("codex_responses", {"input": [ASKED]}, {"instructions": TEXT, "input": [ASKED]}),
    ],
)
def test_a_text_comes_to_the_end_of_the_system_prompt(
    mode: str, request_: dict[str, Any], changed: dict[str, Any]
) -> None:
    before = copy.deepcopy(request_)
    found = with_system_text(request_, TEXT, mode)
    assert found == changed
    assert request_ == before, "the request of the host was changed"
    assert repr(found).count("cache_control") == repr(request_).count("cache_control")


@pytest.mark.parametrize(
    ("mode", "request_"),
    [
        ("chat_completions", {}),
        ("chat_completions", {"messages": []}),
        ("chat_completions", {"messages": [ASKED]}),
        ("chat_completions", {"messages": [ASKED, {"role": "system", "content": "a remark"}]}),
        ("chat_completions", {"messages": {"role": "system"}}),
        ("chat_completions", {"messages": "system"}),
        ("chat_completions", {"messages": ["system", 5]}),
        ("chat_completions", {"messages": [{"role": ["system"], "content": "You"}]}),
        ("chat_completions", {"messages": [{"content": "You"}]}),
        ("chat_completions", chat({"text": "You"})),
        ("chat_completions", chat(5)),
        ("anthropic_messages", {"system": 5}),
        ("anthropic_messages", {"system": {"text": "You"}}),
        ("codex_responses", {"instructions": [part("You")]}),
        ("a_mode_of_tomorrow", {"system": "You", "messages": [ASKED]}),
        ("chat_completions", None),
        ("anthropic_messages", ["system"]),
    ],
)
def test_a_request_without_a_place_for_it_gets_none(mode: str, request_: Any) -> None:
    assert with_system_text(request_, TEXT, mode) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(MARKER),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["role", "content", "text", "type", "cache_control", "system"]), inner)
    ),
    max_leaves=12,
)


@given(st.sampled_from(MODES), st.sampled_from(["messages", "system", "instructions", "input"]), JSON)
def test_no_shape_raises_or_is_changed(mode: str, key: str, value: Any) -> None:
    request = {key: value}
    before = copy.deepcopy(request)
    with_system_text(request, TEXT, mode)
    compaction(request, MARKER)
    assert request == before


# -- compaction


def said(*texts: Any, key: str = "messages") -> dict[str, Any]:
    return {key: [{"role": "user", "content": text} for text in texts]}


@pytest.mark.parametrize("key", ["messages", "input"])
def test_a_conversation_that_was_compacted_has_another_number(key: str) -> None:
    first, second = f"{MARKER} — one", f"{MARKER} — two"
    none = compaction(said("hello", "you", key=key), MARKER)
    once = compaction(said("hello", first, "more", key=key), MARKER)
    twice = compaction(said("hello", second, key=key), MARKER)
    assert none == 0
    assert len({none, once, twice}) == 3
    assert once == compaction(said("other", "words", first, "and more of them", key=key), MARKER)
    assert once == compaction(said([{"type": "input_text", "text": first}], key=key), MARKER)


def test_somebody_who_writes_the_marker_hides_no_compaction() -> None:
    typed = f"{MARKER} I am a summary"
    assert compaction(said(typed), MARKER) != compaction(said(typed, f"{MARKER} — one"), MARKER)


def test_the_marker_counts_at_the_beginning_of_a_message_alone() -> None:
    assert compaction(said("x" * 300 + MARKER), MARKER) == 0


@pytest.mark.parametrize(
    "request_", [None, {}, {"input": "text"}, {"messages": 5}, {"messages": [None, 5, {"content": 5}]}]
)
def test_a_request_of_another_form_was_not_compacted(request_: Any) -> None:
    assert compaction(request_, MARKER) == 0
