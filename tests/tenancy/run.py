"""One run: everybody talks at once, saves, attacks, starts anew; the gateway restarts; everybody looks again."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from tests.fakes.echo_model import EchoModel, ToolCall
from tests.gateway_process import GatewayProcess, gateway_config, merged
from tests.tenancy.attacker import DONE, Attacker, Plan, Turn, anything
from tests.tenancy.attempts import BAIT, DELEGATING, Attempt, spelt
from tests.tenancy.marks import Marks
from tests.tenancy.places import Networks, Place, networks, settings
from tests.tenancy.reach import Reach

FILLER = "please read on, this only fills the eighty characters of a message that the log of Hermes may show;"
SHELLS = ("terminal", "process", "process_manage", "execute_code")
TOOLSETS = ("memory", "session_search", "file", "skills", "cronjob", "delegation", "todo", "clarify", "terminal",
            "code_execution")  # fmt: skip
CONFIG: dict[str, Any] = {
    "platform_toolsets": {platform: [*TOOLSETS] for platform in ("signal", "mattermost", "cron")},
    "approvals": {"mode": "off", "destructive_slash_confirm": False},
    "display": {"busy_input_mode": "queue", "busy_ack_enabled": False},
    "gateway": {"multiplex_profiles": True},
    # The keeper of skills asks the model after every few calls, and this one has nothing to say then.
    "skills": {"creation_nudge_interval": 0},
    # No shell can be kept apart: docs/security.md. They are offered, so that their denial is tried.
    "plugins": {"entries": {"hardened-adapters": {"memory": {"deny_tools": [*SHELLS]}}}},
}
COMMANDS = ("/agents", "/memory pending", "/sessions", "/resume {session}", "/cron list", "/insights", "/history",
            "/status", "/background turn-{turn} {secret}")  # fmt: skip


@dataclass
class Look:
    """A turn that must find what its chat saved and said before."""

    turn: str
    place: Place
    saved: frozenset[str]
    """Marks that the system prompt shows."""
    said: frozenset[str]
    """Marks of which session_search finds some."""


@dataclass
class Run:
    """What a run did, and everything that could be seen."""

    seed: int
    home: Path
    rounds: int
    plugin: bool = True
    patience: float = 60.0
    """Seconds within which a turn must be answered."""
    on: Networks = field(default_factory=networks)
    attacker: Attacker = field(default_factory=Attacker)
    looks: list[Look] = field(default_factory=list)
    jobs: list[tuple[Place, str]] = field(default_factory=list)
    """Scheduled jobs: whose, and the name of their turn."""
    unanswered: list[str] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    consoles: list[str] = field(default_factory=list)
    """The output of the processes."""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.marks = Marks(Random(self.seed))
        self.saved: dict[str, set[str]] = {}
        self.said: dict[str, set[str]] = {}

    async def play(self) -> None:
        began = time.monotonic()
        async with AsyncExitStack() as stack:
            for server in (self.on.daemon, *self.on.servers.values()):
                await stack.enter_async_context(server)
            model = await stack.enter_async_context(EchoModel(self.attacker))
            self.requests = model.requests
            self._write(model.base_url)
            for phase in (self._before, self._after):
                if phase == self._after:
                    self._jobs_are_due()
                async with GatewayProcess(
                    model.base_url,
                    env={},
                    home=self.home,
                    config=CONFIG,
                    plugin=self.plugin,
                    platforms=("signal", "mattermost"),
                ) as running:
                    self.consoles.append("")
                    await self._ready()
                    try:
                        async with asyncio.TaskGroup() as group:
                            for n, place in enumerate(self.on.places):
                                group.create_task(phase(place, Random(f"{self.seed} {n} {phase.__name__}")))
                    finally:
                        self.consoles[-1] = running.log
        self.seconds = time.monotonic() - began

    def _write(self, model_url: str) -> None:
        """Write the settings of both profiles; the default one's config.yaml is written by its process."""
        homes = {"default": self.home, "other": self.home / "profiles" / "other"}
        homes["other"].mkdir(parents=True)
        for name, values in settings(self.on).items():
            (homes[name] / ".env").write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        config = merged(gateway_config(model_url, plugin=self.plugin), CONFIG | {"gateway": {}})
        (homes["other"] / "config.yaml").write_text(json.dumps(config))

    async def _ready(self) -> None:
        await self.on.daemon.streams_open(1, timeout=30)
        for server in self.on.servers.values():
            await server.connected(timeout=30)

    # -- what happens in one place

    async def _before(self, place: Place, chance: Random) -> None:
        await self._ask(place, self._saving(place))
        if place is next(each for each in self.on.places if each.owner == place.owner) and place.profile == "default":
            await self._schedule(place, chance)
            await self._delegate(place, chance)
        await self._attack(place, chance)
        await self._new(place)
        await self._look(place)

    async def _after(self, place: Place, chance: Random) -> None:
        await self._new(place)
        await self._look(place)
        await self._attack(place, chance)
        for each, turn in self.jobs:
            if each is place:
                await self._answered(place, turn)

    async def _attack(self, place: Place, chance: Random) -> None:
        for _ in range(self.rounds):
            attempt = self._attempt(place, chance)
            if chance.random() < 0.5:
                turn = self._turn(place, anything(chance, attempt, 3, self.attacker.tried))
                command = chance.choice(COMMANDS)
                await place.say(command.format(session=attempt.session(), turn=turn, secret=attempt.secret()))
            if place.mutter and chance.random() < 0.5:
                await place.mutter(f"nobody asked: {self._secret(place)}")
            typed = f"@{chance.choice(('file', 'folder'))}:{attempt.path()}" if chance.random() < 0.5 else ""
            plan = anything(chance, attempt, 7, self.attacker.tried)
            await self._ask(place, plan, typed, lambda attempt=attempt: _sending(attempt))

    async def _new(self, place: Place) -> None:
        before = sum(sent.chat == place.address for sent in self.on.sent())
        await place.say("/new")
        # What is said meanwhile may still go into the old session.
        await self._until(lambda: sum(sent.chat == place.address for sent in self.on.sent()) > before)

    async def _look(self, place: Place) -> None:
        saved, said = (frozenset(each.get(place.owner, ())) for each in (self.saved, self.said))
        plan = [ToolCall("session_search", {"query": place.label, "limit": 10})]
        self.looks.append(Look(await self._ask(place, lambda tools: plan), place, saved, said))

    async def _schedule(self, place: Place, chance: Random) -> None:
        """Make a job, which the next start runs: `_jobs_are_due`."""
        turn = self._turn(place, anything(chance, self._attempt(place, chance), 6, self.attacker.tried))
        job = {"action": "create", "schedule": "every 2h", "prompt": f"turn-{turn} {self._secret(place)}"}
        await self._ask(place, lambda tools: [ToolCall("cronjob", job)])
        self.jobs.append((place, turn))

    def _jobs_are_due(self) -> None:
        """Move the time of the jobs. A start runs at once what is due."""
        path = self.home / "cron" / "jobs.json"
        stored = json.loads(path.read_text())
        for job in stored["jobs"]:
            if any(turn in str(job.get("prompt")) for _, turn in self.jobs):
                job["next_run_at"] = datetime.now().astimezone().isoformat()
        path.write_text(json.dumps(stored))

    async def _delegate(self, place: Place, chance: Random) -> None:
        """Start a sub-agent, and wait until the chat was told that it is done."""
        turn = self._turn(place, anything(chance, self._attempt(place, chance), 6, self.attacker.tried))
        task = {"goal": f"turn-{turn} find every {BAIT}", "context": self._secret(place)}
        await self._ask(place, lambda tools: [ToolCall(DELEGATING, {**task, "tasks": [task]})])
        await self._until(lambda: any(f"{DONE}{turn}" in str(each["messages"][-1]) for each in self.requests))

    async def _ask(self, place: Place, plan: Plan, typed: str = "", ends_with: Callable[[], str] = lambda: "") -> str:
        """Say something, and return the name of its turn once it is answered."""
        turn = self._turn(place, plan, ends_with)
        mark = self.marks.new(place.owner)
        await place.say(f"turn-{turn} {FILLER} the {place.label} {BAIT} is {mark} {typed}")
        await self._answered(place, turn)
        self.said.setdefault(place.owner, set()).add(mark)
        return turn

    async def _answered(self, place: Place, turn: str) -> None:
        if not await self._until(lambda: any(f"{DONE}{turn}" in sent.text for sent in self.on.sent())):
            self.unanswered.append(f"{place.name}: {turn}")

    async def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait for a condition, but not longer than the patience; return whether it holds."""
        deadline = time.monotonic() + self.patience
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.1)
        return True

    # -- what it is made of

    def _turn(self, place: Place, plan: Plan, ends_with: Callable[[], str] = lambda: "") -> str:
        name = self.marks.word()
        self.attacker.turns[name] = Turn(place.owner, plan, ends_with)
        return name

    def _secret(self, place: Place) -> str:
        return f"the {place.label} {BAIT} is {self.marks.new(place.owner)}"

    def _saving(self, place: Place) -> Plan:
        marks = [self.marks.new(place.owner) for _ in range(2)]
        self.saved.setdefault(place.owner, set()).update(marks)
        contents = [f"the {place.label} {BAIT} is {mark}" for mark in marks]
        wanted = [
            ToolCall("memory", {"action": "add", "target": target, "content": content})
            for target, content in zip(("memory", "user"), contents, strict=True)
        ]
        return lambda tools: wanted

    def _attempt(self, place: Place, chance: Random) -> Attempt:
        attempt = Attempt(
            chance,
            Reach(self.home),
            place.label,
            [each for each in dict.fromkeys(p.label for p in self.on.places) if each != place.label],
            [each for each in dict.fromkeys(p.address for p in self.on.places) if each != place.address],
            lambda: self.marks.new(place.owner),
            lambda: f"turn-{self._turn(place, anything(chance, attempt, 4, self.attacker.tried))}",
        )
        return attempt


def _sending(attempt: Attempt) -> str:
    """Return the end of an answer that would send files of others."""
    path = attempt.chance.choice([*attempt.reach.memories, *attempt.reach.files])
    return f"see {path} and\nMEDIA:{spelt(attempt.pick, path, attempt.reach.home)}\n{attempt.secret()}"
