"""People of every authority on a network in the real host: real runner, real agent, a scripted model behind it.

Nothing here knows more of the adapters than that they are the host's: frames go in at a fake server, and what is looked
at is the model's requests, the calls made to the server, and the host's own modules.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import shutil
import tempfile
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gateway.pairing
import gateway.run
from aiohttp import web
from hermes_cli.plugins import invoke_hook
from hermes_hardened_adapters.common.host.contract.version import host_version, version_tuple

from tests.attacks.table import COMMANDS_OF_LISTED, Door, Kind
from tests.fakes.echo_model import EchoModel, addressed_part, last_user_text
from tests.gateway_process import gateway_config
from tools import approval, clarify_gateway, slash_confirm

HOME = Path(gateway.run._hermes_home)
"""The one home of a test process: these modules keep some of their paths from when they were imported."""

_AGENT = tempfile.TemporaryDirectory(prefix="hermes-agent-", dir=HOME.parent, ignore_cleanup_errors=True)
AGENT = Path(_AGENT.name)
"""The agent's folder, beside the home: references into the home itself are nobody's."""

SECRET = "the combination is 4711"
"""In notes.txt in the agent's folder, where an expanded `@file:notes.txt` finds it."""
MEMORY_SECRET = "the DM said 0815"
"""In MEMORY.md, and nobody's to read by a reference."""
REFUSAL = "⛔"
FORGETS_CONNECTIONS = version_tuple(host_version() or "1") < (0, 19)
"""Whether the agent leaves connections to its model open, for the garbage collector to complain about."""

WITHIN = 60.0
ARRIVAL = 0.01
"""Seconds a frame may take over loopback: both ends are in this process."""


@dataclass(frozen=True, slots=True)
class File:
    """Something attached. `announced` is the size its sender claims."""

    name: str
    content: bytes
    content_type: str = "text/plain"
    announced: int | None = None


REPORT = File("report.txt", b"nothing to report")
"""No picture: the host would ask the model what is on it."""


