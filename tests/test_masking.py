"""The mask of a text: nothing of what it says, all of its shape."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.masking import command_span, mask
from hypothesis import given
from hypothesis import strategies as st

COMMANDS = {"status", "new", "reload-mcp"}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("", ""),
        ("Hello, World 2026!", "Xxxxx, Xxxxx 0000!"),
        ("**bold** `code` [a](b)", "**xxxx** `xxxx` [x](x)"),
        ("tab\tline\r\nfeed\u2028\x0b", "xxx\txxxx\r\nxxxx\u2028\x0b"),
        ("grüße Ärger ß", "xxääx Äxxxx ä"),
        ("Привет 你好 שלום", "Ääääää 字字 אאאא"),
        ("👋🏽 hi ☀️ 👨‍👩‍👧", "🙂🙂 xx ☺️ 🙂\u200d🙂\u200d🙂"),
        ("\ufffc and \u200b", "\ufffc xxx \u200b"),
        ("see https://Example.org/a?b=1 or www.x.de", "xxx https://Xxxxxxx.xxx/x?x=0 xx www.x.xx"),
        ("+49 151 555 0001", "+00 000 000 0000"),
        ("“no” – he said…", "“xx” – xx xxxx…"),
    ],
)
def test_mask(text: str, masked: str) -> None:
    assert mask(text) == masked


@given(st.text())
def test_a_mask_has_the_offsets_of_the_text_and_is_its_own_mask(text: str) -> None:
    masked = mask(text)
    assert [len(c.encode()) for c in masked] == [len(c.encode()) for c in text]
    assert [len(c.encode("utf-16-le")) for c in masked] == [len(c.encode("utf-16-le")) for c in text]
    assert [c.isspace() for c in masked] == [c.isspace() for c in text]
    assert mask(masked) == masked


@given(st.text(st.characters(categories=["L", "N", "S", "M"]), min_size=1))
def test_what_says_something_is_replaced_by_one_of_few_characters(text: str) -> None:
    allowed = set("xXäÄẍẌ𝐱𝐗א字𠀀0٠०𝟎²①𐄇\u0301\u1de0\U0001d167©☺🙂$+<=>^`|~") | {"\ufe0f", "\u20e3"}
    assert all(c in allowed or 0xFE00 <= ord(c) <= 0xFE0F for c in mask(text))


def test_a_lone_surrogate_is_no_obstacle() -> None:
    assert mask("a\ud800b").encode() == "x☺x".encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/status", "/status"),
        ("  /status now", "/status"),
        ("\ufffc, /New x", "/New"),
        ("/reload-mcp", "/reload-mcp"),
        ("/secret", ""),
        ("/statusx", ""),
        ("say /status", ""),
        ("a/status", ""),
        ("", ""),
    ],
)
def test_a_command_of_the_host_at_the_start_is_found(text: str, shown: str) -> None:
    spans = command_span(text, COMMANDS)
    assert "".join(text[start:end] for start, end in spans) == shown


def test_a_mention_before_a_command_is_passed_over() -> None:
    text = "@hermes, /status of it"
    assert command_span(text, COMMANDS) == ()
    (span,) = command_span(text, COMMANDS, [(0, 7)])
    assert mask(text, [(0, 7), span]) == "@hermes, /status xx xx"
