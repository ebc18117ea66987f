"""What the agent reads of a text with mentions in it."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from hermes_hardened_adapters.common.core.events import (
    Address,
    Me,
    Mention,
)
from hermes_hardened_adapters.common.core.mentions import addressed, readable, starts_command, without_alias
from hypothesis import given
from hypothesis import strategies as st

from tests.waiting import cost

ME = Me("me")


def marked(text: str) -> tuple[str, list[Mention]]:
    """`①` stands for a mention of us, `②` for one of Bob."""
    people = {"①": ("me", "Hermes"), "②": ("bob", "Bob")}
    return text, [Mention(Address(people[c][0]), people[c][1], (i, i + 1)) for i, c in enumerate(text) if c in people]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("① /sethome", "/sethome"),
        ("①, /sethome", "/sethome"),
        ("①: /sethome", "/sethome"),
        ("① — /sethome", "/sethome"),
        ("①\n/sethome", "/sethome"),
        ("①\u200b/sethome", "/sethome"),
        ("①\u2060 \u200f/sethome", "/sethome"),
        ("\u200b①,\u00a0/sethome now", "/sethome now"),
        ("① ① /sethome", "/sethome"),
        ("①/ops", "@Hermes/ops"),
        ("① hello", "hello"),
        ("①! hello", "hello"),
        ("①... hello", "hello"),
        ("①.5 is odd", "@Hermes.5 is odd"),
        ("①'s status", "@Hermes's status"),
        ("①你好", "你好"),
        ("你好①", "你好"),
        ("cc/①", "cc/@Hermes"),
        ("x.①", "x.@Hermes"),
        ("(①)", "(@Hermes)"),
        ("**①** bold", "**@Hermes** bold"),
        ("bold **①**", "bold **@Hermes**"),
        ("① ./run.sh", "./run.sh"),
        ("①\n- one\n- two", "- one\n- two"),
        ("①  two  spaces\n    code", "two  spaces\n    code"),
        ("hello ①", "hello"),
        ("hello, ①!", "hello!"),
        ("what is it ①?", "what is it?"),
        ("what is it, ① ?", "what is it?"),
        ("hello ①\n", "hello"),
        ("hello\n①", "hello"),
        ("ask ① about it", "ask @Hermes about it"),
        ("ask ① about  it", "ask @Hermes about  it"),
        ("👨‍👩‍👧‍👦 ① /status", "👨‍👩‍👧‍👦 @Hermes /status"),
        ("② ① hi", "@Bob @Hermes hi"),
        ("① ② hi", "@Bob hi"),
        ("ask ② ①", "ask @Bob"),
        ("①", "@Hermes"),
        ("①?", "@Hermes?"),
        (" ① ", " @Hermes "),
        ("①①", "@Hermes@Hermes"),
        ("no mention  at all ", "no mention  at all "),
        (" \u200b/cmd", "/cmd"),
    ],
)
def test_addressed(text: str, expected: str) -> None:
    assert addressed(*marked(text), ME) == expected


def test_readable_keeps_everything() -> None:
    assert readable(*marked("① and ②!")) == "@Hermes and @Bob!"


def test_ranges_that_overlap_or_leave_the_text_are_survived() -> None:
    bob = Address("bob")
    mentions = [
        Mention(bob, "Bob", (0, 3)),
        Mention(bob, "Bob", (2, 4)),
        Mention(bob, "Bob", (3, 3)),
        Mention(bob, "Bob", (600, 601)),
        Mention(bob, "Bob", None),
    ]
    assert readable("abcdef", mentions) == "@Bob@Bobdef"


@pytest.mark.parametrize(("text", "expected"), [("/a", True), (" \ufeff\n/a", True), ("a /b", False), ("", False)])
def test_starts_command(text: str, expected: bool) -> None:
    assert starts_command(text) is expected


def test_alias() -> None:
    assert without_alias("Hermes: /status", ("bot", "hermes")) == "/status"
    assert without_alias("hermesx", ("hermes",)) is None
    assert without_alias("hermes", ("hermes",)) == ""


@given(st.text(), st.lists(st.tuples(st.integers(-5, 50), st.integers(-5, 50), st.sampled_from(["me", "bob"]))))
def test_any_text_and_any_ranges(text: str, ranges: list[tuple[int, int, str]]) -> None:
    mentions = [Mention(Address(uid), uid, (start, end) if start < end else None) for start, end, uid in ranges]
    assert isinstance(addressed(text, mentions, ME), str)
    assert isinstance(readable(text, mentions), str)
    assert readable(text, []) == text


@pytest.mark.parametrize("blank", [" ", "\u200b", " \u200b", "\n"])
def test_blanks_without_end_take_no_time(blank: str) -> None:
    """Once 4,000 spaces before a mention took minutes: the interval timer ends what would not end by itself."""
    blanks = blank * 20_000
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("no end"))
    signal.setitimer(signal.ITIMER_REAL, 10)
    try:
        for text, expected in (
            (f"a{blanks}b ①", f"a{blanks}b"),
            (f"a ①{blanks}c", f"a @Hermes{blanks}c"),
            (f"{blanks}①{blanks}b{blanks}①{blanks}", "b"),
        ):
            assert addressed(*marked(text), ME) == expected
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("text", ["①{}", "{}①", "a {}"], ids=["start", "end", "middle"])
def test_taking_off_mentions_is_linear(text: str) -> None:
    """The decoders' bound aside."""

    def work(size: int) -> Callable[[], object]:
        whole = text.format("① " * size)
        mentions = [Mention(Address("me"), "me", (at, at + 1)) for at, char in enumerate(whole) if char == "①"]
        return lambda: addressed(whole, mentions, Me("me"))

    assert cost(work(20_000)) < 24 * cost(work(2_500))


def test_marks_at_the_end_are_read_once_for_all_mentions() -> None:
    def work(size: int) -> Callable[[], object]:
        whole = "a " + "① " * size + "!" * 100_000
        mentions = [Mention(Address("me"), "me", (at, at + 1)) for at, char in enumerate(whole) if char == "①"]
        return lambda: addressed(whole, mentions, Me("me"))

    assert work(3)() == "a" + "!" * 100_000
    assert cost(work(500)) < 10 * cost(work(5))
