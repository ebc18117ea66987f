"""The text of a post as a reader sees it, and where each character of it stands in the source."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.adapters.mattermost.mentions.inlines import plain


@pytest.mark.parametrize(
    ("source", "seen", "hidden"),
    [
        ("plain words", "plain words", ""),
        ("before `code` after", "before", "code"),
        ("[label](http://there)", "label", "there"),
        (r"a \`b\` c", "b", ""),
        ("see http://there.example/x now", "see", "there"),
    ],
)
def test_what_a_reader_sees(source: str, seen: str, hidden: str) -> None:
    text = plain(source).text
    assert seen in text
    assert not hidden or hidden not in text


@pytest.mark.parametrize("source", ["no marks", "a `code` z", "x [label](there) z", "&commat; z", "> quoted z\n\nz"])
def test_the_origin_of_a_character_is_where_it_was_written(source: str) -> None:
    readable = plain(source)
    for at, character in enumerate(readable.text):
        origin = readable.origin(at)
        assert 0 <= origin <= len(source)
        if character == "z":
            assert source[origin] == "z"
    assert readable.origin(len(readable.text)) == len(source)
