"""The call that is refused and what its result says: each call's own, whatever else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import pytest
from hermes_hardened_adapters.common.asking.denials import Decision
from hermes_hardened_adapters.common.core.bounded import Bounded
from hermes_hardened_adapters.common.host import questions
from hermes_hardened_adapters.common.host.asking import answers, chats, denials, sub_agents
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.contract.names import HostName
from hermes_hardened_adapters.common.tenancy.chats import Chat, Unknown

from tests.host_without import take_away

REFUSED = json.dumps({"output": "", "exit_code": -1, "error": "BLOCKED: Command denied by user.", "status": "blocked"})
FORBIDDEN = json.dumps(
    {"error": "BLOCKED: this command matches the user-defined deny rule 'rm *' (approvals.deny …", "status": "blocked"}
)
GROUP = Chat("signal", "group:x", "group", session_key="agent:main:signal:group:x")


def end(choice: str, why: str = "recursive delete", key: str = "key") -> None:
    denials.asked(session_key=key)
    denials.ended(choice=choice, pattern_key="rm", description=why, session_key=key)


def call(work: Callable[[Any], Any], tool: str = "terminal", session: str = "s", turn: str = "t") -> Any:
    return denials.carry_out(tool_name=tool, args={}, next_call=work, session_id=session, turn_id=turn)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Chat, str]]:
    """What chats are told; every session belongs to a group."""
    lines: list[tuple[Chat, str]] = []
    monkeypatch.setattr(chats, "say", lambda chat, text: lines.append((chat, text)))
    monkeypatch.setattr(denials.session, "current", lambda _: GROUP)
    monkeypatch.setattr(denials, "_told", Bounded(2))
    return lines


def test_a_refused_call_carries_why() -> None:
    def refused(_: Any) -> str:
        end("once")
        end("deny")
        return REFUSED

    read = json.loads(call(refused))
    assert (read["matched_rule"], read["why"], read["decision"]) == ("rm", "recursive delete", "refused")
    assert read | json.loads(REFUSED) == read


def test_who_answered_an_earlier_question_answered_no_later_one() -> None:
    questions._approvals.put("key", "alice")

    def read(*by: str) -> str:
        def refused(_: Any) -> str:
            denials.asked(session_key="key")
            for each in by:
                answers.given("key", each)
            denials.ended(choice="deny", session_key="key")
            return REFUSED

        decision: str = json.loads(call(refused))["decision"]
        return decision

    assert read("ada") == Decision.BY_ADMIN
    assert read("alice") == Decision.BY_ASKER
    answers.given("key", "ada")
    assert read() == Decision.REFUSED


@pytest.mark.parametrize("choice", ["once", "session", "always", "smart_approve"])
def test_what_was_allowed_is_not_called_refused(choice: str) -> None:
    def allowed(_: Any) -> str:
        end(choice)
        return REFUSED

    assert call(allowed) == REFUSED


@pytest.mark.parametrize("result", ["[]", "BLOCKED", {"status": "blocked"}, None, "{" + " " * 70_000 + "}"])
def test_a_result_that_is_no_refusal_stays_as_it_is(result: Any) -> None:
    def refused(_: Any) -> Any:
        end("deny")
        return result

    assert call(refused) is result


def test_an_error_of_the_call_is_the_calls_own() -> None:
    def fails(_: Any) -> Any:
        end("deny")
        raise ValueError("the tool's")

    with pytest.raises(ValueError, match="the tool's"):
        call(fails)
    assert denials._call.get() is None


def test_an_error_of_ours_costs_the_explanation_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(denials, "_explained", lambda *_: 1 / 0)
    assert call(lambda _: REFUSED) == REFUSED


def test_calls_at_once_do_not_mix() -> None:
    together = Barrier(8)

    def work(number: int) -> str:
        def refused(_: Any) -> str:
            together.wait(10)
            end("deny" if number % 2 else "timeout", f"why {number}", f"key {number}")
            together.wait(10)
            return REFUSED

        result: str = call(refused, session=f"s{number}")
        return result

    with ThreadPoolExecutor(8) as pool:
        reads = [json.loads(result) for result in pool.map(work, range(8))]
    assert [read["why"] for read in reads] == [f"why {number}" for number in range(8)]
    assert {read["decision"] for read in reads} == {"refused", "nobody answered in time"}


def test_a_wait_in_another_thread_of_the_call_counts() -> None:
    def refused(_: Any) -> str:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(copy_context().run, end, "deny").result()
        return REFUSED

    assert json.loads(call(refused))["decision"] == "refused"


def test_a_script_is_not_refused_because_one_of_its_calls_was() -> None:
    def script(_: Any) -> str:
        def inner(_: Any) -> str:
            end("deny")
            return REFUSED

        said = {"status": "error", "error": "BLOCKED by itself", "inner": call(inner, session="", turn="")}
        return json.dumps(said)

    read = json.loads(call(script, "execute_code"))
    assert "decision" not in read
    assert json.loads(read["inner"])["decision"] == "refused"


def test_a_block_for_good_is_told_once_a_turn(said: list[tuple[Chat, str]]) -> None:
    for turn in ("1", "1", "2"):
        assert json.loads(call(lambda _: FORBIDDEN, turn=turn))["decision"] == "blocked for good"
    call(lambda _: call(lambda _: FORBIDDEN, session="", turn=""), "execute_code", turn="2")
    assert [chat for chat, _ in said] == [GROUP, GROUP]
    for turn in "3456":
        call(lambda _: FORBIDDEN, turn=turn)
    assert len(denials._told) == 2


def test_the_words_of_other_tools_are_told_to_nobody(said: list[tuple[Chat, str]]) -> None:
    assert call(lambda _: FORBIDDEN, "mcp_weather") == FORBIDDEN
    assert not said


def test_where_no_chat_is_known_nobody_is_told(monkeypatch: pytest.MonkeyPatch, said: list[tuple[Chat, str]]) -> None:
    def unknown(_: str) -> Chat:
        raise Unknown("nobody's")

    monkeypatch.setattr(denials.session, "current", unknown)
    assert json.loads(call(lambda _: FORBIDDEN))["decision"] == "blocked for good"
    monkeypatch.setattr(denials.session, "current", lambda _: None)
    call(lambda _: FORBIDDEN)
    assert not said


def test_a_chat_without_an_adapter_of_ours_is_told_nothing(hermes_home: object) -> None:
    assert not chats.serves(GROUP)
    chats.say(GROUP, "⛔")
    with pytest.raises(RuntimeError):
        chats.start(GROUP, lambda adapter: adapter.send())


# -- sub-agents


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A sub-agent of Alice's turn in a group that we serve."""
    monkeypatch.setattr(sub_agents.session, "current", lambda _: GROUP)
    monkeypatch.setattr(chats, "serves", lambda _: True)
    questions.turn_began("parent", "alice")
    sub_agents.started(parent_turn_id="parent", child_session_id="child")
    yield "child"
    assert not sub_agents._calls
    assert not sub_agents._ours
    assert GROUP.session_key not in table.APPROVAL_NOTIFIERS.load()


