"""Measures memory and recall per chat: adding an entry, searching sessions, and what a model request takes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from gateway.config import Platform
from gateway.session import SessionSource
from gateway.session_context import set_session_vars
from hermes_hardened_adapters.common.host.tenancy import middleware, recall, session
from hermes_state import SessionDB
from tools.memory_tool import MemoryStore, memory_tool
from tools.session_search_tool import session_search

from benchmarks.measure import Metrics, Row, Target, interleaved, series

_GROUP = "9 Memory and recall per chat"
_CHAT = "own"
_SESSION = "current"
_ADDED = 20
"""Entries that fit into the host's memory at once."""
_ASKING = "session00000"
"""A stored session of the chat."""
_SEARCHES = 4
_REQUESTS = 20
_COPIES = 3
"""Copies that the host makes of a request (hermes_cli/middleware.py, apply_llm_request_middleware)."""
_ONE_IN = 20
"""Of so many sessions, one belongs to the chat."""
_SHAPES: dict[str, dict[str, Any]] = {"discover, every message matching": {"query": "wedding"}, "browse": {}}


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 9."""
    session.arrived(SessionSource(platform=Platform.SIGNAL, chat_id=_CHAT, chat_type="group", user_id="someone"))
    set_session_vars(
        platform="signal", chat_id=_CHAT, user_id="someone", session_key=f"agent:main:signal:group:{_CHAT}:someone"
    )
    return [*await _adding(rounds), *await _searching(rounds, scale), *await _asking(rounds)]


async def _adding(rounds: int) -> list[Row]:
    store = MemoryStore()
    store.load_from_disk()

    def stock(args: dict[str, Any]) -> str:
        return str(memory_tool(**args, store=store))

    def ours(args: dict[str, Any]) -> str:
        return _called("memory", args)

    async def side(call: Callable[[dict[str, Any]], str]) -> Metrics:
        entries = [f"fact number {n} of this round" for n in range(_ADDED)]
        started = time.perf_counter()
        for entry in entries:
            _done(call({"action": "add", "target": "memory", "content": entry}))
        taken = time.perf_counter() - started
        for entry in entries:
            _done(call({"action": "remove", "target": "memory", "old_text": entry}))
        return {"ms": taken / _ADDED * 1000}

    taken = await interleaved(rounds, {"ours": lambda: side(ours), "stock": lambda: side(stock)})
    return [Row(_GROUP, "memory, add", "ms", "less", taken["ours"]["ms"], taken["stock"]["ms"])]


async def _searching(rounds: int, scale: float) -> list[Row]:
    sessions = int(4000 * scale)
    database = _stored(Path(os.environ["HERMES_HOME"]) / "state.db", sessions)
    found = []
    for name, args in _SHAPES.items():

        def stock(args: dict[str, Any] = args) -> str:
            return str(session_search(**args, db=database, current_session_id=_SESSION))

        def ours(args: dict[str, Any] = args) -> str:
            return _called("session_search", args)

        async def side(call: Callable[[], str]) -> Metrics:
            taken = 0.0
            for _ in range(_SEARCHES):
                # Hermes stores the message that makes an agent search, before it does.
                database.append_message(session_id=_ASKING, role="user", content="what did we plan?")
                started = time.perf_counter()
                assert _done(call())["results"]
                taken += time.perf_counter() - started
            return {"ms": taken / _SEARCHES * 1000}

        await side(ours)
        await side(stock)
        taken = await interleaved(rounds, {"ours": lambda: side(ours), "stock": lambda: side(stock)})
        # Newer hosts list recent sessions from an index; to look whether a session changed takes us half as long again.
        least = Target("ratio", at_least=0.66) if args else None
        title = f"session_search over {sessions:,} sessions of 10 messages, 5% own: {name}"
        found.append(Row(_GROUP, title, "ms", "less", taken["ours"]["ms"], taken["stock"]["ms"], least))
    recall.close()
    database.close()
    return found


async def _asking(rounds: int) -> list[Row]:
    _done(_called("memory", {"action": "add", "target": "memory", "content": "the wedding is on the ninth"}))
    system = {"role": "system", "content": "You are an agent. " * 1000}
    turns = [{"role": ("user", "assistant")[n % 2], "content": f"message {n} " * 40} for n in range(200)]
    properties = {name: {"type": "string", "description": "What it is. " * 10} for name in "abcdef"}
    tools = [
        {"type": "function", "function": {"name": f"tool{n}", "parameters": {"properties": properties}}}
        for n in range(40)
    ]
    request = {"model": "m", "messages": [system, *turns], "tools": tools}

    def measured() -> Metrics:
        started = time.perf_counter()
        for _ in range(_REQUESTS):
            assert middleware.show(request=request, session_id=_SESSION, api_mode="chat_completions")
        return {"ms": (time.perf_counter() - started) / _REQUESTS * 1000}

    def copied() -> Metrics:
        started = time.perf_counter()
        for _ in range(_COPIES):
            deepcopy(request)
        return {"ms": (time.perf_counter() - started) * 1000}

    measured()
    taken = series(measured() for _ in range(rounds))
    copies = series(copied() for _ in range(rounds))
    name = "model request of 201 messages and 40 tools"
    return [
        Row(_GROUP, f"{name}: ours", "ms", "less", taken["ms"], None, Target("ours", at_most=1)),
        Row(_GROUP, f"{name}: Hermes' copies for any plugin's middleware", "ms", "less", copies["ms"]),
    ]


def _called(tool: str, args: dict[str, Any]) -> str:
    """Carry out a call as the host has it carried out, sealed."""
    sealed = middleware.seal(tool_name=tool, args=args, session_id=_SESSION)
    assert sealed is not None
    return str(
        middleware.carry_out(
            tool_name=tool, args=sealed["args"], next_call=lambda _: "{}", session_id=_SESSION, turn_id="turn"
        )
    )


def _done(answer: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer)
    assert found["success"], answer
    return found


def _stored(path: Path, sessions: int) -> SessionDB:
    """Return an open database with so many sessions of ten messages."""
    database = SessionDB(db_path=path)

    def write(connection: Any) -> None:
        for number in range(sessions):
            name, started = f"session{number:05}", 1_760_000_000 + number * 100
            chat = f"other{number % 19}" if number % _ONE_IN else _CHAT
            connection.execute(
                "INSERT INTO sessions (id, source, chat_id, chat_type, session_key, origin_json, started_at)"
                " VALUES (?, 'signal', ?, 'group', ?, ?, ?)",
                (name, chat, f"agent:main:signal:group:{chat}", json.dumps({"chat_id": chat}), started),
            )
            for line in range(10):
                text = f"the wedding plan {number} {line} " + "lorem ipsum dolor sit amet " * 8
                connection.execute(
                    "INSERT INTO messages (session_id, role, content, timestamp) VALUES (?, ?, ?, ?)",
                    (name, ("user", "assistant")[line % 2], text, started + line),
                )

    database._execute_write(write)
    return database
