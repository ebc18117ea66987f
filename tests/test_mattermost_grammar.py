"""Who is mentioned: agreement with a real server, the Markdown around it, and hostile texts."""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.mentions.grammar import find_mentions, without_broadcasts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.mattermost_recorded import NAMES, RECORDED, USERS, frames
from tests.mattermost_reference import reference

KNOWN = {"hermes": "H", "bob": "B", "bob_": "B_", "hermes.fan": "F"}


def mentioned(text: str) -> str:
    """The ids of the mentioned in short, with `*` for everybody."""
    found = find_mentions(text, KNOWN.get)
    return " ".join([*(user_id for _, _, user_id in found.mentions), *(["*"] if found.broadcast else [])])


NOT_IN_THE_CHANNEL = {"@hermes.fan hi (not in this channel)": "hermes.fan", "@bob removed from the channel.": "bob"}
"""The server lists members of the channel only."""


def _posted() -> list[Any]:
    posted = []
    for name in RECORDED:
        for line in frames(name):
            frame = json.loads(line)
            if frame.get("event") == "posted":
                posted.append(pytest.param(frame["data"], id=f"{name}-{frame['seq']}"))
    return posted


def test_there_are_enough_recorded_posts() -> None:
    assert len(_posted()) == 145


@pytest.mark.parametrize("data", _posted())
def test_the_server_saw_the_same(data: dict[str, Any]) -> None:
    post = json.loads(data["post"])
    listed = {NAMES[user_id] for user_id in json.loads(data.get("mentions", "[]"))}
    texts = [post["message"], *(f"{a['pretext']}\n\n{a['text']}" for a in post["props"].get("attachments", []))]
    found = find_mentions("\n\n".join(texts), USERS.get)
    ours = {NAMES[user_id] for _, _, user_id in found.mentions} - {NOT_IN_THE_CHANNEL.get(post["message"])}
    # The server leaves the author out, and adds whom a direct message is for, whom a system post tells of and, for
    # @channel, @all and @here, members of the channel.
    if "from_webhook" not in post["props"]:
        ours.discard(NAMES[post["user_id"]])
    if post["type"] == "system_add_to_channel":
        ours.add(post["props"]["addedUsername"])
    if data["channel_type"] == "D":
        ours = {NAMES[user_id] for user_id in data["channel_name"].split("__") if user_id != post["user_id"]}
    if found.broadcast:
        assert ours < listed
    else:
        assert ours == listed


