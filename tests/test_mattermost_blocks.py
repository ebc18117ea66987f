"""The blocks of a post: all but code, as the ranges of their lines without container marks."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.adapters.mattermost.mentions.blocks import paragraphs


def blocks(source: str) -> list[list[str]]:
    return [[source[start:end].rstrip("\n") for start, end in lines] for lines in paragraphs(source)]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("one\ntwo\n\nthree", [["one", "two"], ["three"]]),
        ("    code", []),
        ("text\n    goes on", [["text", "goes on"]]),
        ("```\ncode\n```\nafter", [["after"]]),
        ("before\n```\nnever closed", [["before"]]),
        ("> quoted\n> more", [["quoted", "more"]]),
        ("> quoted\nlazily", [["quoted", "lazily"]]),
        ("- item\n\n  more of it", [["item"], ["more of it"]]),
        ("", []),
    ],
)
def test_code_is_no_text_and_marks_of_containers_are_no_part_of_a_line(source: str, found: list[list[str]]) -> None:
    assert blocks(source) == found
