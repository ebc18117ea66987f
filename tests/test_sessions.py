"""The host's sessions: which events share one, and when a message gets a turn of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gateway.config import Platform
from gateway.platforms.base import MessageEvent
from gateway.session import SessionSource
from hermes_hardened_adapters.common.host import sessions

ANN, BOB = "ann", "bob"


def source(user: str = ANN, chat_type: str = "group", thread: str | None = None) -> SessionSource:
    return SessionSource(platform=Platform.SIGNAL, chat_id="chat", chat_type=chat_type, user_id=user, thread_id=thread)


def event(user: str = ANN, *files: str) -> MessageEvent:
    return MessageEvent(text="hi", source=source(user), media_urls=list(files))


@pytest.mark.parametrize(
    ("extra", "thread", "shared"),
    [
        ({}, None, False),
        ({"group_sessions_per_user": False}, None, True),
        ({}, "t", True),
        ({"thread_sessions_per_user": True}, "t", False),
    ],
)
def test_the_settings_say_whether_people_share_a_session(
    extra: dict[str, bool], thread: str | None, shared: bool
) -> None:
    ann, bob = source(ANN, thread=thread), source(BOB, thread=thread)
    assert (sessions.session_key(ann, extra, None) == sessions.session_key(bob, extra, None)) is shared
    runner = SimpleNamespace(config=SimpleNamespace(**extra))
    assert sessions.is_shared(ann, extra, SimpleNamespace(gateway_runner=runner)) is shared


def test_a_runner_whose_settings_share_it_makes_it_shared() -> None:
    runner = SimpleNamespace(config=SimpleNamespace(group_sessions_per_user=False))
    assert sessions.is_shared(source(), {}, SimpleNamespace(gateway_runner=runner))


def test_the_runner_may_keep_the_session_under_a_key_of_its_own() -> None:
    adapter = SimpleNamespace()
    assert sessions.session_keys(source(), {}, adapter) == (sessions.session_key(source(), {}, None),)
    adapter.gateway_runner = SimpleNamespace(
        _session_key_for_source=lambda source: f"{source.profile} {source.chat_id}",
        _profile_adapters={"work": {Platform.SIGNAL: adapter}, "home": {Platform.SIGNAL: SimpleNamespace(home=1)}},
    )
    # A key without the profile is that of another bot's session.
    of_profile = sessions.session_key(source(), {}, None).replace(":main:", ":work:")
    assert sessions.session_keys(source(), {}, adapter) == (of_profile, "work chat")


def test_an_adapter_that_knows_its_profile_names_the_session() -> None:
    adapter = SimpleNamespace(_source_session_key=lambda source: f"work {source.chat_id}")
    assert sessions.session_keys(source(), {}, adapter) == ("work chat",)


@pytest.mark.parametrize(
    ("waiting", "coming", "merged"),
    [
        (None, event(ANN, "/a.png"), False),
        (event(ANN, "/a.png"), event(ANN, "/b.png"), False),
        (event(ANN), event(BOB), False),
        (event(ANN, "/a.png"), event(BOB), True),
        (event(ANN), event(BOB, "/a.png"), True),
    ],
)
def test_files_of_two_people_would_be_merged(waiting: Any, coming: Any, merged: bool) -> None:
    adapter = SimpleNamespace(_pending_messages={} if waiting is None else {"key": waiting})
    assert sessions.would_merge(coming, "key", adapter) is merged
    assert not sessions.would_merge(coming, "another key", adapter)


class Runner:
    """The parts of the host's runner that queue a message."""

    _BUSY_QUEUE_MAX_PENDING = 2

    def __init__(self) -> None:
        self.queued: list[str] = []
        self._draining = False
        self.authorized = True

    def _is_user_authorized(self, source: Any) -> bool:
        return self.authorized

    def _queue_depth(self, key: str, *, adapter: Any) -> int:
        return len(self.queued)

    def _enqueue_fifo(self, key: str, event: Any, adapter: Any) -> None:
        self.queued.append(key)


def test_a_message_is_queued_for_a_turn_of_its_own_within_the_hosts_bound() -> None:
    runner = Runner()
    adapter = SimpleNamespace(gateway_runner=runner)
    assert [sessions.queue_separately(event(), "key", adapter) for _ in range(3)] == [True, True, True]
    assert runner.queued == ["key", "key"]


@pytest.mark.parametrize("change", [{"_draining": True}, {"authorized": False}])
def test_where_the_host_would_not_queue_it_nothing_is_queued(change: dict[str, bool]) -> None:
    runner = Runner()
    vars(runner).update(change)
    assert not sessions.queue_separately(event(), "key", SimpleNamespace(gateway_runner=runner))
    assert runner.queued == []


def test_a_host_without_such_queues_keeps_its_own_way() -> None:
    assert not sessions.queue_separately(event(), "key", SimpleNamespace())
    assert not sessions.queue_separately(event(), "key", SimpleNamespace(gateway_runner=SimpleNamespace()))
