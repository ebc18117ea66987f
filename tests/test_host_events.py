"""The host's message events, with observe_only where it is not the host's own."""

from __future__ import annotations

import dataclasses

import pytest
from gateway.platforms.base import MessageEvent
from hermes_hardened_adapters.common.host import events as host_events


def test_observe_only_is_the_hosts_field_or_ours() -> None:
    ours = host_events.event_class()
    event = ours(text="x", observe_only=True)
    assert isinstance(event, MessageEvent)
    assert dataclasses.replace(event, text="y").observe_only is True
    assert ours(text="x").observe_only is False
    event.set_by_the_host = True


def test_a_fork_with_the_field_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclasses.dataclass
    class Native(MessageEvent):  # type: ignore[misc]
        observe_only: bool = False

    monkeypatch.setattr("gateway.platforms.base.MessageEvent", Native)
    host_events.event_class.cache_clear()
    try:
        assert host_events.event_class() is Native
    finally:
        host_events.event_class.cache_clear()
