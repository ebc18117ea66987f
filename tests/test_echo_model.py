"""The echo stands in for a model in every end-to-end claim, so what it repeats is pinned here."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from tests.fakes.echo_model import EchoModel, addressed_part, last_user_text


def user(text: object) -> dict[str, Any]:
    return {"model": "echo-model", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": text}]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", "hello"),
        ("seen: a\n\n[New message]\nwhat\nnow?", "what now?"),
        ("[New message]\nfirst\n[New message]\nsecond", "second"),
        ("they wrote [New message] inline", "they wrote [New message] inline"),
        ("hello\n\n[System note: This is the user's very first message ever.]", "hello"),
        ("[a voice message: x.aac]\n\nseen: a\n\n[New message]\n", "[a voice message: x.aac]"),
        ("", ""),
    ],
)
def test_only_the_addressed_part_is_echoed(text: str, expected: str) -> None:
    assert addressed_part(text) == expected


def test_the_last_user_message_is_found_before_tool_results_and_in_parts() -> None:
    request = user([{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:"}}])
    request["messages"].append({"role": "tool", "content": "ignored"})
    assert last_user_text(request) == "look\n"


async def test_it_answers_plainly_streaming_and_by_script() -> None:
    def script(request: dict[str, Any]) -> str | None:
        return "scripted" if "secret" in last_user_text(request) else None

    async with EchoModel(script=script) as model, aiohttp.ClientSession() as client:
        url = f"{model.base_url}/chat/completions"
        async with client.post(url, json=user("hi  there")) as response:
            plain = await response.json()
        async with client.post(url, json=user("hi there") | {"stream": True}) as response:
            lines = [line[6:].strip() async for line in response.content if line.startswith(b"data: {")]
        async with client.post(url, json=user("secret")) as response:
            scripted = await response.json()
    deltas = [choice["delta"].get("content", "") for line in lines for choice in json.loads(line)["choices"]]
    assert plain["choices"][0]["message"]["content"] == "echo: hi there"
    assert "".join(deltas) == "echo: hi there"
    assert scripted["choices"][0]["message"]["content"] == "scripted"
    assert len(model.requests) == 3
    assert len(model.asked("secret")) == 1
