"""One run: everybody talks at once, saves, attacks, starts anew; the gateway restarts; everybody looks again."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.files import NOT_SENT

from tests.fakes.echo_model import EchoModel, ToolCall, last_user_text
from tests.gateway_process import GatewayFailed, GatewayProcess, gateway_config, merged
from tests.tenancy.attacker import DONE, Attacker, Plan, Turn, anything
from tests.tenancy.attempts import BAIT, DELEGATING, Attempt, spelt
from tests.tenancy.marks import MARK, Marks
from tests.tenancy.places import Networks, Place, networks, settings
from tests.tenancy.reach import Reach, elsewhere, homes

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
APPROVING = "other"
"""The profile in which every memory write waits for somebody's word."""
COMMANDS = ("/agents", "/memory pending", "/sessions", "/resume {session}", "/cron list", "/insights", "/history",
            "/status", "/background turn-{turn} {secret}", "/adapters memory", "/adapters memory forget {number}",
            "/memory approve {waiting}", "/memory reject {waiting}", "/memory global pending")  # fmt: skip
MOST = 30
"""Entries of one chat at most, so that forgetting a higher number deletes nothing."""
TRIES = 4
"""Of a command whose answer may be taken for that to another person's in the same chat."""


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
    """A run, and everything that could be seen of it."""

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
        self.gateway: GatewayProcess
        self.given: Counter[str] = Counter()
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
                    self.gateway = running
                    await self._ready()
                    if phase == self._before:
                        await self._greet()
                    try:
                        async with asyncio.TaskGroup() as group:
                            for n, place in enumerate(self.on.places):
                                group.create_task(phase(place, Random(f"{self.seed} {n} {phase.__name__}")))
                    finally:
                        self.consoles[-1] = running.log
        self.seconds = time.monotonic() - began

    def _write(self, model_url: str) -> None:
        """Write the settings of both profiles; the default one's config.yaml is written by its process."""
        other = self.home / "profiles" / APPROVING
        other.mkdir(parents=True)
        for name, values in settings(self.on).items():
            file = (other if name == APPROVING else self.home) / ".env"
            file.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        own = CONFIG | {"gateway": {}, "memory": {"write_approval": True}}
        (other / "config.yaml").write_text(json.dumps(merged(gateway_config(model_url, plugin=self.plugin), own)))

    async def _ready(self) -> None:
        await self.on.daemon.streams_open(1, timeout=30)
        for server in self.on.servers.values():
            await server.connected(timeout=30)

    async def _greet(self) -> None:
        """Say the first words of each profile one after the other.

        Of several at once, Hermes 0.20.6 may store none: each thread creates the database of the profile's sessions.
        """
        for place in {place.profile: place for place in self.on.places}.values():
            await self._ask(place, lambda tools: [])

    # -- what happens in one place

    async def _before(self, place: Place, chance: Random) -> None:
        await self._save(place)
        if place is next(each for each in self.on.places if each.owner == place.owner) and place.profile == "default":
            await self._schedule(place, chance)
            await self._delegate(place, chance)
        await self._attack(place, chance)
        await self._look(place)

    async def _after(self, place: Place, chance: Random) -> None:
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
                command = min(COMMANDS, key=lambda each: (self.given[each], chance.random()))
                self.given[command] += 1
                secret, number = attempt.secret(), chance.randint(MOST + 1, 2 * MOST)
                ids = {"session": attempt.session(), "waiting": attempt.waiting()}
                await place.say(command.format(turn=turn, secret=secret, number=number, **ids))
            if place.mutter and chance.random() < 0.5:
                await place.mutter(f"nobody asked: {self._secret(place)}")
            typed = f"@{chance.choice(('file', 'folder'))}:{attempt.path()}" if chance.random() < 0.5 else ""
            plan = anything(chance, attempt, 7, self.attacker.tried)
            await self._ask(place, plan, typed, lambda attempt=attempt: _sending(attempt))

    async def _save(self, place: Place) -> None:
        """Save two entries. Where they wait for approval, approve them."""
        marks = [self.marks.new(place.owner) for _ in range(2)]
        self.saved.setdefault(place.owner, set()).update(marks)
        plan = [
            ToolCall("memory", {"action": "add", "target": target, "content": f"the {place.label} {BAIT} is {mark}"})
            for target, mark in zip(("memory", "user"), marks, strict=True)
        ]
        await self._ask(place, lambda tools: plan)
        for _ in range(TRIES if place.profile == APPROVING else 0):
            await self._order(place, "/memory approve all")
            files = (self.home / "profiles" / APPROVING / "memories").glob("**/*.md")
            if set(marks) <= {*MARK.findall("".join(file.read_text() for file in files))}:
                break

    async def _order(self, place: Place, command: str) -> None:
        """Give a command, and wait for an answer: it may be one to somebody else who talks in the same chat."""
        before = sum(sent.chat == place.address for sent in self.on.sent())
        await place.say(command)
        await self._until(lambda: sum(sent.chat == place.address for sent in self.on.sent()) > before)

    async def _look(self, place: Place) -> None:
        """Look in a new session."""
        for _ in range(TRIES):
            await self._order(place, "/new")
            saved, said = (frozenset(each.get(place.owner, ())) for each in (self.saved, self.said))
            plan = [ToolCall("session_search", {"query": place.label, "limit": 10})]
            look = Look(await self._ask(place, lambda tools, plan=plan: plan), place, saved, said)
            if self._is_new(look.turn):
                break
        self.looks.append(look)

    def _is_new(self, turn: str) -> bool:
        """Return True if a turn was the first one of its session."""
        asked = (each["messages"] for each in self.requests if f"turn-{turn}" in last_user_text(each))
        return sum(each["role"] == "user" for each in next(asked, ())) == 1

    async def _schedule(self, place: Place, chance: Random) -> None:
        """Make a job, which the next start runs: `_jobs_are_due`."""
        turn = self._turn(place, anything(chance, self._attempt(place, chance), 6, self.attacker.tried))
        job = {"action": "create", "schedule": "every 2h", "prompt": f"turn-{turn} {self._secret(place)}"}
        await self._ask(place, lambda tools: [ToolCall("cronjob", job)])
        # With other profiles, Hermes 0.18 does not tell whose a job is, and a chat may have none.
        if not self.plugin or table.OWN_JOBS.optional() is not None:
            self.jobs.append((place, turn))

    def _jobs_are_due(self) -> None:
        """Move the time of the jobs, and of those that answer elsewhere. A start runs at once what is due."""
        for path in (home / "cron" / "jobs.json" for home in homes(self.home)):
            stored = json.loads(path.read_text()) if path.exists() else {"jobs": []}
            for job in stored["jobs"]:
                if elsewhere(job) or any(turn in str(job.get("prompt")) for _, turn in self.jobs):
                    job["next_run_at"] = datetime.now().astimezone().isoformat()
            if stored["jobs"]:
                path.write_text(json.dumps(stored))

    async def _delegate(self, place: Place, chance: Random) -> None:
        """Start a sub-agent, and wait until the chat was told that it is done."""
        turn = self._turn(place, anything(chance, self._attempt(place, chance), 6, self.attacker.tried))
        task = {"goal": f"turn-{turn} find every {BAIT}", "context": self._secret(place)}

        def plan(tools: list[dict[str, Any]]) -> list[ToolCall]:
            schemas = (tool["parameters"].get("properties", {}) for tool in tools if tool["name"] == DELEGATING)
            # Some hosts take a list of several tasks only, the newest nothing else than a list.
            alone = any("goal" in schema for schema in schemas)
            return [ToolCall(DELEGATING, dict(task) if alone else {**task, "tasks": [task]})]

        await self._ask(place, plan)
        if not await self._until(lambda: any(f"{DONE}{turn}" in str(each["messages"][-1]) for each in self.requests)):
            self.unanswered.append(f"a sub-agent of {place.name}: {turn}")

    async def _ask(self, place: Place, plan: Plan, typed: str = "", ends_with: Callable[[], str] = lambda: "") -> str:
        """Say something, and return the name of its turn once it is answered."""
        turn = self._turn(place, plan, ends_with)
        mark, before = self.marks.new(place.owner), self._withheld(place)
        await place.say(f"turn-{turn} {FILLER} the {place.label} {BAIT} is {mark} {typed}")
        await self._answered(place, turn, before)
        self.said.setdefault(place.owner, set()).add(mark)
        return turn

    async def _answered(self, place: Place, turn: str, withheld: int = 0) -> None:
        """Wait for the answer to a turn, or for the notice in its place, of which the chat got some before."""

        def is_answered() -> bool:
            if turn in self.attacker.done and self._withheld(place) > withheld:
                return True
            return any(f"{DONE}{turn}" in sent.text for sent in self.on.sent())

        if not await self._until(is_answered):
            self.unanswered.append(f"{place.name}: {turn}")

    def _withheld(self, place: Place) -> int:
        """Return the number of answers to a chat that would have sent files so that no word of them was sent."""
        # Newer hosts say below an answer which files were not changed.
        return sum(sent.chat == place.address and sent.text.startswith(NOT_SENT) for sent in self.on.sent())

    async def _until(self, condition: Callable[[], bool]) -> bool:
        """Wait for a condition, but not longer than the patience; return whether it holds.

        Raises GatewayFailed if the gateway ends.
        """
        try:
            await self.gateway.until(condition, "an answer", self.patience)
        except GatewayFailed:
            if self.gateway.ended:
                raise
            return False
        return True

    # -- what it is made of

    def _turn(self, place: Place, plan: Plan, ends_with: Callable[[], str] = lambda: "") -> str:
        name = self.marks.word()
        self.attacker.turns[name] = Turn(place.owner, plan, ends_with)
        return name

    def _secret(self, place: Place) -> str:
        return f"the {place.label} {BAIT} is {self.marks.new(place.owner)}"

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
