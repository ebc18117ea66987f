"""Scenes: who says what on a network, what ought to become of it, and what did.

A scene is played to the real gateway, one step after the other; several networks' scenes may run side by side.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from hermes_hardened_adapters.common.state.trace import Entry
from rich.table import Table
from rich.text import Text

from tests.fakes.echo_model import EchoModel, addressed_part, last_user_text
from tests.gateway_process import GatewayFailed, GatewayProcess

SECRET = "the combination is 4711"
"""In notes.txt, where an expanded `@file:notes.txt` would find it."""
ANSWER_WITHIN = 10.0
TURN_ENDS_WITHIN = 60.0
PATIENCE = 20.0
"""Seconds a scene may wait in vain in all; once they are spent, every wait is half a second."""
QUIET = 0.6
"""Seconds in which an answer nobody should get would have come: answers take a tenth of that."""
TYPING_ENDS = 2.5
"""Seconds without any act after which a turn is over: while one lasts, the host says so every two."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happens, and what is expected of it."""

    label: str
    who: str
    chat: str
    """Where an answer belongs; a thread is a chat of its own."""
    say: Callable[[], Awaitable[str]]
    """Makes it happen, and returns by what the plugin's trace knows it."""
    verdict: str
    """What the plugin's trace must say, or several words of which one."""
    answered: bool
    sent: str = ""
    """What the agent must be sent, word for word but for background and the host's notes; empty: nothing."""
    background: tuple[str, ...] = ()
    """What the whole conversation with the model must contain once."""
    effect: str = ""
    """The act that must follow in that chat, other than an answer."""


heard = partial(Line, verdict="dispatch", answered=True)
observed = partial(Line, verdict="observe", answered=False)
invited = partial(Line, verdict="invitation", answered=False)

Step = tuple[Line, ...]
"""Lines said one after the other before anything is waited for; in chats of their own."""


@dataclass(frozen=True, slots=True)
class Act:
    """Something the gateway did that others can see."""

    name: str
    chat: str = ""
    text: str | None = None
    """Of a message that was sent."""
    about: str = ""
    """The message it is about, as the trace knows it, where it names one."""


class Network(Protocol):
    """A chat server that people talk on and the gateway listens to."""

    name: str
    """The platform's, as the host and the trace spell it."""

    def calls_made(self) -> int: ...

    def acts(self, since: int) -> list[Act]:
        """What was done with the calls made since there were so many."""


@dataclass
class Outcome:
    """What became of one line."""

    line: Line
    event: str
    verdict: Entry | None = None
    asked: dict[str, Any] | None = None
    answers: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def play(network: Network, model: EchoModel, gateway: GatewayProcess, steps: Sequence[Step]) -> list[Outcome]:
    """Say everything, step by step, and compare what happens with what is expected."""
    playing = _Playing(network, model, gateway)
    return [outcome for step in steps for outcome in await playing.step(step)]


