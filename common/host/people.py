"""The host's own records of people: pairing and admin lists."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def is_paired(adapter: Any, user_id: str) -> bool:
    """Return True if the operator approved that person's pairing code."""
    runner = getattr(adapter, "gateway_runner", None)
    if runner is None:
        return False
    store = runner._pairing_store_for(adapter.build_source(chat_id=user_id, chat_type="dm", user_id=user_id))
    return store is not None and bool(store.is_approved(adapter.platform.value, user_id))


def is_admin(source: Any, extra: Mapping[str, Any]) -> bool:
    """Return True if the operator listed the sender as an admin for that kind of chat. Without a list nobody is one."""
    access: Any = importlib.import_module("gateway.slash_access").policy_from_extra
    policy = access(dict(extra), "dm" if source.chat_type == "dm" else "group")
    return bool(policy.enabled and policy.is_admin(source.user_id))
