"""The host's sessions: their keys, the people in them, and their queues."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

_NEEDED_OF_RUNNER = ("_enqueue_fifo", "_queue_depth", "_BUSY_QUEUE_MAX_PENDING", "_is_user_authorized", "_draining")


def session_key(source: Any, extra: Mapping[str, Any]) -> str:
    """Return the key of the session that an event of this source belongs to (gateway/session.py)."""
    key: str = importlib.import_module("gateway.session").build_session_key(source, **session_flags(extra))
    return key


def session_keys(source: Any, extra: Mapping[str, Any], adapter: Any) -> tuple[str, ...]:
    """Return every key that the host may use for the session.

    The host's runner builds the key from its own settings and the adapter's profile, not from the platform's settings.
    """
    keys, runner = [session_key(source, extra)], getattr(adapter, "gateway_runner", None)
    if (key_of := getattr(runner, "_session_key_for_source", None)) is not None:
        adapters: Mapping[str, Mapping[Any, Any]] = getattr(runner, "_profile_adapters", {})
        ours = next((name for name, those in adapters.items() if adapter in those.values()), None)
        keys.append(key_of(dataclasses.replace(source, profile=source.profile or ours)))
    return tuple(dict.fromkeys(keys))


def is_shared(source: Any, extra: Mapping[str, Any], adapter: Any) -> bool:
    """Return True if several people may share the session, by the adapter's settings or the runner's."""
    asked: Any = importlib.import_module("gateway.session").is_shared_multi_user_session
    config = getattr(getattr(adapter, "gateway_runner", None), "config", None)
    return any(asked(source, **session_flags(settings)) for settings in (extra, vars(config) if config else {}))


def session_flags(extra: Mapping[str, Any]) -> dict[str, bool]:
    """Return the settings by which the host assigns a message to a session."""
    return {
        "group_sessions_per_user": extra.get("group_sessions_per_user", True),
        "thread_sessions_per_user": extra.get("thread_sessions_per_user", False),
    }


def queue_separately(event: Any, session_key: str, adapter: Any) -> bool:
    """Queue a message for a turn of its own, without interrupting the current one; False if the host cannot do that."""
    runner = getattr(adapter, "gateway_runner", None)
    if runner is None or not all(hasattr(runner, name) for name in _NEEDED_OF_RUNNER):
        return False
    # The host's handler, which is bypassed here, makes the same checks.
    if runner._draining or not runner._is_user_authorized(event.source):
        return False
    # The host drops what exceeds its limit as well.
    if runner._queue_depth(session_key, adapter=adapter) < runner._BUSY_QUEUE_MAX_PENDING:
        runner._enqueue_fifo(session_key, event, adapter)
    return True


def would_merge(event: Any, session_key: str, adapter: Any) -> bool:
    """Return True if the host would merge the event into another person's waiting event, as it does with files."""
    waiting = getattr(adapter, "_pending_messages", {}).get(session_key)
    if waiting is None or waiting.source.user_id == event.source.user_id:
        return False
    return bool(waiting.media_urls or event.media_urls)
