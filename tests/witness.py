"""A plugin beside ours in a Hermes home, which notes for which chat our code would work, wherever Hermes calls plugins.

Its platform, if enabled, is a file of messages in its folder and one of answers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.gateway_process import PLUGIN

NAME = "witness"
ENVIRONMENT = {"WITNESS_ALLOW_ALL_USERS": "true", "WITNESS_HOME_CHANNEL": "home"}
CONFIG: dict[str, Any] = {
    "plugins": {"enabled": [PLUGIN, NAME]},
    "approvals": {"destructive_slash_confirm": False},
    "tools": {"tool_search": {"enabled": False}},
}

SOURCE = '''
import asyncio
import dataclasses
import json
import os
from pathlib import Path

from gateway.config import Platform
from gateway.platforms.base import BasePlatformAdapter, MessageEvent, SendResult

HERE = Path(__file__).parent


def noting(where):
    def note(**given):
        from hermes_hardened_adapters.common.host import profile
        from hermes_hardened_adapters.common.host.tenancy import session

        chat, unknown = None, ""
        try:
            chat = session.current(given.get("session_id") or "")
        except session.Unknown as exc:
            unknown = str(exc)
        row = {
            "where": where,
            "session_id": given.get("session_id"),
            "platform": given.get("platform"),
            "tool": given.get("tool_name"),
            "text": str(given.get("user_message") or ""),
            "unknown": unknown,
            "home": profile.home().name,
            "chat": chat and dataclasses.asdict(chat),
        }
        with (HERE / "log").open("a") as log:
            log.write(json.dumps(row) + "\\n")

    return note


def executed(*, next_call, args, **given):
    noting("tool_execution")(**given)
    return next_call(args)


class Rooms(BasePlatformAdapter):
    """Says what is written to `inbox`, a JSON line a message, and writes answers to `outbox`."""

    def __init__(self, config):
        super().__init__(config, Platform("witness"))

    async def connect(self, *, is_reconnect=False):
        self._mark_connected()
        self._reading = asyncio.create_task(self._read())
        return True

    async def disconnect(self):
        self._reading.cancel()

    async def _read(self):
        done = 0
        while True:
            lines = (HERE / "inbox").read_text().splitlines() if (HERE / "inbox").exists() else []
            for line in lines[done:]:
                said = json.loads(line)
                text = said.pop("text")
                source = self.build_source(**said)
                await self.handle_message(MessageEvent(text=text, source=source, message_id=str(done)))
                done += 1
            await asyncio.sleep(0.02)

    async def send(self, chat_id, content, reply_to=None, metadata=None):
        with (HERE / "outbox").open("a") as box:
            box.write(json.dumps([chat_id, content]) + "\\n")
        return SendResult(success=True, message_id="1")

    async def get_chat_info(self, chat_id):
        return {"name": chat_id, "type": "group"}


def register(ctx):
    for hook in ("pre_llm_call", "pre_tool_call"):
        ctx.register_hook(hook, noting(hook))
    for kind in ("tool_request", "llm_request"):
        ctx.register_middleware(kind, noting(kind))
    ctx.register_middleware("tool_execution", executed)
    ctx.register_platform(
        name="witness",
        label="Witness",
        adapter_factory=Rooms,
        check_fn=lambda: True,
        is_connected=lambda config: "WITNESS_HOME_CHANNEL" in os.environ,
        allow_all_env="WITNESS_ALLOW_ALL_USERS",
        allowed_users_env="WITNESS_ALLOWED_USERS",
        cron_deliver_env_var="WITNESS_HOME_CHANNEL",
    )
'''


class Witness:
    """The plugin in a Hermes home."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "plugins" / NAME
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "plugin.yaml").write_text(f"name: {NAME}\nversion: 0.1.0\ndescription: a witness\n")
        (self._folder / "__init__.py").write_text(SOURCE)

    def says(self, **message: str) -> None:
        """Write a message to its own platform; the fields besides `text` are those of a source."""
        with (self._folder / "inbox").open("a") as inbox:
            inbox.write(json.dumps(message) + "\n")

    def _lines(self, name: str) -> list[Any]:
        path = self._folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def answers(self) -> list[list[str]]:
        """Return the chat and the text of each answer on its own platform."""
        return self._lines("outbox")

    def rows(self) -> list[dict[str, Any]]:
        """Return its notes, in order."""
        return self._lines("log")
