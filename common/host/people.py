"""The host's own records of people: pairing and admin lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import sessions
from .contract import table


def is_paired(adapter: Any, user_id: str) -> bool:
    """Return True if the operator approved that person's pairing code."""
    store_for = table.RUNNER_PAIRING.of(sessions.runner_of(adapter))
    if store_for is None:
        return False
    store = store_for(adapter.build_source(chat_id=user_id, chat_type="dm", user_id=user_id))
    is_approved = table.PAIRING_APPROVED.of(store)
    return is_approved is not None and bool(is_approved(adapter.platform.value, user_id))


def is_admin(source: Any, extra: Mapping[str, Any]) -> bool:
    """Return True if the operator listed the sender as an admin for that kind of chat. Without a list nobody is one."""
    policy = slash_policy(source, extra)
    return bool(policy.enabled and policy.is_admin(source.user_id))


def slash_policy(source: Any, extra: Mapping[str, Any]) -> Any:
    """Return the host's lists of commands and admins for the kind of chat that the source is."""
    return table.SLASH_POLICY(dict(extra), "dm" if source.chat_type == "dm" else "group")
