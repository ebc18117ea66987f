"""Masks: the full shape of a text and none of its contents."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hermes_hardened_adapters.common.recording.masking import command_span, mask
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
        ("\ufffc and \u200b", "\ufffc xxx \u200d"),
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


INVISIBLE = {
    "zero width": "\u200b\u200c\u200d\u200e\u200f\u2060\u2061\ufeff",
    "bidi": "\u202a\u202b\u202d\u202e\u2066\u2069\u061c\xad",
    "spaces": "\u2000\u2001\u2009\u200a\u202f\u205f\u3000\u1680",
    "no-break spaces": "\xa0\x85",
    "selectors": "\ufe00\ufe01\ufe0e\ufe0f",
    "more selectors": "\U000e0100\U000e0101\U000e01ef",
    "tags": "\U000e0041\U000e0020\U000e007f\U000e0001",
    "control": "\x00\x01\x07\x08\x0e\x1b\x7f",
    "C1": "\x80\x9b\x9f",
    "separators": "\x0b\x0c\x1c\x1d\x1e\x1f",
    "deprecated": "\u206a\u206b\u206f",
    "fillers": "\u115f\u1160\u3164\uffa0",
    "private": "\ue000\uf8ff",
    "braille": "\u2800\u2801",
}


@pytest.mark.parametrize("alphabet", INVISIBLE.values(), ids=INVISIBLE)
def test_what_cannot_be_seen_tells_nothing(alphabet: str) -> None:
    """With two characters of a kind, an invisible text could be written that the mask keeps."""
    for one, other in pairwise(alphabet):
        hidden = "".join(one if bit == "0" else other for bit in f"{int.from_bytes(b'key'):b}")
        width = {len(char.encode()) for char in hidden}
        assert len(set(mask(f"a{hidden}b")) - {"x"}) <= len(width)


@pytest.mark.parametrize("text", ["**a**\r\n\t- b", "a\u2028b", "@bot\u200d/x", "☺️ 1\u20e3"])
def test_white_space_and_what_joins_stay(text: str) -> None:
    assert [c for c in mask(text) if not c.isalnum()] == [c for c in text if not c.isalnum()]


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
