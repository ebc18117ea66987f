"""Hermes' own agent in this process, as the gateway runs it for a chat: real plugins, tools and sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any

from gateway.session_context import set_session_vars
from hermes_cli.plugins import discover_plugins
from hermes_hardened_adapters.common.host.tenancy import session
from hermes_state import SessionDB
from run_agent import AIAgent

from tests.fakes.echo_model import EchoModel, text_of
from tests.gateway_process import gateway_config, merged
from tests.scripted_tools import says

GROUP = {"platform": "signal", "chat_id": "group:one", "user_id": "+15550000002"}
DIRECT = {"platform": "signal", "chat_id": "+15550000002", "user_id": "+15550000002"}
CLI: Mapping[str, str] = {}


DIRECT_TOOLS = {"tools": {"tool_search": {"enabled": "off"}}}
"""Newer versions of Hermes put tools of plugins, and some of their own, behind a search for tools."""


def through_search(tool: str, **args: Any) -> str:
    """Return a message upon which the scripted model calls a tool that is behind the search."""
    call = {"name": tool, "arguments": args}
    # The form of 0.22, and the one before.
    return says("tool_call", calls=[call], **call)


class Agents:
    """The agents of one HERMES_HOME. Every `ask` is a session of its own, unless it is named."""

    def __init__(self, home: Path, model: EchoModel, **config: Any) -> None:
        self.home, self.model = home, model
        self._config = merged(gateway_config(model.base_url, plugin=True), {**DIRECT_TOOLS, **config})
        (home / "config.yaml").write_text(json.dumps(self._config))
        discover_plugins()
        self._asked = 0
        self.toolsets = ["memory", "session_search", "chat_memory"]

    async def ask(self, chat: Mapping[str, str], text: str, named: str = "") -> str:
        """Return what the chat's agent answers."""
        self._asked += 1
        session_id = named or f"session-{self._asked}"
        return await asyncio.to_thread(copy_context().run, self._ask, chat, text, session_id)

    def _ask(self, chat: Mapping[str, str], text: str, session_id: str) -> str:
        kind = "group" if chat.get("chat_id", "").startswith("group") else "dm"
        key = f"agent:main:{chat['platform']}:{kind}:{chat['chat_id']}" if chat else ""
        if chat:
            set_session_vars(session_key=key, **chat)
        else:
            # The operator's terminal is another process, which serves nobody.
            session._serving.clear()
        database = SessionDB(db_path=self.home / "state.db")
        if chat and database.get_session(session_id) is None:
            # As the gateway's session store does.
            database.create_session(session_id=session_id, source=chat["platform"])
            database.record_gateway_session_peer(
                session_id,
                source=chat["platform"],
                user_id=chat["user_id"],
                session_key=key,
                chat_id=chat["chat_id"],
                chat_type=kind,
            )
        agent = AIAgent(
            base_url=self.model.base_url,
            api_key="unused",
            provider="custom",
            model="echo-model",
            enabled_toolsets=self.toolsets,
            quiet_mode=True,
            session_id=session_id,
            platform=chat.get("platform", "cli"),
            user_id=chat.get("user_id"),
            chat_id=chat.get("chat_id"),
            chat_type=kind if chat else None,
            gateway_session_key=key or None,
            skip_context_files=True,
            session_db=database,
        )
        try:
            return str(agent.run_conversation(text)["final_response"])
        finally:
            agent.close()
            database.close()

    def tools(self, n: int = -1) -> set[str]:
        """Return the names of the tools that a request offered."""
        return {tool["function"]["name"] for tool in self.model.requests[n].get("tools") or ()}

    def system(self, n: int = -1) -> str:
        """Return the system prompt of a request."""
        return text_of(self.model.requests[n]["messages"][0]["content"])

    def stored(self, word: str) -> list[str]:
        """Return the files of memory that hold a word, relative to the folder of memories."""
        root = self.home / "memories"
        files = [path for path in root.rglob("*") if path.is_file() and word in path.read_text()]
        return sorted(path.relative_to(root).as_posix() for path in files)
