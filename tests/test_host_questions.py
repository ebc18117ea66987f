"""Who may run a command or answer a question: every authority, with the host's own registers of questions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platforms.base import MessageEvent
from gateway.session import SessionSource
from gateway.session_context import clear_session_vars, set_session_vars
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.bounded import Bounded
from hermes_hardened_adapters.common.host import questions, sessions

from tests.approvals import Approval
from tools import approval, slash_confirm

ANN, BOB = "ann", "bob"
SHARED = {"group_sessions_per_user": False}
ADMIN, ALLOWED, MEMBER, PROGRAM, STRANGER = reversed(Authority)


def source(user: str = ANN, chat_type: str = "group") -> SessionSource:
    return SessionSource(platform=Platform.SIGNAL, chat_id="chat", chat_type=chat_type, user_id=user)


def event(text: str, user: str = ANN, chat_type: str = "group") -> Any:
    return MessageEvent(text=text, source=source(user, chat_type))


def may(text: str, authority: Authority, user: str = ANN, *, runner: Any = None, extra: Any = SHARED) -> bool:
    return questions.refused(event(text, user), authority, extra, SimpleNamespace(gateway_runner=runner)) is None


KEY = sessions.session_key(source(), SHARED, None)


async def _done(choice: str) -> str:
    return choice


@pytest.fixture
def approval_of_bob() -> Iterator[None]:
    """A dangerous command waits; it arose in Bob's turn."""
    with approval._lock:
        approval._gateway_queues[KEY] = [Approval({"command": "rm -rf /"})]
    tokens = set_session_vars(platform="signal", user_id=BOB)
    questions.approval_asked(KEY)
    clear_session_vars(tokens)
    yield
    with approval._lock:
        approval._gateway_queues.pop(KEY, None)


@pytest.fixture
def confirmation_of_bob() -> Iterator[None]:
    """`/new` waits for a confirmation; Bob typed it."""
    slash_confirm.register(KEY, "c1", "new", _done)
    questions.confirmation_asked(event("/new", BOB), SHARED, None)
    yield
    slash_confirm.clear(KEY)


@pytest.fixture
def update_of_bob(hermes_home: Path) -> SimpleNamespace:
    """`hermes update` asks something; Bob started it. A runner that knows of it."""
    (hermes_home / ".update_pending.json").write_text(json.dumps({"session_key": KEY, "user_id": BOB}))
    return SimpleNamespace(_update_prompt_pending={KEY: True})


APPROVALS = [
    "yes",
    " OK ",
    " " * 5_000 + "YES",
    "session",
    "👍",
    "/approve",
    "/approve session",
    "/deny",
]
FOR_GOOD = ["always", "Always approve", "/approve always", "/approve permanently", "/approve all always"]


@pytest.mark.usefixtures("approval_of_bob")
@pytest.mark.parametrize("text", APPROVALS)
def test_a_dangerous_command_is_answered_by_admins_and_by_who_asked(text: str) -> None:
    assert may(text, ADMIN, ANN)
    assert may(text, ALLOWED, BOB)
    assert not may(text, ALLOWED, ANN)
    assert not any(may(text, authority, user) for authority in (MEMBER, PROGRAM, STRANGER) for user in (ANN, BOB))


@pytest.mark.usefixtures("approval_of_bob")
@pytest.mark.parametrize("text", FOR_GOOD)
def test_a_command_is_allowed_for_good_by_admins_alone(text: str) -> None:
    assert may(text, ADMIN, ANN)
    assert not any(may(text, authority, user) for authority in sorted(Authority)[:-1] for user in (ANN, BOB))


