"""`make demo`: the real gateway with this plugin lives through a group scene, and shows what became of every message.

A replaying signal-cli daemon stands for Signal, an echo for the model; everything is on loopback. The exit status is
not zero when something was answered that should not have been, or the other way round.
`python -m tests.demo signal-cli` shows the real signal-cli daemon instead; `stock` plays the scene to Hermes' own
adapter, for comparison.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tests.fakes.echo_model import EchoModel, addressed_part, last_user_text
from tests.fakes.signal_daemon import ACCOUNT, ALICE, CAROL, GROUP, FakeSignalDaemon
from tests.gateway_process import GatewayFailed, GatewayProcess, Verdict, signal_env
from tests.scene import Line, lines, prepare, stage

SECRET = "the combination is 4711"
"""In notes.txt, where an expanded `@file:notes.txt` would find it."""
ANSWER_WITHIN = 10.0
BUDGET = 50.0
"""Seconds for the whole scene; once they are spent, every wait is a second."""
QUIET = 0.6
"""Seconds in which an answer nobody should get would have come: answers take a tenth of that."""


@dataclass
class Outcome:
    """What became of one line."""

    line: Line
    verdict: Verdict | None = None
    asked: dict[str, Any] | None = None
    answers: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


async def play(daemon: FakeSignalDaemon, model: EchoModel, gateway: GatewayProcess) -> list[Outcome]:
    """Say every line, one after the other, and compare what happens with what is expected."""
    deadline = time.monotonic() + BUDGET
    return [await _say(daemon, model, gateway, line, deadline) for line in lines()]


async def _say(
    daemon: FakeSignalDaemon, model: EchoModel, gateway: GatewayProcess, line: Line, deadline: float
) -> Outcome:
    outcome = Outcome(line)
    calls, asked = len(daemon.calls), len(model.requests)
    traced = gateway.adapter() != "stock"
    prepare(daemon, line)

    def said() -> list[str]:
        return [str(call.params.get("message", "")) for call in daemon.calls[calls:] if call.method == "send"]

    def judged() -> Verdict | None:
        return next((v for v in reversed(gateway.verdicts()) if v.event == str(line.timestamp)), None)

    def accepted() -> bool:
        return any(
            call.method == "updateGroup" and call.params.get("groupId") == line.accepts for call in daemon.calls[calls:]
        )

    async def until(true: Callable[[], bool], what: str) -> None:
        try:
            await gateway.until(true, what, max(1.0, min(ANSWER_WITHIN, deadline - time.monotonic())))
        except GatewayFailed as exc:
            outcome.faults.append(str(exc).partition("\n")[0])

    await daemon.emit_event(line.event)
    if line.answered:
        await until(lambda: bool(said()), "an answer")
    if line.accepts:
        await until(accepted, "the invitation accepted")
    if traced:
        await until(lambda: judged() is not None, "a verdict in the trace")
    await asyncio.sleep(QUIET)
    outcome.verdict = judged()
    outcome.answers = said()
    outcome.asked = next(iter(model.requests[asked:]), None)
    outcome.faults += _faults(outcome, daemon, calls)
    return outcome


def _faults(outcome: Outcome, daemon: FakeSignalDaemon, calls: int) -> list[str]:
    line, faults = outcome.line, []
    if outcome.verdict is not None and outcome.verdict.verdict not in line.verdict.split():
        faults.append(f"verdict {outcome.verdict.verdict} instead of {line.verdict}")
    if line.answered and len(outcome.answers) > 1:
        faults.append(f"{len(outcome.answers)} answers instead of one")
    if line.marker and (outcome.asked is None or line.marker not in last_user_text(outcome.asked)):
        faults.append("the agent was not sent the message")
    if not line.marker and outcome.asked is not None:
        faults.append("the agent was asked")
    if outcome.asked is not None and SECRET in str(outcome.asked):
        faults.append("a stranger's @file reference was expanded")
    if not line.answered:
        # Only what this message caused: late calls of the message before name another timestamp, or stop typing.
        allowed = {"listGroups", "listContacts", "getUserStatus"} | ({"updateGroup"} if line.accepts else set())
        faults += [
            f"it caused {call.method}"
            for call in daemon.calls[calls:]
            if call.method not in allowed
            and not (call.method == "sendReaction" and call.params.get("targetTimestamp") != line.timestamp)
            and not (call.method == "sendTyping" and call.params.get("stop"))
        ]
    return faults


def table(outcomes: list[Outcome]) -> Table:
    result = Table(title="What became of every message", show_lines=True, title_justify="left")
    for heading, width in (("message", 30), ("from", 8), ("verdict", 10), ("rule", 4), ("reason", 16)):
        result.add_column(heading, max_width=width)
    result.add_column("what the agent was sent", max_width=40)
    result.add_column("what it answered", max_width=36)
    for outcome in outcomes:
        verdict, asked = outcome.verdict, outcome.asked
        style = "red" if outcome.faults else ""
        row = (
            outcome.line.label,
            outcome.line.who.name,
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


async def scene(console: Console, *, plugin: bool = True) -> int:
    began = time.monotonic()
    async with stage() as daemon, EchoModel() as model:
        env = signal_env(daemon.url, ACCOUNT, users=f"{ALICE},{CAROL}", groups=GROUP, SIGNAL_REQUIRE_MENTION="true")
        gateway = GatewayProcess(model.base_url, env=env, plugin=plugin)
        (gateway.home / "notes.txt").write_text(SECRET)
        try:
            async with gateway:
                await daemon.streams_open(1)
                console.print(f"Gateway up with the {gateway.adapter()} adapter after {gateway.ready_after:.1f} s.")
                outcomes = await play(daemon, model, gateway)
        except (GatewayFailed, TimeoutError) as exc:
            console.print(Text(f"The gateway failed: {exc}", style="red"))
            return 2
    console.print(table(outcomes))
    with_context = next((o for o in outcomes if o.line.marker.startswith("when and where") and o.asked), None)
    if with_context is not None and with_context.asked is not None:
        shown = Text(last_user_text(with_context.asked))
        console.print(Panel(shown, title="The model request of Carol's mention: last user message, whole"))
    faults = [f"{outcome.line.label}: {fault}" for outcome in outcomes for fault in outcome.faults]
    for fault in faults:
        console.print(Text(f"FAULT {fault}", style="red"))
    verdict = f"{len(faults)} faults" if faults else "as expected"
    console.print(f"{len(outcomes)} messages, {verdict}, {time.monotonic() - began:.1f} s.")
    return 1 if faults else 0


def main(arguments: list[str]) -> int:
    console = Console()
    if not console.is_terminal:
        console = Console(width=170, color_system=None)
    if arguments == ["signal-cli"]:
        from tests.demo_daemon import show

        return asyncio.run(show(console))
    if arguments == ["stock"]:
        return asyncio.run(scene(console, plugin=False))
    if arguments:
        console.print("usage: python -m tests.demo [signal-cli | stock]")
        return 2
    return asyncio.run(scene(console))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
