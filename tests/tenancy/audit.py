"""The findings of a run: foreign marks, and own ones that were not found again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.echo_model import last_user_text, text_of
from tests.tenancy.attacker import asked
from tests.tenancy.marks import MARK, NOBODY, Sighting
from tests.tenancy.reach import elsewhere, homes, jobs
from tests.tenancy.run import Run

KEPT = (
    # Hermes' sessions, and our state beside them.
    *("state.db*", "hardened_adapters/state.db*", "sessions/*"),
    *("cron/jobs.json", "cron/output/*/*", "cache/delegation/**/*"),
    "memories/contexts/**/*",
)
"""Files with words of many chats, where they belong. The guards keep every chat from them."""
_KEY = re.compile(r"agent:[\w-]+:\S+")
"""The key of a session, which contains the id of its chat."""
OF_HERMES = re.compile(r"gateway\.(run|platforms)|agent\.|tools\.|run_agent|cron\.|model_tools|hermes_cli\.")
"""Loggers whose lines may have words: Hermes logs the beginnings of messages and of errors of tools."""


def first(sightings: Iterable[Sighting]) -> list[Sighting]:
    """Return where each owner saw each foreign mark first: what was seen once is in later requests, too."""
    seen: dict[tuple[str, str], Sighting] = {}
    for each in sightings:
        seen.setdefault((each.owner, each.mark), each)
    return list(seen.values())


def in_requests(run: Run) -> Iterator[Sighting]:
    """Yield the foreign marks in all model requests, in order."""
    for request in run.requests:
        yield from _in_request(run, request)


def leaking(run: Run) -> int:
    """Return how many model requests carried another chat's words."""
    return sum(any(True for _ in _in_request(run, request)) for request in run.requests)


def _in_request(run: Run, request: dict[str, Any]) -> Iterator[Sighting]:
    owner, tools = run.attacker.owner(request), dict[str, str]()
    rest = {name: value for name, value in request.items() if name != "messages"}
    yield from run.marks.foreign(owner, "the request besides its messages", json.dumps(rest))
    for message in request["messages"]:
        for call in message.get("tool_calls") or ():
            tools[call["id"]] = call["function"]["name"]
        role = message["role"]
        where = f"result of {tools.get(message['tool_call_id'], '?')}" if role == "tool" else f"{role} message"
        yield from run.marks.foreign(owner, where, json.dumps(message))


def in_what_was_sent(run: Run) -> Iterator[Sighting]:
    """Yield the foreign marks in messages and files that left the gateway."""
    for sent in run.on.sent():
        owner = run.on.owner(sent.chat)
        yield from run.marks.foreign(owner, "sent text", sent.text)
        keys = " ".join(_KEY.findall(sent.text))
        for place in run.on.places:
            if place.owner != owner and place.address.partition(":")[2] in keys:
                yield Sighting(owner, place.owner, "key of a session in a sent text", place.address)
        for file in sent.files:
            yield from run.marks.foreign(owner, "sent file", file.decode("latin-1"))


def in_files(run: Run) -> Iterator[Sighting]:
    """Yield the marks in files outside a context's own folder, and in such a folder those of other chats."""
    for home in homes(run.home):
        kept = {path for pattern in KEPT for path in home.glob(pattern)}
        for path in sorted(home.rglob("*")):
            if path.is_file() and path not in kept and not (home == run.home and "profiles" in path.parts):
                yield from _in_file(run, path)
        for folder in home.glob("memories/contexts/*/"):
            label = json.loads((folder / "context.json").read_text())["context"]
            for path in (each for each in folder.rglob("*") if each.is_file()):
                yield from run.marks.foreign(run.on.owner(label), f"file {path.name} of a context", path.read_text())


def _in_file(run: Run, path: Path) -> Iterator[Sighting]:
    text = path.read_text("utf-8", "replace")
    if path.parent.name == "logs":
        text = "\n".join(line for line in text.splitlines() if not OF_HERMES.search(line))
    yield from run.marks.foreign(NOBODY, f"file {path.relative_to(run.home)}", text)


def astray(run: Run) -> Iterator[str]:
    """Yield the jobs that would answer to other chats than the one in which they were made."""
    for job in jobs(run.home):
        if targets := elsewhere(job):
            yield f"a job of {(job.get('origin') or {}).get('chat_id')} answers to {', '.join(targets)}"


def forgotten(run: Run) -> Iterator[str]:
    """Yield what a chat saved or said, and was not shown again."""
    for look in run.looks:
        # Some hosts ask for a title, too, without tools.
        agents = [each for each in run.requests if each.get("tools")]
        requests = [each["messages"] for each in agents if asked(last_user_text(each)) == look.turn]
        prompt = text_of(requests[0][0]["content"]) if requests else ""
        if missing := look.saved - {*MARK.findall(prompt)}:
            yield f"{look.place.name}: {len(missing)} of {len(look.saved)} saved entries are not in the prompt"
        results = [text_of(each["content"]) for each in (requests[-1] if requests else ()) if each["role"] == "tool"]
        if look.said.isdisjoint(MARK.findall("".join(results))):
            yield f"{look.place.name}: session_search finds nothing of what was said here"


def summary(sightings: Iterable[Sighting]) -> str:
    """Return one line for each way of words into other chats, the most frequent first."""
    ways = Counter(re.sub(r"[0-9a-f]{8,}|/\w+-(notes|files)", "…", each.where) for each in sightings)
    return "\n".join(f"{count:6} {way}" for way, count in ways.most_common())
