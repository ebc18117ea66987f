"""Policies that operators write: what a function gets, and what becomes of one that fails, lies or hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any

import pytest
from hermes_hardened_adapters.common.tenancy import functions
from hermes_hardened_adapters.common.tenancy.chats import Chat, Operation, Unknown
from hermes_hardened_adapters.common.tenancy.contexts import GLOBAL, Contexts

CHAT = Chat(
    "mattermost",
    "town",
    "channel",
    "root",
    "alice",
    "s1",
    "agent:main:mattermost:channel:town",
    origin={"scope_id": "acme", "parent_chat_id": "up", "chat_name": "Town", "user_id_alt": "a2"},
)
METADATA = {
    "chat_type": "channel",
    "thread_id": "root",
    "parent_chat_id": "up",
    "scope_id": "acme",
    "chat_name": "Town",
    "user_id_alt": "a2",
    "session_key": "agent:main:mattermost:channel:town",
    "profile": "",
}
caller: ContextVar[str] = ContextVar("caller", default="nobody")


def of(function: Callable[..., object], chat: Chat = CHAT, operation: Operation = Operation.READ) -> tuple[str, ...]:
    return Contexts(functions.policy(function, "home")).of(chat, operation)


def takes_nothing() -> str:
    return "one"


def takes_positional(chat: str, /) -> str:
    return chat


def takes_more(platform: str, chat: str) -> str:
    return platform + chat


async def is_async(**_: object) -> str:
    return "one"


async def yields_async(**_: object) -> Any:
    yield "one"


class Policies:
    @staticmethod
    def nested(platform: str) -> str:
        return platform


# -- importing


def test_a_function_is_imported() -> None:
    assert functions.imported(f"{__name__}:takes_nothing") is takes_nothing
    assert functions.imported(f"{__name__}:Policies.nested") is Policies.nested


@pytest.mark.parametrize(
    ("place", "fault"),
    [
        ("nowhere_at_all:f", "cannot be imported (ModuleNotFoundError)"),
        (f"{__name__}:missing", "cannot be imported (AttributeError)"),
        (f"{__name__}:", "cannot be imported (AttributeError)"),
        (":f", "cannot be imported (ValueError)"),
        (".relative:f", "cannot be imported (TypeError)"),
        ("os:sep", "is no function"),
        (f"{__name__}:is_async", "must not be async"),
        (f"{__name__}:yields_async", "must not be async"),
        (f"{__name__}:takes_positional", "takes chat; a policy gets operation"),
        (f"{__name__}:takes_more", "takes chat; a policy gets operation"),
        ("builtins:max", "does not say which arguments it takes"),
    ],
)
def test_what_cannot_be_a_policy_is_refused_with_the_reason(place: str, fault: str) -> None:
    with pytest.raises(ValueError, match=f"^{place}") as raised:
        functions.imported(place)
    assert fault in str(raised.value)


def test_a_module_that_ends_the_process_is_refused(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ends_at_import.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="SystemExit"):
        functions.imported("ends_at_import:f")


# -- what it gets


def test_a_function_gets_all_of_the_contract_or_what_it_takes() -> None:
    got: dict[str, Any] = {}

    def all_of_it(**given: Any) -> str:
        got.update(given)
        return "own"

    assert of(all_of_it, operation=Operation.RECALL) == ("own",)
    assert got == {
        "operation": "recall",
        "session_id": "s1",
        "platform": "mattermost",
        "channel_id": "town",
        "user_id": "alice",
        "agent_id": "home",
        "metadata": METADATA,
    }
    assert type(got["operation"]) is str
    assert of(lambda platform, metadata, extra="!": f"{platform}{metadata['scope_id']}{extra}") == ("mattermostacme!",)
    assert of(takes_nothing) == ("one",)
    assert of(partial(takes_more, chat="x")) == ("mattermostx",)


def test_the_agent_is_the_profile_if_the_chat_has_one() -> None:
    assert of(lambda agent_id: agent_id, Chat("signal", "x", profile="work")) == ("work",)


def test_what_a_function_does_to_the_metadata_stays_with_it() -> None:
    def spoils(metadata: dict[str, Any]) -> str:
        found = str(metadata.pop("scope_id", "gone"))
        metadata.clear()
        return found

    assert of(spoils) == of(spoils) == ("acme",)
    assert CHAT.metadata() == METADATA


def test_a_function_sees_the_variables_of_its_caller() -> None:
    token = caller.set("alice")
    try:
        assert of(lambda: caller.get()) == ("alice",)
    finally:
        caller.reset(token)


# -- what it gives


def generates() -> Iterator[str]:
    yield "global"


@pytest.mark.parametrize("answer", [b"x", "", {"x"}, (), ("x", ("y",)), 1, ["global"], "GLOBAL"])
def test_an_answer_that_is_none_is_unknown(answer: object) -> None:
    with pytest.raises(Unknown):
        of(lambda: answer)
    with pytest.raises(Unknown):
        of(generates)
    with pytest.raises(Unknown):
        of(lambda: is_async())


def test_none_and_the_word_are_global() -> None:
    assert of(lambda: None) == of(lambda: "global") == GLOBAL


@pytest.mark.parametrize("error", [KeyError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, Unknown])
def test_whatever_a_function_raises_is_unknown(error: type[BaseException]) -> None:
    def fails(user_id: str) -> str:
        raise error(user_id)

    with pytest.raises(Unknown) as raised:
        of(fails)
    assert "alice" not in str(raised.value)


# -- how long it takes


def test_a_function_that_hangs_is_given_up_and_not_called_for_ever() -> None:
    entered, released = [], threading.Event()

    def hangs(channel_id: str) -> str:
        entered.append(channel_id)
        released.wait()
        return "late"

    contexts = Contexts(functions.policy(hangs, "home", seconds=0.01))
    for _ in range(10):
        with pytest.raises(Unknown, match="does not answer"):
            contexts.of(CHAT, Operation.READ)
    assert len(entered) == 4
    released.set()
    for each in [each for each in threading.enumerate() if each.name == "memory policy"]:
        each.join()
    assert Contexts(functions.policy(hangs, "home")).of(CHAT, Operation.READ) == ("late",)


def test_the_calls_of_many_threads_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(8, timeout=5)

    def meets(channel_id: str) -> str:
        together.wait()
        return channel_id

    policy, found = functions.policy(meets, "home"), {}
    threads = [
        threading.Thread(
            target=lambda n=n: found.update({n: policy(Chat("signal", str(n)), Operation.READ)})  # type: ignore[misc]
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {n: str(n) for n in range(8)}
