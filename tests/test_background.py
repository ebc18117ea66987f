"""The background of one chat against a plain list: nobody pushes out what somebody of more authority said."""

from __future__ import annotations

from collections import Counter

import pytest
from hermes_hardened_adapters.common.core.authority import RIGHTS, Authority
from hermes_hardened_adapters.common.core.wording import TEXT_CHARACTERS
from hermes_hardened_adapters.common.inbound.background import KEEP_CHARACTERS, KEEP_LINES, Background, Line
from hypothesis import given, settings
from hypothesis import strategies as st

UNVERIFIED = [Authority.STRANGER, Authority.PROGRAM]
VERIFIED = [Authority.MEMBER, Authority.ALLOWED, Authority.ADMIN]
SIZES = st.sampled_from([1, 40, 300, 990, 5_000])

said = st.tuples(st.just("say"), st.sampled_from("ABCDEFG"), st.sampled_from(Authority), SIZES, st.integers(1, 40))
edited = st.tuples(st.just("edit"), st.integers(0, KEEP_LINES), st.none(), SIZES, st.none())
deleted = st.tuples(st.just("delete"), st.integers(0, KEEP_LINES), st.none(), st.none(), st.none())


def line(author: str, number: int, size: int = 40, authority: Authority = Authority.ALLOWED) -> Line:
    return Line(f"{author} {number}", author, authority, "", 0.0).with_text("x" * size, number)


def size_of(lines: list[Line]) -> int:
    return sum(len(one.text) for one in lines)


def check_shed(lines: list[Line], new: Line, gone: list[Line]) -> list[Line]:
    """What went was to go, one by one, and nothing else has to; returns what is left."""
    for one in gone:
        theirs = [other for other in lines if (other.by, other.authority) == (one.by, one.authority)]
        if size_of(theirs) > RIGHTS[one.authority].background and (one.by, one.authority) == (new.by, new.authority):
            assert one is theirs[0]
        else:
            assert len(lines) > KEEP_LINES or size_of(lines) > KEEP_CHARACTERS
            rivals = [other for other in lines if other.verified == one.verified]
            assert not one.verified or len(rivals) == len(lines)
            have: Counter[str] = Counter()
            for other in rivals:
                have[other.by] += 1 if len(lines) > KEEP_LINES else len(other.text)
            assert have[one.by] == max(have.values())
            assert one is next(other for other in rivals if other.by == one.by)
        lines = [other for other in lines if other is not one]
    assert len(lines) <= KEEP_LINES
    assert size_of(lines) <= KEEP_CHARACTERS
    theirs = [other for other in lines if (other.by, other.authority) == (new.by, new.authority)]
    assert size_of(theirs) <= RIGHTS[new.authority].background
    return lines


@settings(deadline=None)
@given(st.lists(st.one_of(said, said, edited, deleted), max_size=20))
def test_the_background_is_a_list_from_which_the_right_ones_go(story: list[tuple[str, ...]]) -> None:
    background, lines, number = Background(), list[Line](), 0
    for act, whom, authority, size, times in story:
        if act == "say":
            for _ in range(int(times)):
                number += 1
                new = line(whom, number, int(size), Authority(authority))
                lines = check_shed([*lines, new], new, background.add(new))
        elif lines:
            old = lines[int(whom) % len(lines)]
            assert background.find(old.key) is old
            if act == "edit":
                new = old.with_text("y" * int(size))
                lines = check_shed([new if one is old else one for one in lines], new, background.replace(old, new))
            else:
                background.remove(old)
                lines.remove(old)
        assert list(background) == lines
        assert background.has_verified == any(one.verified for one in lines)


TALK = [line("alice", number, 60) for number in range(10)] + [line("bob", number, 100) for number in range(20)]
"""Two people's talk, of 2,600 characters in 30 lines."""


@pytest.mark.parametrize("lower", UNVERIFIED)
@pytest.mark.parametrize(
    ("speakers", "lines", "size"),
    [(1, 1, 1), (1, 1, KEEP_CHARACTERS), (1, 1_000, 1), (1, 1_000, KEEP_CHARACTERS), (50, 1, 1_000), (1_000, 3, 700)],
)
def test_no_number_of_strangers_takes_anything_from_a_talk(
    lower: Authority, speakers: int, lines: int, size: int
) -> None:
    background = Background()
    for one in TALK:
        assert background.add(one) == []
    for number in range(lines):
        for speaker in range(speakers):
            background.add(line(f"stranger{speaker}", number, size, lower))
    assert [one for one in background if one.verified] == TALK
    theirs = [one for one in background if not one.verified]
    assert theirs
    assert size_of(theirs) <= min(KEEP_CHARACTERS - size_of(TALK), speakers * RIGHTS[lower].background)


@pytest.mark.parametrize("authority", VERIFIED)
def test_those_who_may_instruct_share_the_room(authority: Authority) -> None:
    """Control: they can push others out, but only while they have more, and never more than the room."""
    background = Background()
    for one in TALK:
        background.add(one)
    for number in range(1_000):
        background.add(line("carol", number, 300, authority))
    have = Counter(one.by for one in background for _ in one.text)
    assert have["alice"] == 600
    assert have["carol"] <= RIGHTS[authority].background
    assert have["bob"] >= 1_200


def test_edits_make_nobody_larger_than_their_share() -> None:
    background = Background()
    for number in range(KEEP_LINES):
        background.add(line("mallory", number, 1, Authority.STRANGER))
    for number in range(KEEP_LINES):
        if (one := background.find(f"mallory {number}")) is not None:
            background.replace(one, one.with_text("x" * 5_000))
    assert [len(one.text) for one in background] == [TEXT_CHARACTERS]
