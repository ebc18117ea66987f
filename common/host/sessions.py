"""The host's sessions: their keys, the people in them, and their queues."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import profile
from .contract import table


def session_key(source: Any, extra: Mapping[str, Any], adapter: Any) -> str:
    """Return the key of the session that the adapter gives an event of this source (gateway/session.py)."""
    with_profile = table.SOURCE_SESSION_KEY.of(adapter)
    key: str = with_profile(source) if with_profile else table.BUILD_SESSION_KEY(source, **session_flags(extra))
    return key


def session_keys(source: Any, extra: Mapping[str, Any], adapter: Any) -> tuple[str, ...]:
    """Return every key that the host may use for the session; the last one is that of the host's runner.

    The runner builds the key from its own settings and the adapter's profile, not from the platform's settings. A key
    without that profile would be the session of another profile's bot.
    """
    runner = runner_of(adapter)
    if served := profile_of(adapter):
        source = dataclasses.replace(source, profile=source.profile or served)
        keys = [table.BUILD_SESSION_KEY(source, **session_flags(extra), profile=source.profile)]
    else:
        keys = [session_key(source, extra, adapter)]
    if (key_of := table.RUNNER_SESSION_KEY.of(runner)) is not None:
        keys.append(key_of(source))
    return tuple(dict.fromkeys(keys))


def profile_of(adapter: Any) -> str | None:
    """Return the profile that a gateway serves through the adapter besides its own, None if it is the gateway's own."""
    runner = runner_of(adapter)
    adapters: Mapping[str, Mapping[Any, Any]] = table.RUNNER_PROFILE_ADAPTERS.of(runner) or {}
    listed = next((name for name, those in adapters.items() if adapter in those.values()), None)
    # The host lists an adapter once it is connected. One of a network that is not ours has no home.
    home: Path | None = getattr(adapter, "home", None)
    if listed or home is None or not table.MULTIPLEX.of(table.RUNNER_CONFIG.of(runner)):
        return listed
    process, name = table.DEFAULT_DATABASE.optional(), profile.place(home)[1]
    own = name == profile.DEFAULT or (process is not None and Path(process).parent == home)
    return None if own else name


def name_profile(source: Any, adapter: Any) -> None:
    """Name the adapter's profile in a source that names none. Hermes does so only once it handles the message."""
    if source is not None and not source.profile:
        source.profile = profile_of(adapter)


def take_over(adapter: Any, session_key: str, other: str) -> None:
    """Let the event that waits under another key of a session wait under this one, if none does."""
    waiting = table.PENDING_MESSAGES.of(adapter)
    if waiting and other in waiting and session_key not in waiting:
        waiting[session_key] = waiting.pop(other)


def is_worked_on(adapter: Any, session_key: str) -> bool:
    """Return True while the host's runner works on a turn of the session."""
    return session_key in (table.RUNNING_AGENTS.of(runner_of(adapter)) or {})


def is_shared(source: Any, extra: Mapping[str, Any], adapter: Any) -> bool:
    """Return True if several people may share the session, by the adapter's settings or the runner's."""
    asked: Any = table.IS_SHARED_SESSION.load()
    config = table.RUNNER_CONFIG.of(runner_of(adapter))
    return any(asked(source, **session_flags(settings)) for settings in (extra, vars(config) if config else {}))


def session_flags(extra: Mapping[str, Any]) -> dict[str, bool]:
    """Return the settings by which the host assigns a message to a session."""
    return {
        "group_sessions_per_user": extra.get("group_sessions_per_user", True),
        "thread_sessions_per_user": extra.get("thread_sessions_per_user", False),
    }


def queue_separately(event: Any, session_key: str, adapter: Any) -> bool:
    """Queue a message for a turn of its own, without interrupting the current one; False if the host cannot do that."""
    runner = runner_of(adapter)
    enqueue, depth = table.RUNNER_ENQUEUE.of(runner), table.RUNNER_QUEUE_DEPTH.of(runner)
    limit, draining = table.RUNNER_QUEUE_LIMIT.of(runner), table.RUNNER_DRAINING.of(runner)
    if enqueue is None or depth is None or limit is None or draining is None:
        return False
    # The host's handler, which is bypassed here, makes the same checks.
    if draining or not table.RUNNER_AUTHORIZES.of(runner)(event.source):
        return False
    # The host drops what exceeds its limit as well.
    if depth(session_key, adapter=adapter) < limit:
        enqueue(session_key, event, adapter)
    return True


def would_merge(event: Any, session_key: str, adapter: Any) -> bool:
    """Return True if the host would merge the event into another person's waiting event, as it does with files."""
    waiting = (table.PENDING_MESSAGES.of(adapter) or {}).get(session_key)
    if waiting is None or waiting.source.user_id == event.source.user_id:
        return False
    return bool(waiting.media_urls or event.media_urls)


def runner_of(adapter: Any) -> Any:
    """Return the gateway runner that an adapter belongs to, None outside a gateway."""
    return table.RUNNER.of(adapter)