class _Playing:
    """A scene being played: what happened since its present step began."""

    def __init__(self, network: Network, model: EchoModel, gateway: GatewayProcess) -> None:
        self._network = network
        self._model = model
        self._gateway = gateway
        self._patience = PATIENCE
        self._calls = self._requests = 0
        self._turn_may_last = self._warm = False

    async def step(self, step: Step) -> list[Outcome]:
        if self._turn_may_last and not all(line.answered for line in step):
            await self._turn_over()
        self._turn_may_last = any(line.answered for line in step)
        self._calls, self._requests = self._network.calls_made(), len(self._model.requests)
        outcomes = [Outcome(line, await line.say()) for line in step]
        for outcome in outcomes:
            await self._settled(outcome)
        await asyncio.sleep(QUIET)
        for outcome in outcomes:
            outcome.verdict = self._judged(outcome)
            outcome.answers = self._answers(outcome.line)
            outcome.asked = self._asked(outcome.line, alone=len(step) == 1)
            outcome.faults += self._faults(outcome, step)
        return outcomes

    async def _turn_over(self) -> None:
        """Typing names no message: the turn before has to end before an act can be laid to the next one.

        The first turn imports much. A host that stands still meanwhile is quiet, but not done: it has to have been
        awake after the pause as well.
        """
        await self._quiet()
        if not self._warm:
            quiet_at = time.time()
            if self._gateway.adapter(self._network.name) != "stock":
                network = self._network.name
                await self._gateway.until(lambda: self._gateway.awake_at(network) >= quiet_at, "the host awake")
                await self._quiet()
            self._warm = True

    async def _quiet(self) -> None:
        deadline = time.monotonic() + TURN_ENDS_WITHIN
        acts = -1
        while acts != (acts := len(self._acts())) and time.monotonic() < deadline:
            await asyncio.sleep(TYPING_ENDS)

    async def _settled(self, outcome: Outcome) -> None:
        line = outcome.line
        if line.answered:
            await self._until(outcome, lambda: bool(self._answers(line)), "an answer")
        if line.effect:
            await self._until(outcome, lambda: self._has_effect(line), line.effect)
        if self._gateway.adapter(self._network.name) != "stock":
            await self._until(outcome, lambda: self._judged(outcome) is not None, "a verdict in the trace")

    async def _until(self, outcome: Outcome, true: Callable[[], bool], what: str) -> None:
        within = max(0.5, min(ANSWER_WITHIN, self._patience))
        try:
            await self._gateway.until(true, what, within)
        except GatewayFailed as exc:
            self._patience -= within
            outcome.faults.append(str(exc).partition("\n")[0])

    def _acts(self) -> list[Act]:
        return self._network.acts(self._calls)

    def _answers(self, line: Line) -> list[str]:
        return [act.text for act in self._acts() if act.text is not None and act.chat == line.chat]

    def _has_effect(self, line: Line) -> bool:
        return any((act.name, act.chat) == (line.effect, line.chat) for act in self._acts())

    def _judged(self, outcome: Outcome) -> Entry | None:
        """What the trace says; of an invitation rather that than what it says of the server's post about it."""
        rows = [v for v in self._gateway.verdicts() if (v.network, v.event) == (self._network.name, outcome.event)]
        return next((row for row in rows if row.verdict == "invitation"), rows[-1] if rows else None)

    def _asked(self, line: Line, *, alone: bool) -> dict[str, Any] | None:
        """The request to the model that this network's line caused."""
        source = f"**Source:** {self._network.name.title()} ("
        requests = [r for r in self._model.requests[self._requests :] if source in str(r["messages"][0])]
        meant = (r for r in requests if addressed_part(last_user_text(r)) == line.sent)
        return next(meant, requests[0] if requests and alone else None)

    def _faults(self, outcome: Outcome, step: Step) -> list[str]:
        line, faults = outcome.line, []
        if outcome.verdict is not None and outcome.verdict.verdict not in line.verdict.split():
            faults.append(f"verdict {outcome.verdict.verdict} instead of {line.verdict}")
        if line.answered and len(outcome.answers) > 1:
            faults.append(f"{len(outcome.answers)} answers instead of one")
        if self._gateway.restart_asked():
            faults.append("the gateway was told to restart")
        faults += self._faults_of_request(outcome)
        chats = {one.chat for one in step}
        for act in self._acts():
            if act.text is not None and act.chat not in chats:
                faults.append("something was said in another chat")
            # Only what this message caused: late calls of the message before name another one, or type in its chat.
            elif "typing" in act.name.lower() and act.chat not in chats:
                continue
            elif not line.answered and act.about in {"", outcome.event} and act.name != line.effect:
                faults.append(f"it caused {act.name}")
        return faults

    def _faults_of_request(self, outcome: Outcome) -> list[str]:
        line, asked = outcome.line, outcome.asked
        if asked is None:
            return ["the agent was not asked"] if line.sent else []
        faults = []
        if not line.sent:
            faults.append("the agent was asked")
        elif (sent := addressed_part(last_user_text(asked))) != line.sent:
            faults.append(f"the agent was sent {_short(sent)!r} instead of {line.sent!r}")
        conversation = str(asked["messages"])
        for said in line.background:
            if conversation.count(said) != 1:
                faults.append(f"the agent was told {said!r} {conversation.count(said)} times")
        if SECRET in conversation:
            faults.append("a stranger's @file reference was expanded")
        return faults


def table(title: str, outcomes: Sequence[Outcome]) -> Table:
    result = Table(title=title, show_lines=True, title_justify="left")
    for heading, width in (("message", 30), ("from", 8), ("verdict", 10), ("rule", 4), ("reason", 16)):
        result.add_column(heading, max_width=width)
    result.add_column("what the agent was sent", max_width=40)
    result.add_column("what it answered", max_width=36)
    for outcome in outcomes:
        verdict, asked = outcome.verdict, outcome.asked
        style = "red" if outcome.faults else ""
        row = (
            outcome.line.label,
            outcome.line.who,
            verdict.verdict if verdict else "-",
            str(verdict.rule or "") if verdict else "",
            verdict.reason if verdict else "",
            _short(addressed_part(last_user_text(asked))) if asked else "-",
            _short(" / ".join(outcome.answers)) or "-",
        )
        result.add_row(*(Text(cell) for cell in row), style=style)
    return result


def _short(text: str, length: int = 110) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"
