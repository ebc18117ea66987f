"""Model requests in the host's wire formats: where the system prompt is, and whether the conversation was compacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SYSTEM_ROLES = frozenset({"system", "developer"})
_MARKER_WITHIN = 200


def with_system_text(request: dict[str, Any], text: str, api_mode: str) -> dict[str, Any] | None:
    """Return the request with a text at the end of its system prompt; None if its format is not known."""
    match api_mode:
        case "codex_responses":
            return {**request, "instructions": _longer(request.get("instructions"), text)}
        case "anthropic_messages":
            return {**request, "system": _longer(request.get("system"), text, {"type": "text"})}
        case "bedrock_converse":
            return {**request, "system": _longer(request.get("system") or [], text, {})}
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        return None
    first = messages[0]
    if not isinstance(first, Mapping) or first.get("role") not in _SYSTEM_ROLES:
        return None
    content = _longer(first.get("content"), text, {"type": "text"})
    return {**request, "messages": [{**first, "content": content}, *messages[1:]]}


def _longer(value: Any, text: str, kind: Mapping[str, str] | None = None) -> Any:
    """Return a system prompt with a text at its end. `kind` is what a block of text has besides its text."""
    if not isinstance(value, list):
        return f"{value}\n\n{text}" if value else text
    block: dict[str, Any] = {**(kind or {}), "text": text}
    last = next((n for n in reversed(range(len(value))) if isinstance(value[n], Mapping) and "text" in value[n]), None)
    if last is None:
        return [block, *value]
    before = dict(value[last])
    # Providers allow few breakpoints of their cache: it moves to the end of the prompt, and none is added.
    if (mark := before.pop("cache_control", None)) is not None:
        block["cache_control"] = mark
    return [*value[:last], before, block, *value[last + 1 :]]


def offers_tool(request: Mapping[str, Any], name: str) -> bool:
    """Return True if a request offers the model a tool of that name."""
    config = request.get("toolConfig")
    tools = request.get("tools") or (config.get("tools") if isinstance(config, Mapping) else None) or ()
    for tool in filter(lambda each: isinstance(each, Mapping), tools):
        # Chat completions wrap it as a function, Bedrock as a specification.
        inner = next((tool[kind] for kind in ("function", "toolSpec") if isinstance(tool.get(kind), Mapping)), tool)
        if inner.get("name") == name:
            return True
    return False


def compaction(request: Mapping[str, Any], marker: str) -> int:
    """Return a number that changes when the host has compacted the conversation; 0 if it has not.

    `marker` begins the summary that the host leaves then.
    """
    for text in _texts(request):
        if marker in text[:_MARKER_WITHIN]:
            return hash(text)
    return 0


def _texts(request: Mapping[str, Any]) -> Iterator[str]:
    for message in request.get("messages") or request.get("input") or ():
        content = message.get("content") if isinstance(message, Mapping) else None
        parts = content if isinstance(content, list) else [content]
        for part in parts:
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield text
