"""The host's questions to people, opened the way the host opens them, and the ways to see whether one was answered."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

from tests.attacks.harness import AGENT, HOME, Stage
from tests.attacks.table import Kind
from tools import approval, clarify_gateway, slash_confirm

APPROVALS = ("yes", "Yes", "ok", "y", "👍", "approve", "confirm", "always", "session", "/approve", "/approve always")
DENIALS = ("no", "n", "👎", "deny", "reject", "cancel", "/deny")
CONFIRMATIONS = ("once", "always", "approve", "/approve", "/always", "!always", "/yes", "/remember")
CANCELS = ("cancel", "no", "nevermind", "/cancel", "/no")


class Question(StrEnum):
    """The questions only some may answer."""

    APPROVAL = "the approval of a dangerous command"
    CONFIRMATION = "the confirmation of a command"
    UPDATE = "a question of hermes update"


class Asked:
    """One question that waits. `answered` says whether anybody's word settled it."""

    def __init__(
        self, answered: Callable[[], bool], withdraw: Callable[[], Awaitable[None]], *, agent_waits: bool = False
    ) -> None:
        self.answered = answered
        self.withdraw = withdraw
        self.agent_waits = agent_waits


async def open_question(stage: Stage, question: Question, asker: Kind, **where: Any) -> Asked:
    """Have it asked, in the session that `asker` speaks in."""
    match question:
        case Question.APPROVAL:
            return await dangerous_command(stage, asker, **where)
        case Question.CONFIRMATION:
            return await confirmation(stage, asker, **where)
    return await update(stage, asker, **where)


async def dangerous_command(stage: Stage, asker: Kind, **where: Any) -> Asked:
    """The agent wants to erase a folder; answered is the question when the folder is gone or the agent was refused."""
    victim = AGENT / f"victim{len(stage.model.requests)}"
    victim.mkdir(exist_ok=True)
    await stage.say(asker, f"please erase {victim}", busy=True, **where)
    await stage.until(lambda: any(approval._gateway_queues.values()))
    (key,) = [key for key, waiting in approval._gateway_queues.items() if waiting]

    def answered() -> bool:
        # A word that only interrupts the agent is taken for a denial, too: it goes on and tells the model.
        return not approval._gateway_queues.get(key) or not victim.exists() or _went_on(stage, str(victim))

    async def withdraw() -> None:
        approval.resolve_gateway_approval(key, "deny", resolve_all=True)
        await stage.settled()

    return Asked(answered, withdraw, agent_waits=True)


def _went_on(stage: Stage, asked_for: str) -> bool:
    """The model was told what became of its tool call."""
    for request in stage.model.requests:
        messages = request["messages"]
        asked = [number for number, m in enumerate(messages) if m["role"] == "user" and asked_for in str(m)]
        if asked and any(m["role"] == "tool" for m in messages[asked[-1] :]):
            return True
    return False


async def confirmation(stage: Stage, asker: Kind, **where: Any) -> Asked:
    """/new asks before it forgets the conversation."""
    await stage.say(asker, "/new", **where)
    (key,) = slash_confirm._pending

    async def withdraw() -> None:
        slash_confirm.clear(key)

    return Asked(lambda: slash_confirm.get_pending(key) is None, withdraw)


async def update(stage: Stage, asker: Kind, **where: Any) -> Asked:
    """`hermes update` waits for a word in that session."""
    await stage.say(asker, "the update is mine", **where)
    waiting, answer = stage.host.runner._update_prompt_pending, HOME / ".update_response"
    key, source = stage.session(), stage.heard[-1].source
    pending = {"platform": stage.name, "chat_id": source.chat_id, "user_id": source.user_id, "session_key": key}
    (HOME / ".update_pending.json").write_text(json.dumps(pending))
    waiting[key] = True

    async def withdraw() -> None:
        waiting.pop(key, None)
        for path in HOME.glob(".update_*"):
            path.unlink()

    return Asked(lambda: answer.exists() or key not in waiting, withdraw)


def clarify(key: str) -> Asked:
    """The agent asks for a choice in that session."""
    number = f"clarify {key}"
    entry = clarify_gateway.register(number, key, "Which one?", ["the red one", "the blue one"])

    async def withdraw() -> None:
        clarify_gateway.clear_session(key)

    return Asked(lambda: entry.event.is_set(), withdraw)
