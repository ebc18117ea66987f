"""The host's own records of people: its lists of admins, and its pairing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from gateway.config import Platform
from gateway.session import SessionSource
from hermes_hardened_adapters.common.host.people import is_admin, is_paired


@pytest.mark.parametrize(
    ("extra", "chat_type", "admin"),
    [
        ({}, "dm", False),
        ({"allow_admin_from": ["ann"]}, "dm", True),
        ({"allow_admin_from": ["bob"]}, "dm", False),
        ({"group_allow_admin_from": ["ann"]}, "group", True),
        ({"group_allow_admin_from": ["ann"]}, "channel", True),
        ({"allow_admin_from": ["ann"]}, "group", False),
    ],
)
def test_who_is_an_admin_in_which_kind_of_chat(extra: dict[str, Any], chat_type: str, admin: bool) -> None:
    source = SessionSource(platform=Platform.SIGNAL, chat_id="c", chat_type=chat_type, user_id="ann")
    assert is_admin(source, extra) is admin


def test_only_the_hosts_own_store_says_who_is_paired() -> None:
    store = SimpleNamespace(is_approved=lambda platform, user: (platform, user) == ("signal", "ann"))
    adapter = SimpleNamespace(platform=Platform.SIGNAL, build_source=lambda **fields: fields)
    assert not is_paired(adapter, "ann")
    adapter.gateway_runner = SimpleNamespace(_pairing_store_for=lambda source: store)
    assert [is_paired(adapter, user) for user in ("ann", "bob")] == [True, False]
    adapter.gateway_runner = SimpleNamespace(_pairing_store_for=lambda source: None)
    assert not is_paired(adapter, "ann")
