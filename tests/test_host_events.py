"""The host's message events, with observe_only where it is not the host's own, and its envelopes of changes."""

from __future__ import annotations

import dataclasses

import pytest
from gateway.platforms.base import MessageEvent
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound, Mention
from hermes_hardened_adapters.common.core.wording import Foreign
from hermes_hardened_adapters.common.host import events as host_events
from hermes_hardened_adapters.common.inbound.delivery import Change


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


BOT = Mention(Address("us"), Foreign("Hermes"), (0, 1))


@pytest.mark.parametrize(
    ("received_at", "text", "told", "at"),
    [
        (1_795_000_000_000, "\ufffc go", "@Hermes go", "2026-11-18T11:06:40+00:00"),
        (None, "", None, None),
        (2**53, "\ufffc" + "x" * 9_000, "@Hermes" + "x" * 8_185, None),
    ],
)
def test_the_envelope_of_an_edit(received_at: int | None, text: str, told: str | None, at: str | None) -> None:
    chat = Chat("c", thread="root")
    mentions = (BOT,) if text else ()
    edit = Inbound("k", "2", 5, chat, Address("a"), text=text, mentions=mentions, edits="1", received_at=received_at)
    assert host_events.platform_event("toy", Change(edit, "alice", "#c", "group")) == {
        "platform": "toy",
        "event_type": "message_edited",
        "payload": {"chat_id": "#c", "message_id": "1", "thread_id": "root", "text": told, "edited_at": at},
    }


def test_the_envelope_of_a_deletion_has_no_text() -> None:
    by_admin = Inbound("k", "2", 5, Chat("#c"), Address("b"), deletes="1", deleted_author=Address("a"))
    payload = host_events.platform_event("toy", Change(by_admin, "bob", "#c", "group"))["payload"]
    assert (payload["message_id"], payload["author_id"]) == ("1", None)
    deletion = Inbound("k", "2", 5, Chat(), Address("a"), text="secret", deletes="1")
    assert host_events.platform_event("toy", Change(deletion, "alice", "alice", "dm")) == {
        "platform": "toy",
        "event_type": "message_deleted",
        "payload": {"chat_id": "alice", "message_id": "1", "thread_id": None, "author_id": "alice"},
    }
