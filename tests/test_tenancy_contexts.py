"""The contexts of chats: every policy, the table, and ids that somebody made up to share another chat's context."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum

import pytest
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation, Unknown
from hermes_hardened_adapters.common.tenancy.contexts import BUILT_IN, GLOBAL, Contexts, checked, reads
from hypothesis import given
from hypothesis import strategies as st

GROUP = Chat("signal", "group:AbC=", "group", user_id="+15550001111")
DIRECT = Chat("signal", "+15550001111", "dm", user_id="+15550001111", origin={"user_id_alt": "aci-of-alice"})
CHANNEL = Chat("mattermost", "town", "channel", user_id="alice")
IN_THREAD = replace(CHANNEL, thread_id="root")
DISCORD = Chat("discord", "333", "thread", "333", "alice", origin={"parent_chat_id": "222"})
NAMELESS = Chat("signal", "group:AbC=", "group")


def of(policy: str, chat: Chat, table: Mapping[str, object] | None = None) -> tuple[str, ...]:
    return Contexts(BUILT_IN[policy], table or {}).of(chat, Operation.READ)


@pytest.mark.parametrize(
    ("policy", "chat", "context"),
    [
        ("chat", GROUP, "signal:group:AbC="),
        ("chat", DIRECT, "signal:+15550001111"),
        ("chat", IN_THREAD, "mattermost:town"),
        ("chat", DISCORD, "discord:222"),
        ("user", GROUP, "signal/user:+15550001111"),
        ("user", DIRECT, "signal/user:+15550001111"),
        ("chat+user", GROUP, "signal/chat+user:group%3AAbC=:+15550001111"),
        ("chat+user", DISCORD, "discord/chat+user:222:alice"),
        ("thread", IN_THREAD, "mattermost/thread:town:root"),
        ("thread", CHANNEL, "mattermost:town"),
    ],
)
def test_the_context_of_a_chat(policy: str, chat: Chat, context: str) -> None:
    assert of(policy, chat) == (context,)


def test_the_global_policy() -> None:
    assert of("global", GROUP) == GLOBAL
    assert Contexts(BUILT_IN["global"], {"signal:x": None, "signal:y": "global"}).all_global
    assert not Contexts(BUILT_IN["global"], {"signal:x": "own"}).all_global
    assert not Contexts(BUILT_IN["chat"]).all_global


@pytest.mark.parametrize(
    ("policy", "chat"),
    [
        ("user", NAMELESS),
        ("chat+user", NAMELESS),
        ("chat", Chat("signal", "")),
        ("chat", Chat("", "group:AbC=")),
        ("chat+user", Chat("signal", "", user_id="alice")),
        ("thread", Chat("signal", "", thread_id="root")),
        ("chat", Chat("signal", "\ud800")),
        ("chat", Chat("signal", "x" * 5_000)),
    ],
)
def test_a_chat_that_is_not_wholly_known_has_none(policy: str, chat: Chat) -> None:
    with pytest.raises(Unknown):
        of(policy, chat)


# -- the table


@pytest.mark.parametrize(
    "key", ["signal:+15550001111", "signal:aci-of-alice"], ids=["by the chat's id", "by the person's other id"]
)
def test_a_direct_chat_goes_by_each_id_of_its_person(key: str) -> None:
    assert of("chat", DIRECT, {key: "owner"}) == ("owner",)


def test_a_persons_entry_is_their_direct_chat_alone() -> None:
    assert of("chat", GROUP, {"signal:+15550001111": "owner"}) == ("signal:group:AbC=",)


@pytest.mark.parametrize("policy", BUILT_IN)
def test_the_table_wins_over_every_policy(policy: str) -> None:
    table = {"signal:group:AbC=": ["sales", "org-acme"], "mattermost:town": None, "discord:222": "global"}
    assert of(policy, GROUP, table) == ("sales", "org-acme")
    assert of(policy, IN_THREAD, table) == of(policy, DISCORD, table) == GLOBAL


def test_the_most_exact_name_counts() -> None:
    assert of("chat", DISCORD, {"discord:222": "channel", "discord:333": "thread"}) == ("thread",)


@pytest.mark.parametrize("answer", ["", " ", [], ["a", ""], ["a", None], ["global"], 5, True, {"a": "b"}])
def test_an_entry_that_is_no_answer_is_not_the_global_one(answer: object) -> None:
    with pytest.raises(Unknown):
        of("global", GROUP, {"signal:group:AbC=": answer})


def test_no_name_in_the_table_is_the_context_of_another_chat() -> None:
    others = [DIRECT, CHANNEL, IN_THREAD, DISCORD]
    made = {context for policy in BUILT_IN for chat in others for context in of(policy, chat)}
    for name in made:
        assert not made & set(of("chat", GROUP, {"signal:group:AbC=": name}))
    assert of("chat", GROUP, {"signal:group:AbC=": "org:acme"}) == of("user", CHANNEL, {"mattermost:town": "org:acme"})


# -- what people may choose


HOSTILE = ["a", "b", "a:user", "a/user", "b:user:c", "x", "x:thread:1", "thread", "1", "%3A", ":", "/", "a%2Fuser", "c"]


@pytest.mark.parametrize("policy", ["chat", "user", "chat+user", "thread"])
def test_no_made_up_ids_share_a_context(policy: str) -> None:
    parts = ("platform", "chat_id", "thread_id", "user_id")
    wanted = {"chat": parts[:2], "user": (parts[0], parts[3]), "chat+user": (*parts[:2], parts[3]), "thread": parts[:3]}
    seen: dict[tuple[str, ...], tuple[str, ...]] = {}
    for ids in itertools.product(HOSTILE, HOSTILE, ["", *HOSTILE[:9]], ["c", "1", "1:c", "user:c", "%3A", ":"]):
        chat = Chat(**dict(zip(parts, ids, strict=True)))
        whose = tuple(getattr(chat, name) for name in wanted[policy])
        assert seen.setdefault(of(policy, chat), whose) == whose


def test_no_context_of_one_policy_is_one_of_another() -> None:
    """A policy that was changed gives nobody what was written under the old one."""
    seen: dict[tuple[str, ...], str] = {}
    for policy, kind in {"chat": "chat", "user": "user", "chat+user": "chat+user", "thread": "thread"}.items():
        for platform, chat_id, person in itertools.product(HOSTILE, repeat=3):
            context = of(policy, Chat(platform, chat_id, thread_id="1", user_id=person))
            assert seen.setdefault(context, kind) == kind


@given(st.lists(st.text(), min_size=3, max_size=3), st.lists(st.text(), min_size=3, max_size=3))
def test_different_people_in_different_chats(one: list[str], other: list[str]) -> None:
    found = []
    for platform, chat_id, person in (one, other):
        try:
            found.append(of("chat+user", Chat(platform, chat_id, user_id=person)))
        except Unknown:
            return
    assert (found[0] == found[1]) == (one == other)


def test_no_platform_has_a_name_that_lists_another_ones_chat() -> None:
    assert of("chat", Chat("signal:group", "AbC="), {"signal:group:AbC=": "owner"}) == ("signal%3Agroup:AbC=",)
    assert Chat("", "signal:group:AbC=").names == ()


def test_ids_that_only_look_alike_are_two_contexts() -> None:
    for one, other in [("AbC=", "abc="), ("é", unicodedata.normalize("NFD", "é")), ("a", "a\u200b"), ("a", "a ")]:
        assert of("chat", Chat("signal", one)) != of("chat", Chat("signal", other))


# -- answers


class Text(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class Words(StrEnum):
    GLOBAL = "global"


class Series(tuple[str, ...]):
    pass


class Everything:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


@pytest.mark.parametrize(
    "answer",
    [
        Text("own"),
        Words.GLOBAL,
        Series(("a",)),
        Everything(),
        "",
        " \n",
        "Global",
        " global ",
        "\ud800",
        "x" * 5_001,
        b"a",
        (),
        [],
        {"a"},
        frozenset({"a"}),
        {"a": "b"},
        ("a", ("b",)),
        ("a", ["b"]),
        ("a", None),
        ("a", "global"),
        ("a", Text("b")),
        iter(["a"]),
        (each for each in ["a"]),
        map(str, ["a"]),
        0,
        False,
        True,
        NotImplemented,
        ...,
    ],
    ids=lambda answer: f"{type(answer).__name__} {str(answer)[:20]!r}".encode("ascii", "backslashreplace").decode(),
)
def test_an_answer_of_another_form_is_unknown(answer: object) -> None:
    with pytest.raises(Unknown):
        checked(answer)


def test_answers() -> None:
    assert checked(None) == checked("global") == GLOBAL
    assert checked("x" * 5_000) == ("x" * 5_000,)
    assert checked(["b", "a", "b"]) == ("b", "a")


@pytest.mark.parametrize(
    ("mine", "theirs", "read"),
    [
        (("a",), ("a",), True),
        (("a", "shared"), ("shared",), True),
        (("shared",), ("a", "shared"), False),
        (GLOBAL, GLOBAL, True),
        (GLOBAL, ("a",), False),
        (("a",), GLOBAL, False),
    ],
)
def test_what_is_read_is_what_is_written_first(mine: tuple[str, ...], theirs: tuple[str, ...], read: bool) -> None:
    assert reads(mine, theirs) is read


async def test_a_coroutine_is_unknown_and_closed() -> None:
    async def answer() -> str:
        return "own"

    with pytest.raises(Unknown):
        checked(answer())


def test_a_policy_that_fails_is_unknown() -> None:
    def fails(chat: Chat, operation: Operation) -> object:
        raise KeyError(chat.chat_id)

    with pytest.raises(Unknown, match="KeyError") as raised:
        Contexts(fails).of(GROUP, Operation.WRITE)
    assert "AbC=" not in str(raised.value)