@dataclass
class Model(EchoModel):
    """Echoes, but keeps an agent busy where it is told to wait, and uses the terminal where it is told to erase."""

    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        said = last_user_text(body)
        if "please wait" in said:
            self.requests.append(body)
            await self.released.wait()
            self.requests.pop()
        if (target := re.search(r"please erase (\S+)", said)) and body["messages"][-1]["role"] == "user":
            self.requests.append(body)
            return await self._call(request, body, "terminal", {"command": f"rm -rf {target[1]}"})
        return await super()._completions(request)

    async def _call(self, request: web.Request, body: dict[str, Any], name: str, args: object) -> web.StreamResponse:
        function = {"name": name, "arguments": json.dumps(args)}
        call = {"index": 0, "id": f"call{len(self.requests)}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        if not body.get("stream"):
            return web.json_response(
                self._envelope("chat.completion", {"index": 0, "message": message, "finish_reason": "tool_calls"})
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for choice in ({"index": 0, "delta": message, "finish_reason": None},
                       {"index": 0, "delta": {}, "finish_reason": "tool_calls"}):  # fmt: skip
            chunk = json.dumps(self._envelope("chat.completion.chunk", choice))
            await response.write(f"data: {chunk}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


def clean_home(model_url: str, **config: Any) -> None:
    """A home in which nothing happened yet, with a model."""
    for path in HOME.iterdir():
        if path.name == "logs":
            continue
        # A thread of the stage before may still write its state there.
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    whole = gateway_config(model_url, plugin=True) | {
        "platform_toolsets": {"signal": ["terminal"], "mattermost": ["terminal"]},
        "approvals": {"mode": "manual", "timeout": 120},
    }
    (HOME / "config.yaml").write_text(json.dumps(whole | config))
    (HOME / "memories").mkdir()
    (HOME / "memories" / "MEMORY.md").write_text(MEMORY_SECRET)
    (AGENT / "notes.txt").write_text(SECRET)


@dataclass
class Stage(ABC):
    """One network, with everybody on it."""

    model: Model
    door: Door = Door.LISTS
    extra: Mapping[str, Any] = field(default_factory=dict)
    heard: list[Any] = field(default_factory=list)
    """Events the host's own `_handle_message` was given."""
    restarts: int = 0
    reads_only: bool = False
    """No agent is started: what the host would send to the model is in `read`."""
    read: list[str] = field(default_factory=list)

    name = ""
    host: Any = None
    """The adapter in its host, a `Hosted`, while the stage is open."""

    # -- a network's own

    @abstractmethod
    def environment(self) -> dict[str, str]:
        """The settings of this door."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """PlatformConfig.extra of this door."""

    @abstractmethod
    def connected(self) -> Any:
        """The adapter in its host, as an async context manager."""

    @abstractmethod
    async def emit(self, kind: Kind, text: str, *, direct: bool, addressed: bool, **more: Any) -> str:
        """Say it on the network; returns the message's id."""

    @abstractmethod
    async def attach(self, kind: Kind, text: str, files: Sequence[File], *, direct: bool = False) -> None:
        """Say it with files."""

    @abstractmethod
    def fetched(self) -> int:
        """Files fetched so far."""

    @abstractmethod
    async def invite(self, kind: Kind) -> bool:
        """Let them bring the bot somewhere new; true when an admin's request is dispatched there afterwards."""

    @abstractmethod
    def acts(self) -> list[str]:
        """Calls made so far that others can see."""

    @abstractmethod
    def sent(self) -> list[str]:
        """Texts sent so far."""

    @abstractmethod
    def user_id(self, kind: Kind) -> str:
        """What the host knows them by."""

    # -- the same everywhere

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Connected, with the host's real handlers behind the adapter."""
        async with self.connected() as host:
            self.host = host
            runner, adapter = host.runner, host.adapter
            runner.adapters[adapter.platform] = adapter
            # Before 0.19 the gateway misses them and expands no reference for anybody, by an error of its own.
            for name in {"_model", "_base_url"} - vars(runner).keys():
                setattr(runner, name, "")
            adapter.set_message_handler(self._handle)
            adapter.set_busy_session_handler(runner._handle_active_session_busy_message)
            if Door.LISTS is self.door:
                platform = adapter.platform.value
                code = runner.pairing_store.generate_code(platform, self.user_id(Kind.PAIRED), "Paula")
                assert runner.pairing_store.approve_code(platform, code)
            try:
                yield
            finally:
                self.model.released.set()
                for key in list(approval._gateway_queues):
                    approval.resolve_gateway_approval(key, "deny", resolve_all=True)
                for key in list(approval._session_yolo):
                    approval.disable_session_yolo(key)
                for key in list(slash_confirm._pending):
                    slash_confirm.clear(key)
                await runner.stop()
                if FORGETS_CONNECTIONS:
                    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
                        gc.collect()

    async def _handle(self, event: Any) -> Any:
        """The runner's own handler; only that a restart is counted instead of carried out."""
        runner = self.host.runner
        self.heard.append(event)
        if not runner._is_user_authorized(event.source):
            return await runner._handle_message(event)
        if event.get_command() == "restart":
            denied = runner._check_slash_access(event.source, "restart")
            self.restarts += denied is None
            return denied
        if not self.reads_only or event.is_command() or self._is_asked(runner):
            return await runner._handle_message(event)
        text = await runner._prepare_inbound_message_text(
            event=event, source=event.source, history=[], session_key=self.session()
        )
        self.read.append(str(text))
        # What an agent does with it first; from then on the background counts as read.
        invoke_hook("pre_llm_call", user_message=text, session_id="", platform=self.name)
        return None

    def _is_asked(self, runner: Any) -> bool:
        """The host waits for a word in the session of what it was given last."""
        key = self.session()
        return bool(
            runner._update_prompt_pending.get(key) or slash_confirm.get_pending(key) or clarify_gateway.has_pending(key)
        )

    async def say(
        self, kind: Kind, text: str, *, direct: bool = False, addressed: bool = True, busy: bool = False, **more: Any
    ) -> str:
        """Say it and wait until it was dealt with; while an agent is kept busy only until the host has it."""
        message_id = await self.emit(kind, text, direct=direct, addressed=addressed, **more)
        await (self.host.drained(ARRIVAL) if busy else self.settled())
        return message_id

    async def settled(self) -> None:
        """Everything said so far was dealt with, and answered."""
        async with asyncio.timeout(WITHIN):
            await self.host.drained(ARRIVAL)
            while self.host.adapter._background_tasks or self.host.adapter._typing:
                await asyncio.sleep(0.01)

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(WITHIN):
            while not true():
                await asyncio.sleep(0.01)

    def session(self) -> str:
        """The session of what reached the host last."""
        return str(self.host.runner._session_key_for_source(self.heard[-1].source))

    def asked(self, text: str) -> list[dict[str, Any]]:
        """Requests to the model whose addressed part ends with that text."""
        return [r for r in self.model.requests if addressed_part(last_user_text(r)).endswith(text)]

    def prompts(self) -> list[str]:
        """Everything the model was sent so far, or would have been."""
        return self.read + [str(request["messages"]) for request in self.model.requests]

    def told(self, since: int = 0) -> list[str]:
        """Texts sent, refusals left out."""
        return [text for text in self.sent()[since:] if not text.startswith(REFUSAL)]

    def yolo(self) -> bool:
        """Whether some session asks nothing any more."""
        return bool(approval._session_yolo)

    def confirms(self) -> int:
        """Questions about commands that wait."""
        return len(slash_confirm._pending)


def commands(door: Door) -> dict[str, Any]:
    """Settings for who may run which command."""
    if door in {Door.OPEN_WITHOUT_ADMINS, Door.WILDCARD}:
        return {}
    names = list(COMMANDS_OF_LISTED)
    return {"user_allowed_commands": names, "group_user_allowed_commands": names}
