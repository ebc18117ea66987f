"""Model requests in the host's wire formats: where the system prompt is, and whether the conversation was compacted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_SYSTEM_ROLES = ("system", "developer")
_MARKER_WITHIN = 200


def with_system_text(request: object, text: str, api_mode: str) -> dict[str, Any] | None:
    """Return the request with a text at the end of its system prompt; None if there is no place for it.

    The request itself is not changed. A mode of another name is one with `messages`.
    """
    if not isinstance(request, Mapping):
        return None
    match api_mode:
        case "codex_responses":
            return _with(request, "instructions", _longer(request.get("instructions"), text))
        case "anthropic_messages":
            return _with(request, "system", _longer(request.get("system"), text, {"type": "text"}))
        case "bedrock_converse":
            return _with(request, "system", _longer(request.get("system") or [], text, {}))
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages or not isinstance(messages[0], Mapping):
        return None
    # Further on, a system message is a remark of the host about one turn.
    if messages[0].get("role") not in _SYSTEM_ROLES:
        return None
    prompt = _with(messages[0], "content", _longer(messages[0].get("content"), text, {"type": "text"}))
    return None if prompt is None else {**request, "messages": [prompt, *messages[1:]]}


def _with(mapping: Mapping[str, Any], key: str, value: object) -> dict[str, Any] | None:
    return None if value is None else {**mapping, key: value}


def _longer(value: Any, text: str, kind: Mapping[str, str] | None = None) -> str | list[Any] | None:
    """Return a system prompt with a text at its end, None if it has another form than a prompt.

    `kind` is what a block of text has besides its text; None if the format has no blocks.
    """
    if value is None or isinstance(value, str):
        return f"{value}\n\n{text}" if value else text
    if not isinstance(value, list) or kind is None:
        return None
    block: dict[str, Any] = {**kind, "text": text}
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


def compaction(request: object, marker: str) -> int:
    """Return a number that changes when the host has compacted the conversation; 0 if it has not.

    `marker` begins the summary that the host leaves then.
    """
    # All of them: somebody may write the marker, and their message would hide the summary.
    found = tuple(text for text in _texts(request) if marker in text[:_MARKER_WITHIN])
    return hash(found) if found else 0


def _texts(request: object) -> Iterator[str]:
    messages = (request.get("messages") or request.get("input")) if isinstance(request, Mapping) else None
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, Mapping) else None
        for part in content if isinstance(content, list) else (content,):
            text = part.get("text") if isinstance(part, Mapping) else part
            if isinstance(text, str):
                yield text
