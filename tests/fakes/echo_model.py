"""An echo, not a model: an OpenAI-compatible endpoint that repeats what it was told.

It stands in for a language model wherever the gateway needs one, so that tests and the demo run without internet and
show word for word what the agent was sent. Nothing here thinks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

NAME = "echo-model"
NEW_MESSAGE = "[New message]"
"""The line with which the host sets the addressed message apart from the context put before it."""

HOST_NOTE = "\n\n[System note:"
"""How the host's remarks begin that it appends to a user's message."""


def text_of(content: object) -> str:
    """The text of a message's content, which is a string or a list of typed parts."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return "" if content is None else str(content)


def last_user_text(request: dict[str, Any]) -> str:
    """The last user message of a recorded request, whole."""
    users = [m for m in request.get("messages", []) if m.get("role") == "user"]
    return text_of(users[-1].get("content")) if users else ""


def addressed_part(text: str) -> str:
    """What follows the last `[New message]` line, or the whole text, on one line, without the host's own notes.

    When nothing follows, the first line: the host puts what it says of a voice memo before everything else.
    """
    lines = text.partition(HOST_NOTE)[0].splitlines()
    marks = [index for index, line in enumerate(lines) if line.strip() == NEW_MESSAGE]
    after = " ".join(" ".join(lines[marks[-1] + 1 :] if marks else lines).split())
    return after or next(iter(lines), "").strip()


def echo(request: dict[str, Any]) -> str:
    return f"echo: {addressed_part(last_user_text(request))}"


@dataclass(frozen=True)
class ToolCall:
    """A scripted call of a tool."""

    name: str
    args: dict[str, Any]


class Slowly(str):
    """A scripted answer that is streamed in pieces of `size` characters, `pause` seconds apart."""

    size: int
    pause: float

    def __new__(cls, text: str, size: int, pause: float) -> Slowly:
        slowly = super().__new__(cls, text)
        slowly.size, slowly.pause = size, pause
        return slowly

    def pieces(self) -> list[str]:
        return [self[start : start + self.size] for start in range(0, len(self), self.size)]


Answer = str | list[ToolCall]


@dataclass
class EchoModel:
    """Serve on an ephemeral loopback port; `requests` holds the body of every completion asked for, in order."""

    script: Callable[[dict[str, Any]], Answer | None] | None = None
    """Given the request body: a scripted answer, calls of tools, or None to echo."""
    delay: float = 0.0
    """Seconds before each answer, to keep an agent busy."""
    held: asyncio.Event | None = None
    """If given, every answer waits for it."""

    requests: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> EchoModel:
        await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._completions)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.base_url = f"http://{host}:{port}/v1"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def asked(self, text: str) -> list[dict[str, Any]]:
        """The recorded requests whose last user message contains that text."""
        return [request for request in self.requests if text in last_user_text(request)]

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": NAME, "object": "model", "owned_by": "tests"}]})

    async def _completions(self, request: web.Request) -> web.StreamResponse:
        body: dict[str, Any] = await request.json()
        self.requests.append(body)
        answer = self.script(body) if self.script is not None else None
        if answer is None:
            answer = echo(body)
        if self.delay:
            await asyncio.sleep(self.delay)
        if self.held is not None:
            await self.held.wait()
        if body.get("stream"):
            return await self._stream(request, answer)
        message, reason = self._message(answer)
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return web.json_response(self._envelope("chat.completion", choice) | {"usage": _usage(answer)})

    def _message(self, answer: Answer) -> tuple[dict[str, Any], str]:
        """A whole answer, and why it ends."""
        if isinstance(answer, str):
            return {"role": "assistant", "content": answer}, "stop"
        calls = [
            {
                "index": n,
                "id": f"call-{len(self.requests)}-{n}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.args)},
            }
            for n, call in enumerate(answer)
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}, "tool_calls"

    async def _stream(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        message, reason = self._message(answer)
        first, _, rest = str(message.pop("content") or "").partition(" ")
        texts = answer.pieces() if isinstance(answer, Slowly) else [first, f" {rest}" if rest else ""]
        deltas: list[tuple[dict[str, Any], str | None]] = [
            ({"content": "", **message}, None),
            *(({"content": text}, None) for text in texts if text),
            ({}, reason),
        ]
        for delta, finish in deltas:
            if isinstance(answer, Slowly):
                await asyncio.sleep(answer.pause)
            choice = {"index": 0, "delta": delta, "finish_reason": finish}
            await response.write(_sse(self._envelope("chat.completion.chunk", choice)))
        await response.write(_sse(self._envelope("chat.completion.chunk", None) | {"usage": _usage(answer)}))
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    def _envelope(self, kind: str, choice: dict[str, Any] | None) -> dict[str, Any]:
        return {
            "id": f"echo-{len(self.requests)}",
            "object": kind,
            "created": 0,
            "model": NAME,
            "choices": [choice] if choice is not None else [],
        }


def _usage(answer: Answer) -> dict[str, int]:
    words = len(answer.split()) if isinstance(answer, str) else len(answer)
    return {"prompt_tokens": 0, "completion_tokens": words, "total_tokens": words}


def _sse(chunk: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"