@pytest.mark.parametrize(
    ("text", "who"),
    [
        # Words.
        ("@hermes, @bob", "H B"),
        ("@HERMES", "H"),
        ("x.@hermes x-@bob x:@hermes", "H B H"),
        ("x_@hermes x@hermes", ""),
        ("@hermes.fan. @hermes.fanny", "F"),
        ("@bob_ @bob__ @bob-", "B_ B_ B"),
        ("x.@bob_ x.@hermes__", "B_"),
        ("@hermes.@bob", ""),
        (":@hermes:", ""),
        (":x:@hermes.fan", "F"),
        ("x:a:@hermes.fan xx:a:@hermes.fan", "F H"),
        ("+:a:@hermes.fan", "F"),
        ("@hermes\u0301 @hermes\u200d", "H H"),
        ("@channel", "*"),
        ("(@All) @HERE", "*"),
        ("@channel. @hermes", "H *"),
        ("@allx @channel.x @here@bob", ""),
        ("`@channel`", ""),
        # Inline.
        ("*@hermes* **@bob** ~~@hermes~~ _@bob_", "H B H B_"),
        ("`` ` @hermes ` `` @bob", "B"),
        ("``@hermes` @bob``", ""),
        ("`@hermes``", "H"),
        ("\\`@hermes`", "H"),
        ("\\``@hermes`", ""),
        ("a `b\n@hermes` @bob", "B"),
        ("\\@hermes @bob\\_", "H B_"),
        ("&#64;hermes &#x40;bob &commat;hermes @herme&#115;", "H B H H"),
        ("&nosuch;@hermes &#0;@bob &#xffffffff;@hermes", "H B H"),
        ("[@hermes](http://x/@bob) ![@bob](x)", "H B"),
        ("[a](x \"@hermes\") [a](x '@hermes') [a](x (@hermes))", ""),
        ("[a](b((@hermes)))", ""),
        ("[b [a][] http://x/@hermes\n\n[a]: x", ""),
        ("[a](<@hermes>) [a](b(@hermes)c) [a](\\)@hermes)", ""),
        ("![a](x =10x20 '@hermes') ![a](x =x2) ![a](x =@hermes)", "H"),
        ("[a](x y @hermes) [a]( @bob ) [a] (@hermes)", "H H"),
        ("[a](x '@hermes)", "H"),
        ("[a [b](@hermes)](@bob)", "B"),
        ("[a ![b](@hermes)](@bob)", ""),
        ("[a [b](c) d](e) [x](@hermes)", ""),
        ("[a [b](c)] [d](@hermes)", ""),
        ("[a](<@hermes", "H"),
        # URLs.
        ("http://x/@hermes HTTPS://x/@bob <ftp://x/@hermes> mailto://@hermes", "H"),
        ("www.x.org/@hermes (www2.x/@bob) xwww.x.org/@hermes", "H"),
        ("http://a_b/@hermes www.a_b.c/@bob", "H B"),
        ("http:/x/@hermes xhttp://x/@bob git://x/@bob", "H B B"),
        ("[http://x/@hermes", "H"),
        ("[a](b) http://x/@hermes", ""),
        ("[a [b](c) http://x/@hermes", ""),
        ("![a [b](c) http://x/@hermes", "H"),
        ("http://x/<@hermes>", "H"),
        ("joe@hermes joe@hermes.io mailto:joe@hermes", ""),
        # Definitions of links.
        ("[a]: @hermes", ""),
        ("[@hermes]: x\n[b]: y 'z'\n@bob", "B"),
        ("[a]: x '@hermes'\n[b]: x\n'@hermes'\n[c]: x\n(@hermes)", ""),
        ("[a]: x '@hermes' y", "H"),
        ("[a]: x y @hermes", "H"),
        ("[@hermes]:", "H"),
        ("x\n[a]: @hermes", "H"),
        ("[x][@hermes]\n\n[@Hermes]: x", ""),
        ("[x][@hermes]", "H"),
        ("[@hermes][] [@bob]\n\n[@hermes]: x\n[@bob]: x", "H B"),
        ("[a][] http://x/@hermes ![b [a] http://x/@hermes\n\n[a]: x", "H"),
        # Blocks.
        ("> @hermes\n@bob\n> > @hermes", "H B H"),
        ("# @hermes\n| @bob |\n|---|\n| @hermes |", "H B H"),
        ("> ```\n> @hermes\n> ```\n> @bob", "B"),
        ("> ```\n@hermes", "H"),
        (">     @hermes\n>    @bob", "B"),
        ("x\n    @hermes\n\n    @bob", "H"),
        ("    @hermes\n@bob", "B"),
        ("\t@hermes\n \t@hermes", ""),
        ("- x\n\n      @hermes\n\n  @bob", "B"),
        ("- x\n\n    @hermes", "H"),
        ("- x\n    @hermes", "H"),
        ("-     @hermes\n-    @bob", "B"),
        ("- ```\n  @hermes\n  ```\n  @bob", "B"),
        ("- ```\n  @hermes\n@bob", "B"),
        ("1. @hermes\n2. @bob", "H B"),
        ("x\n2. y\n\n      @hermes", ""),
        ("x\n-\n      @hermes", "H"),
        ("x\n> 2. y\n>\n>       @hermes", "H"),
        ("1234567. a\n    - b\n\n      @hermes", "H"),
        (">    @hermes\n\n>     @bob", "H"),
        ("    > @hermes\n\n> a\n>\n    > @hermes", ""),
        ("x\n2. y\n3. z\n\n       @hermes", ""),
        ("x\n1. y\n\n     @hermes", "H"),
        ("-\n\n  @hermes\n      @bob", "H B"),
        ("-\n\n    @hermes", ""),
        ("-\n  x\n\n    @hermes", "H"),
        ("- a\n* b\n\n      @hermes", ""),
        ("* a\n    - b\n     - c\n\n         @hermes", "H"),
        ("```\n@hermes\n````\n@bob", "B"),
        ("````\n```\n@hermes", ""),
        ("```\n    ```\n@hermes\n   ```\n@bob", "B"),
        ("``` x`\n@hermes", "H"),
        ("~~~ x\n@hermes\n```\n@hermes\n~~~\n@bob", "B"),
        ("x\n```\n@hermes\n```", ""),
        ("```\r@hermes\r```\r@bob", "B"),
        (">" * 40 + " @hermes", "H"),
        ("", ""),
    ],
)
def test_markdown_comes_first(text: str, who: str) -> None:
    assert mentioned(text) == who


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("👋 (@Hermes), @bob_...", ["@Hermes", "@bob_"]),
        ("> *@hermes*\n> x.@bob's", ["@hermes", "@bob"]),
        ("\\@hermes @bob\\_ &#64;hermes @herme&#115;", ["\\@hermes", "@bob\\_", "&#64;hermes", "@herme&#115;"]),
        ("[@hermes](x)@bob`x`", ["@hermes", "@bob"]),
    ],
)
def test_spans_are_of_the_name_in_the_source(text: str, spans: list[str]) -> None:
    assert [text[start:end] for start, end, _ in find_mentions(text, KNOWN.get).mentions] == spans


