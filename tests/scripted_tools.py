"""Tool calls of the scripted model: a test says in the message what the agent is to call."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.echo_model import Answer, ToolCall, last_user_text, text_of

_BEHIND_SEARCH = "tool_call"


def says(tool: str, **args: Any) -> str:
    """Return a message upon which the scripted model calls a tool."""
    return f"call {json.dumps({tool: args})}"


def asks(request: dict[str, Any]) -> Answer | None:
    """Call the tool whose call stands in the message, once; then answer with its result."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return f"result: {text_of(last['content'])}"
    _, found, call = last_user_text(request).partition("call {")
    if not found:
        return None
    wanted, _ = json.JSONDecoder().raw_decode(f"{{{call}")
    offered = {tool["function"]["name"] for tool in request["tools"]}
    # Since 0.21.5, Hermes offers some tools through another one.
    return [
        ToolCall(_BEHIND_SEARCH, {"name": name, "arguments": args})
        if _BEHIND_SEARCH in offered and name not in offered
        else ToolCall(name, args)
        for name, args in wanted.items()
    ]