def notifier() -> Any:
    return table.APPROVAL_NOTIFIERS.load().get(GROUP.session_key)


def test_a_sub_agents_calls_ask_for_whom_it_works(child: str) -> None:
    seen: list[Any] = []
    with sub_agents.asking(child, "turn"), sub_agents.asking(child, "turn"):
        seen.append(notifier())
    assert seen[0].func is sub_agents._ask
    assert questions.user_of("turn") == "alice"


def test_requests_of_two_people_at_once_are_for_admins(monkeypatch: pytest.MonkeyPatch) -> None:
    queues = table.APPROVAL_QUEUES.load()
    for turn, user in (("a", "alice"), ("b", "bob"), ("c", "bob")):
        questions.turn_began(turn, user)
    monkeypatch.setitem(queues, "shared", [object()])
    questions.approval_asked("shared", "a")
    assert questions.approval_asker("shared") == "alice"
    queues["shared"].append(object())
    questions.approval_asked("shared", "a")
    assert questions.approval_asker("shared") == "alice"
    questions.approval_asked("shared", "b")
    assert questions.approval_asker("shared") is None
    # Who asks last does not own what waits before it.
    questions.approval_asked("shared", "c")
    assert questions.approval_asker("shared") is None
    queues["shared"] = [object()]
    questions.approval_asked("shared", "c")
    assert questions.approval_asker("shared") == "bob"


def test_in_a_turn_the_host_asks(child: str) -> None:
    host = object()
    table.APPROVAL_NOTIFIERS.load()[GROUP.session_key] = host
    try:
        with sub_agents.asking(child, "turn"):
            assert notifier() is host
        assert notifier() is host
    finally:
        table.APPROVAL_NOTIFIERS.load().pop(GROUP.session_key)


@pytest.mark.usefixtures("child")
def test_no_other_session_gets_a_question_of_its_own() -> None:
    with sub_agents.asking("somebody's", "turn"):
        assert notifier() is None


def test_a_question_that_is_not_sent_lets_nothing_run(child: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = SimpleNamespace(result=lambda _: SimpleNamespace(success=False))
    monkeypatch.setattr(chats, "start", lambda *_: sent)
    with pytest.raises(RuntimeError):
        sub_agents._ask(GROUP, {"command": "rm"})


@pytest.mark.parametrize(
    "name",
    [table.APPROVAL_NOTIFIERS, table.SET_APPROVAL_SESSION, table.RESET_APPROVAL_SESSION, table.APPROVAL_QUEUES],
    ids=lambda name: name.attribute,
)
def test_without_a_name_the_hosts_own_answer_stays(child: str, monkeypatch: pytest.MonkeyPatch, name: HostName) -> None:
    notifiers = table.APPROVAL_NOTIFIERS.load()
    with monkeypatch.context() as patch:
        take_away(patch, name)
        with sub_agents.asking(child, "turn"):
            assert GROUP.session_key not in notifiers


class Context:
    """The host's side of a registration."""

    def __init__(self) -> None:
        self.registered: list[str] = []

    def register_hook(self, kind: str, callback: object) -> None:
        self.registered.append(kind)

    def register_middleware(self, kind: str, callback: object) -> None:
        self.registered.append(kind)


class Raising(Context):
    def register_middleware(self, kind: str, callback: object) -> None:
        raise RuntimeError("on purpose")


def test_all_is_registered_where_the_host_has_it() -> None:
    context = Context()
    denials.register(context)
    assert context.registered == [
        *("pre_approval_request", "post_approval_response", "subagent_start"),
        "tool_execution",
    ]


@pytest.mark.parametrize("hook", ["post_approval_response", "subagent_start", "all"])
def test_without_the_hooks_nothing_is_registered(monkeypatch: pytest.MonkeyPatch, hook: str) -> None:
    if hook == "all":
        take_away(monkeypatch, table.HOOKS)
    else:
        monkeypatch.setattr("hermes_cli.plugins.VALID_HOOKS", {*table.HOOKS.load()} - {hook})
    context = Context()
    denials.register(context)
    assert not context.registered


def test_an_error_of_the_registration_is_logged_and_no_more(caplog: pytest.LogCaptureFixture) -> None:
    denials.register(Raising())
    assert "refused commands are not explained (RuntimeError" in caplog.text
