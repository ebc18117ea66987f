"""Whom a growing answer notifies: a mention that a post did not have when it was created is in another post."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hermes_hardened_adapters.adapters.mattermost.mentions.pings import beginning_at, ending

PEOPLE = {"bob": "b", "carol": "c", "hermes": "h"}


class Names:
    """Usernames, of which only Bob's and the bot's are known before they are looked up."""

    def __init__(self) -> None:
        self.known = {"bob", "hermes"}

    def id_of(self, name: str) -> str | None:
        return PEOPLE[name] if name in self.known else None

    async def look_up(self, names: Iterable[str]) -> bool:
        self.known |= PEOPLE.keys() & set(names)
        return True


@pytest.mark.parametrize(
    ("texts", "posted", "expected"),
    [
        (["No names here."], ["No"], ["No names here."]),
        (["@bob, hello there."], ["@bob, hel"], ["@bob, hello there."]),
        (["One.\n\nAsk @bob."], ["One."], ["One.", "Ask @bob."]),
        (["One.\n\nAsk @bob.\n\nBye."], ["One."], ["One.", "Ask @bob.\n\nBye."]),
        (["One.\nAsk @bob."], ["One."], ["One.", "Ask @bob."]),
        (["One it is. Ask @bob."], ["One"], ["One it is.", "Ask @bob."]),
        (["Please ask @bob."], ["Please"], ["Please ask", "@bob."]),
        (["Ask @carol."], ["As"], ["Ask", "@carol."]),
        (["One.\n\nAsk @nobody, or me, @hermes."], ["One."], ["One.\n\nAsk @nobody, or me, @hermes."]),
        (["One.\n\n`@bob` is code."], ["One."], ["One.\n\n`@bob` is code."]),
        (["One.\n\nAsk @all."], ["One."], ["One.\n\nAsk @all."]),
        # Bob was named before; Carol was not.
        (["@bob did.\n\nSo did @bob.\n\nAsk @carol."], ["@bob did"], ["@bob did.\n\nSo did @bob.", "Ask @carol."]),
        # The name was cut in two when the post was created.
        (["Hello there, my friend @bob, how are you?"], ["Hello there, my friend @bo"],
         ["Hello there, my friend", "@bob, how are you?"]),
        # A cut before the first word leaves nothing: the last post names him.
        (["@bob"], ["@bo"], ["@bob", "@bob"]),
        # In an earlier post, which has others behind it.
        (["One @bob.", "Two."], ["One", "Two"], ["One @bob.", "Two.", "@bob"]),
        (["One @bob.", "Two @carol."], ["One", "Two"], ["One @bob.", "Two", "@carol.", "@bob"]),
        # A post that does not exist yet notifies by itself.
        (["One.", "Ask @bob."], ["One."], ["One.", "Ask @bob."]),
        (["One @bob.", "Ask @bob."], ["One"], ["One", "@bob.", "Ask @bob."]),
        ([], ["One"], []),
    ],
)  # fmt: skip
async def test_who_is_named_where(texts: list[str], posted: list[str], expected: list[str]) -> None:
    names = Names()
    assert await ending(texts, posted, names.id_of, names.look_up, "h") == expected


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("One.\n\nTwo.\nThree @", "Two.\nThree @"),
        ("One.\nTwo. Three @", "Two. Three @"),
        ("One. Two, three @", "Two, three @"),
        ("One two @", "@"),
        ("One@", "One@"),
        ("\n\n@", "\n\n@"),
        ("One.\n\n```\na\n\nb\n```\n@", "```\na\n\nb\n```\n@"),
        ("```\na\n\nb @", "```\na\n\nb @"),
    ],
)
def test_where_the_part_with_a_mention_begins(text: str, beginning: str) -> None:
    assert text[beginning_at(text, text.index("@")) :] == beginning
