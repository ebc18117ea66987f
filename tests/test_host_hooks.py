"""Hermes calls our hooks for every turn: also while they are at work for another one, and after they took too long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hermes_cli import plugins
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.host import questions
from hermes_hardened_adapters.common.host.contract import hooks, table
from hermes_hardened_adapters.common.host.tenancy.guarding import guards, kept
from hermes_hardened_adapters.common.inbound import observation
from hermes_hardened_adapters.common.inbound.background import Line
from hermes_hardened_adapters.common.tenancy.owners import Owners

from tests.approvals import fire_hook, reset_context, set_context
from tests.tenancy_host import ALICE, GROUP, Host, becomes, gateway, in_chat

SLOW = "take your time"


class Event:
    channel_context: str | None = None


class Talk:
    """What the group said before its turn: a line that the model has not been shown, and a file of a sub-agent."""

    def __init__(self, home: Path) -> None:
        self._lines = observation.observations(str(home), "signal", lambda: 0.0)
        self._lines.add("group", Line("key", "Bob", Authority.ALLOWED, "a dunlin", 0.0))
        self.file = home / "cache/delegation/live/deleg_12345678/task-0.log"
        self.file.parent.mkdir(parents=True)
        self.file.write_text("a dunlin")

    def waiting(self) -> str | None:
        """Return what the next message would carry."""
        event = Event()
        self._lines.attach("group", "group", event)
        return event.channel_context


class Held:
    """A function of ours that takes long for one message, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, *, always: bool) -> None:
        self._real, self._always = getattr(module, name), always
        self.busy, self.go, self.ended = threading.Event(), threading.Event(), threading.Event()
        monkeypatch.setattr(module, name, self)

    def __call__(self, *args: Any) -> Any:
        if SLOW in args and (self._always or not self.busy.is_set()):
            self.busy.set()
            assert self.go.wait(60)
            self.ended.set()
        return self._real(*args)


@pytest.fixture
def host(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setattr(observation, "_instances", {})
    monkeypatch.setattr(kept, "_files", Owners(100))
    with gateway():
        yield Host(hermes_home)


def begins(chat: dict[str, str], turn: str, message: str) -> None:
    """Let a turn begin, as Hermes' agent says it."""
    said = {"session_id": f"session of {turn}", "task_id": turn, "turn_id": turn, "user_message": message}
    in_chat(chat, plugins.invoke_hook, "pre_llm_call", **said, platform="signal", sender_id=chat["user_id"])


def asks(turn: str) -> str | None:
    """Return who is known as the asker of an approval in a turn."""
    bound = set_context(turn_id=turn)
    try:
        in_chat(ALICE, fire_hook, "pre_approval_request", session_key="shared", command="rm -rf /")
    finally:
        reset_context(bound)
    return questions._approvals.get("shared")


def is_noted(host: Host, talk: Talk) -> bool:
    """Let the group's turn begin, and return True if all of it is noted."""
    message = f"{talk.waiting()}\n{talk.file}"
    begins(GROUP, "turn of the group", message)
    answer = host.call(GROUP, "read_file", path=str(talk.file), session_id="session of turn of the group")
    return talk.waiting() is None and "a dunlin" in answer and asks("turn of the group") == GROUP["user_id"]


STEPS = pytest.mark.parametrize(("module", "step"), [(observation, "confirm_everywhere"), (kept, "told")])


@STEPS
def test_a_turn_that_begins_while_another_begins(
    host: Host, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    talk, held = Talk(host.home), Held(monkeypatch, module, step, always=True)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(begins, ALICE, "another turn", SLOW)
        assert held.busy.wait(60)
        try:
            assert is_noted(host, talk)
        finally:
            held.go.set()
            slow.result()


@STEPS
def test_a_turn_that_begins_after_another_took_too_long(
    host: Host, monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    """Hermes gives up waiting, and leaves the hook alone for a minute."""
    host.configure({"plugins": {"enabled": ["hardened-adapters"], "hook_callback_timeout": 3}})
    talk, held = Talk(host.home), Held(monkeypatch, module, step, always=False)
    if not hasattr(plugins, "_resolve_hook_callback_timeout"):
        # Older versions wait.
        held.go.set()
    try:
        begins(ALICE, "another turn", SLOW)
        assert held.busy.is_set()
        assert is_noted(host, talk)
    finally:
        held.go.set()
        assert held.ended.wait(60)


def test_the_asker_in_a_turn_whose_beginning_nobody_saw_is_unknown(host: Host) -> None:
    """The session's variables name the author of the first of several turns."""
    assert asks("a turn that nobody saw") == ""
    assert asks("") == ALICE["user_id"]


def test_an_answer_that_hermes_does_not_have_checked_is_withheld(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    real, at_work, go = guards.guarded, threading.Semaphore(0), threading.Event()

    def slow(session_id: str) -> Any:
        if session_id == SLOW:
            at_work.release()
            assert go.wait(60)
        return real(session_id)

    secret = host.home / "memories" / "MEMORY.md"
    secret.parent.mkdir(exist_ok=True)
    secret.write_text("a dunlin")
    monkeypatch.setattr(guards, "guarded", slow)
    many = 1 + hooks._SPARES
    with ThreadPoolExecutor(many) as pool:
        others = [pool.submit(becomes, ALICE, f"MEDIA:{secret} {n}", SLOW) for n in range(many)]
        try:
            assert all(at_work.acquire(timeout=60) for _ in others)
            said = becomes(GROUP, f"MEDIA:{secret}")
        finally:
            go.set()
        for each in (said, *(other.result() for other in others)):
            assert each
            assert str(secret) not in each
    assert becomes(GROUP, "a dunlin") is None


def test_hermes_calls_every_kind_of_ours_for_calls_that_overlap(host: Host) -> None:
    ours = {
        kind
        for kind, callbacks in table.PLUGIN_MANAGER()._hooks.items()
        if any(getattr(each, "func", each).__module__.startswith("hermes_hardened_adapters.") for each in callbacks)
    }
    assert ours >= {"pre_llm_call", "pre_approval_request", "pre_gateway_dispatch", "transform_llm_output"}
    for kind in sorted(ours):
        called: set[str] = set()
        busy, go = threading.Event(), threading.Event()

        def callback(*, who: str, called: Any = called, busy: Any = busy, go: Any = go, **_: object) -> None:
            called.add(who)
            if who == "first":
                busy.set()
                assert go.wait(60)

        manager = plugins.PluginManager()
        context = plugins.PluginContext(plugins.PluginManifest(name="probe"), manager)
        hooks.register(context.register_hook, kind, callback)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(manager.invoke_hook, kind, who="first")
            assert busy.wait(60)
            try:
                manager.invoke_hook(kind, who="second")
            finally:
                go.set()
                first.result()
        assert called == {"first", "second"}, kind