def test_unknown_names_are_told() -> None:
    asked: list[str] = []

    def user_id_of(name: str) -> str | None:
        asked.append(name)
        return KNOWN.get(name)

    text = f"@Carol_. @carol_ x.@dave @bob. @é @{'x' * 65} @ `@code` @here @a@b @bob/x"
    assert find_mentions(text, user_id_of).unknown == ("carol_.", "carol_", "carol", "dave")
    assert set(asked) == {"carol_.", "carol_", "carol", "dave", "bob.", "bob"}


PIECES = [
    *("@hermes", "@bob", "@hermes.fan", "@bob_", "@all", "@", "a", "é", "/", ".", ":", "_", "-", "x.@bob"),
    *("\n", "\n\n", "\r", " ", "  ", "    ", "\t", "> ", ">", "- ", "* ", "1. ", "2) ", "-\n"),
    *("`", "``", "```", "~~~", "```\n", "\\", "&#64;", "&amp;", "&", "http://x/", "http://", "www.a.b/", "<", ">"),
    *(
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "](x",
        "[a]",
        "[@bob]",
        "[a]: x",
        "[@bob]: x",
        "\n\n[a]: x\n",
        ' "',
        "'",
        " =1x2",
    ),
    *("[a](", "[b](c)", "[@hermes](x)", ":a:", "x\n"),
]


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@example("\n\n[a]: x\n\\www.a.b/@hermes")
@example("[a]: x\nq:a:@hermes")
def test_the_slow_reference_agrees(text: str) -> None:
    found = find_mentions(text, KNOWN.get)
    assert ([user_id for _, _, user_id in found.mentions], found.broadcast) == reference(text, KNOWN)


@given(st.text(st.characters(exclude_categories=())) | st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text(text: str) -> None:
    at = 0
    for start, end, _ in find_mentions(text, lambda name: name).mentions:
        assert at <= start < end <= len(text)
        at = end


@given(st.lists(st.sampled_from([piece for piece in PIECES if "\r" not in piece]), max_size=12).map("".join))
def test_a_quote_mentions_whom_it_quotes_and_code_nobody(text: str) -> None:
    lines = text.split("\n")
    assert mentioned("".join(f"> {line}\n" for line in lines)) == mentioned(text + "\n")
    assert mentioned("\n".join(["~~~~", *(line.replace("~", "-") for line in lines), "~~~~"])) == ""
    assert mentioned("".join(f"    {line}\n" for line in lines)) == ""


def steps(text: str) -> int:
    """How many lines of Python run for a text."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace if "mattermost" in frame.f_code.co_filename or frame.f_code.co_filename == __file__ else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        find_mentions(text, lambda _: None)
    finally:
        sys.settrace(before)
    return count


HOSTILE = [
    *(
        "`",
        "` `` ",
        "@",
        "@.",
        "@a. ",
        "x.@a",
        "@a" + "." * 30,
        "[",
        "]",
        "![",
        "[]",
        "[](",
        "[](<a",
        "[](a (",
        "[](a '",
    ),
    *("[[](a)", "[a]: b\n", "[a]: b\n'c\n", "][", ">", "> ", ">\n", "- ", "- a\n", "- - -\n\n", "1. a\n  ", "\n", "\t"),
    *("http://a", "http://a_", "~www.", "&", "&a", ":a", ":a:", "\\", "```\n", "    a\n", "[a][b](c)http://d ", "a\n"),
    *("[a]: b\n\n[", "\n\n[a]: b\n\n]"),
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_twice_the_text_is_twice_the_work(piece: str) -> None:
    once = piece * (1000 // len(piece))
    work = steps(once)
    assert steps(once + once) < 2.2 * work + 1000
    assert work < 120 * len(once) + 1000


@pytest.mark.parametrize("piece", HOSTILE)
def test_the_longest_posts_are_read(piece: str) -> None:
    find_mentions((piece * 65_536)[:65_536], lambda _: None)


@pytest.mark.parametrize(
    "text",
    [
        "@channel",
        "\\@channel",
        "&#64;channel",
        "x.@all!",
        "**@here**",
        "@ALL.",
        "@channel @all",
        "`@all` @all",
        "@all_",
    ],
)
def test_what_is_defused_mentions_nobody(text: str) -> None:
    assert find_mentions(text, KNOWN.get).broadcast
    assert not find_mentions(without_broadcasts(text), KNOWN.get).broadcast
    assert without_broadcasts(text).replace("\u200b", "") == text


@given(st.text("@alchnerAL .-:_`\\*\n", max_size=40))
def test_nothing_defused_mentions_everybody(text: str) -> None:
    assert not find_mentions(without_broadcasts(text), KNOWN.get).broadcast
