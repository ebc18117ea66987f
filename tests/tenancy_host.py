"""The real tool dispatch of Hermes, with our hooks and middleware, for the agent of a chat."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import copy_context
from pathlib import Path
from typing import Any

import model_tools
from gateway.session_context import set_session_vars
from hermes_cli.plugins import discover_plugins, invoke_hook
from hermes_hardened_adapters.common.host.tenancy import session, tenant

from tools import file_tools, terminal_tool

ALICE = {"platform": "signal", "chat_id": "+15550000002", "user_id": "+15550000002"}
BOB = {"platform": "signal", "chat_id": "+15550000003", "user_id": "+15550000003"}
GROUP = {"platform": "signal", "chat_id": "group:AbC=", "user_id": "+15550000002"}
UNKNOWN: dict[str, str] = {}


class Host:
    """Hermes with a HERMES_HOME and settings of memory. `serving` makes the process a gateway."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.configure()

    def configure(self, more: Mapping[str, Any] | None = None, **memory: Any) -> None:
        entries = {"entries": {"hardened-adapters": {"memory": memory}}}
        config = {"plugins": {"enabled": ["hardened-adapters"], **entries}, **(more or {})}
        # JSON is YAML.
        (self.home / "config.yaml").write_text(json.dumps(config))
        tenant._tenants.clear()
        discover_plugins()

    def call(
        self, chat: Mapping[str, str], tool: str, *, session_id: str = "s", task_id: str = "t", **args: Any
    ) -> str:
        """Call a tool as the agent of a chat; return what the model gets."""
        return str(in_chat(chat, model_tools.handle_function_call, tool, args, task_id, session_id=session_id))


def in_chat(chat: Mapping[str, str], function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call a function with a chat's variables bound, as the gateway binds them."""

    def run() -> Any:
        if chat:
            kind = "group" if chat["chat_id"].startswith("group") else "dm"
            set_session_vars(session_key=f"agent:main:{chat['platform']}:{kind}:{chat['chat_id']}", **chat)
        return function(*args, **kwargs)

    return copy_context().run(run)


def becomes(chat: Mapping[str, str], answer: str, session_id: str = "s") -> str | None:
    """Return what Hermes sends to a chat in place of an answer, None for the answer itself."""
    said = in_chat(chat, invoke_hook, "transform_llm_output", response_text=answer, session_id=session_id)
    return next(filter(None, said), None)


@contextmanager
def gateway() -> Iterator[None]:
    """Make this process one that serves chats."""
    session.serves_chats()
    try:
        yield
    finally:
        session._serving.clear()


def forget_shells() -> None:
    """End all shells of the host, and forget where they were."""
    for environment in terminal_tool._active_environments.values():
        environment.cleanup()
    terminal_tool._active_environments.clear()
    terminal_tool._task_env_overrides.clear()
    for module, name in (
        (terminal_tool, "_session_cwd"),
        (file_tools, "_last_known_cwd"),
        (file_tools, "_read_tracker"),
    ):
        getattr(module, name, {}).clear()
    file_tools.clear_file_ops_cache()
