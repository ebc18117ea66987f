"""A scripted model that uses every tool it is offered, in every chat, to save, recall, list, read and send."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fakes.echo_model import NEW_MESSAGE, Answer, ToolCall, last_user_text, text_of
from tests.tenancy.attempts import BRIDGE, DELEGATING, KNOWN, NEWER_NAMES, UNTRIED, Attempt, calls
from tests.tenancy.marks import NOBODY, TURN

DONE = "done-"
"""Begins the last word of an answer, before the name of its turn."""
NEWER = {old: [name for name, each in NEWER_NAMES.items() if each == old] for old in NEWER_NAMES.values()}
BRIDGES = frozenset({BRIDGE, "tool_search", "tool_describe"})
"""Tools since 0.21.5 whose descriptions name the tools that are called through one of them."""
AT_ONCE = 3
"""Calls in one step."""

Plan = Callable[[list[dict[str, Any]]], list[ToolCall]]
"""Return the calls of a turn, given the tools that are offered."""


@dataclass
class Turn:
    """The task of one message, job or sub-agent."""

    owner: str
    plan: Plan
    ends_with: Callable[[], str] = lambda: ""
    """Return more of the answer, made when the answer is."""
    steps: list[list[ToolCall]] | None = None


@dataclass
class Attacker:
    """The script of an EchoModel."""

    turns: dict[str, Turn] = field(default_factory=dict)
    offered: set[str] = field(default_factory=set)
    tried: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)
    """The turns whose answers were made."""

    def __call__(self, request: dict[str, Any]) -> Answer | None:
        name = asked(last_user_text(request))
        tools = every([tool["function"] for tool in request.get("tools", ())])
        self.offered.update(tools)
        if name not in self.turns:
            return "Nothing to save."
        turn = self.turns[name]
        if turn.steps is None:
            wanted = turn.plan([tool for tool in tools.values() if tool["name"] not in UNTRIED])
            turn.steps = [wanted[n : n + AT_ONCE] for n in range(0, len(wanted), AT_ONCE)]
        n = steps_done(request["messages"])
        if n < len(turn.steps):
            return [self._call(call, tools) for call in turn.steps[n]]
        self.done.add(name)
        return f"{turn.ends_with()} {DONE}{name}"

    def _call(self, call: ToolCall, tools: Mapping[str, Mapping[str, Any]]) -> ToolCall:
        """Return the call as this host takes it."""
        name = next((name for name in (call.name, *NEWER.get(call.name, ())) if name in tools), call.name)
        self.tried[name] += 1
        if tools.get(name, {}).get("behind"):
            return ToolCall(BRIDGE, {"name": name, "arguments": call.args})
        return ToolCall(name, call.args)

    def owner(self, request: dict[str, Any]) -> str:
        """Return whose request it is: that of the last turn that is named in it."""
        for message in reversed(request["messages"]):
            if message["role"] == "user" and (turn := self.turns.get(asked(text_of(message["content"])))):
                return turn.owner
        return NOBODY


def every(offered: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return all tools by name: the offered ones, and those behind the one through which Hermes offers more."""
    tools = {tool["name"]: tool for tool in offered}
    if BRIDGE in tools:
        listed = str([tool["description"] for name, tool in tools.items() if name in BRIDGES])
        for name in KNOWN.keys() | NEWER_NAMES.keys():
            if name not in tools and re.search(rf"\b{name}\b", listed):
                tools[name] = {"name": name, "parameters": {}, "behind": True}
    return tools


def asked(text: str) -> str:
    """Return the name of the turn that a message asks for, empty if it asks for none."""
    found = TURN.search(text.rpartition(NEW_MESSAGE)[2])
    return found[1] if found else ""


def steps_done(messages: Iterable[dict[str, Any]]) -> int:
    """Return how many times the model called tools since the last message of a person's."""
    done = 0
    for message in messages:
        if message.get("role") == "user":
            done = 0
        elif message.get("tool_calls"):
            done += 1
    return done


def anything(chance: Random, attempt: Attempt, amount: int, tried: Counter[str]) -> Plan:
    """Return a plan of some calls of all that there are, those of the tools that were tried least at first."""

    def plan(tools: list[dict[str, Any]]) -> list[ToolCall]:
        whole = [calls(tool, attempt) for tool in tools if tool["name"] != DELEGATING]
        chance.shuffle(whole)
        whole.sort(key=lambda each: tried[each[0].name] / len(each))
        return [chance.choice(each) for each in whole[:amount]]

    return plan