@pytest.fixture
def german(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Words of the host's own language. Hermes 0.22 has them in a module of their own."""
    busy = ModuleType("gateway.run_busy")
    words = {"approve": {"ja"}, "always": {"immer"}, "deny": {"nein"}, "confirm_once": {"einmal"}}
    busy.approval_input_words = lambda kind: words.get(kind, ())
    monkeypatch.setitem(sys.modules, "gateway.run_busy", busy)
    questions._words_of_host.cache_clear()
    yield
    questions._words_of_host.cache_clear()


@pytest.mark.usefixtures("approval_of_bob", "german")
@pytest.mark.parametrize("text", ["Ja", " NEIN", "yes", "no"])
def test_the_words_of_the_hosts_own_language_answer_too(text: str) -> None:
    assert not may(text, ALLOWED, ANN)
    assert may(text, ALLOWED, BOB)
    assert not may("immer", ALLOWED, BOB)
    assert may("immer", ADMIN, ANN)


@pytest.mark.usefixtures("confirmation_of_bob", "german")
@pytest.mark.parametrize("text", ["Einmal", "!einmal", "once"])
def test_a_confirmation_is_given_in_the_hosts_own_language_too(text: str) -> None:
    assert not may(text, ALLOWED, ANN)
    assert may(text, ALLOWED, BOB)


@pytest.mark.usefixtures("approval_of_bob")
def test_the_hosts_lists_still_count_for_who_asked() -> None:
    listed = {**SHARED, "group_allow_admin_from": [ANN]}
    assert may("yes", ADMIN, ANN, extra=listed)
    assert not may("yes", ALLOWED, BOB, extra=listed)
    assert may("yes", ALLOWED, BOB, extra={**listed, "group_user_allowed_commands": ["approve"]})


@pytest.mark.parametrize("text", APPROVALS[:5])
@pytest.mark.parametrize("authority", Authority)
def test_where_nothing_is_asked_a_yes_is_talk(text: str, authority: Authority) -> None:
    assert may(text, authority)


@pytest.mark.usefixtures("approval_of_bob")
@pytest.mark.parametrize("authority", Authority)
def test_other_talk_goes_on_while_something_is_asked(authority: Authority) -> None:
    assert may("yes, please", authority)


@pytest.mark.usefixtures("confirmation_of_bob")
@pytest.mark.parametrize("text", ["once", "!cancel", "/once", "/approve", "/cancel", "/no", "no"])
def test_a_confirmation_is_given_by_admins_and_by_who_asked(text: str) -> None:
    assert may(text, ADMIN, ANN)
    assert may(text, ALLOWED, BOB)
    assert not may(text, ALLOWED, ANN)
    assert not any(may(text, authority, user) for authority in (MEMBER, PROGRAM, STRANGER) for user in (ANN, BOB))


@pytest.mark.usefixtures("confirmation_of_bob")
@pytest.mark.parametrize("text", ["Always", "!always", "/always", "/remember"])
def test_confirmations_are_silenced_by_admins_alone(text: str) -> None:
    assert may(text, ADMIN, ANN)
    assert not any(may(text, authority, user) for authority in sorted(Authority)[:-1] for user in (ANN, BOB))


@pytest.mark.parametrize("text", ["y", "anything at all", "/approve", "/help"])
def test_an_updates_question_is_answered_by_admins_and_by_who_asked(update_of_bob: SimpleNamespace, text: str) -> None:
    assert may(text, ADMIN, ANN, runner=update_of_bob)
    assert may(text, ALLOWED, BOB, runner=update_of_bob)
    assert not may(text, ALLOWED, ANN, runner=update_of_bob)
    assert not any(may(text, authority, BOB, runner=update_of_bob) for authority in (MEMBER, PROGRAM, STRANGER))


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("/help", MEMBER),
        ("/whoami", MEMBER),
        ("/yolo", ALLOWED),
        ("/new", ALLOWED),
        ("/reset", ALLOWED),
        ("/no_such_command", ALLOWED),
        ("/etc/passwd is a file", STRANGER),
        ("hello", STRANGER),
    ],
)
def test_commands_are_for_those_whom_the_host_judges(text: str, least: Authority) -> None:
    assert [authority for authority in Authority if may(text, authority)] == [a for a in Authority if a >= least]


@pytest.mark.parametrize("chat_type", ["dm", "group"])
def test_plain_words_that_the_host_takes_for_a_command_are_one(chat_type: str) -> None:
    def refused(authority: Authority) -> bool:
        return questions.refused(event("Restart gateway!", ANN, chat_type), authority, {}, None) is not None

    assert not refused(ALLOWED)
    assert refused(MEMBER) is (chat_type == "dm")


@pytest.mark.parametrize("authority", [PROGRAM, STRANGER])
def test_strangers_and_programs_see_no_sign(authority: Authority) -> None:
    assert questions.refused(event("/yolo"), authority, SHARED, None) == questions.Refusal(None)
    told = questions.refused(event("/yolo"), MEMBER, SHARED, None)
    assert told is not None
    assert told.reply


def test_who_asks_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "_approvals", Bounded(10))
    ask: Callable[[str], None] = questions.approval_asked
    for number in range(50):
        ask(f"session {number}")
    assert len(questions._approvals) <= 10


def test_any_text_answers_an_update_and_nothing_takes_one_where_nothing_waits(update_of_bob: SimpleNamespace) -> None:
    waiting = SimpleNamespace(gateway_runner=update_of_bob)
    assert questions.takes_any_text(event("(sticker)", BOB), SHARED, waiting)
    assert not questions.takes_any_text(event("(sticker)", BOB), SHARED, None)
