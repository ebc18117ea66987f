"""What a run shows: foreign marks, and own ones that were not found again."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests.fakes.echo_model import text_of
from tests.tenancy.marks import NOBODY, Sighting
from tests.tenancy.reach import homes
from tests.tenancy.run import Run

_DATABASES = ("state.db", "state.db-wal", "state.db-shm", "hardened_adapters/state.db*")
"""Hermes' sessions and our own state, which no tool of a chat may read."""
_KEPT = (*_DATABASES, "cron/jobs.json", "cron/output/*/*", "sessions/*", "memories/contexts/*/*")


def audit(run: Run) -> list[Sighting]:
    """Return every foreign mark in requests, in what was sent, and in files."""
    return [*in_requests(run), *in_what_was_sent(run), *in_files(run)]


def in_requests(run: Run) -> Iterator[Sighting]:
    for request in run.requests:
        yield from dict.fromkeys(_in_request(run, request))


def leaking(run: Run) -> int:
    """Return how many model requests carried another chat's words."""
    return sum(any(True for _ in _in_request(run, request)) for request in run.requests)


def _in_request(run: Run, request: dict[str, Any]) -> Iterator[Sighting]:
    owner, tools = run.attacker.owner(request), dict[str, str]()
    rest = {name: value for name, value in request.items() if name != "messages"}
    yield from run.marks.seen(owner, "the request besides its messages", json.dumps(rest))
    for message in request.get("messages") or ():
        for call in message.get("tool_calls") or ():
            tools[call["id"]] = call["function"]["name"]
        role = message.get("role")
        where = f"result of {tools.get(message.get('tool_call_id'), '?')}" if role == "tool" else f"{role} message"
        yield from run.marks.seen(owner, where, json.dumps(message))


def in_what_was_sent(run: Run) -> Iterator[Sighting]:
    for sent in run.on.sent():
        owner = run.on.owner(sent.chat)
        yield from run.marks.seen(owner, f"sent text in {sent.chat}", sent.text)
        for file in sent.files:
            yield from run.marks.seen(owner, f"sent file in {sent.chat}", file.decode("latin-1"))


def in_files(run: Run) -> Iterator[Sighting]:
    """Yield marks in files outside a context's own folder, but for those that Hermes keeps for itself."""
    for home in homes(run.home):
        kept = {path for pattern in _KEPT for path in home.glob(pattern)}
        for path in sorted(home.rglob("*")):
            if path.is_file() and path not in kept and not (home == run.home and "profiles" in path.parts):
                where = f"file {path.relative_to(run.home)}"
                yield from run.marks.seen(NOBODY, where, path.read_text("utf-8", "replace"))
        for folder in home.glob("memories/contexts/*/"):
            yield from _in_context(run, folder)


def _in_context(run: Run, folder: Path) -> Iterator[Sighting]:
    """Yield the marks in a folder beyond those of the one chat that its label names."""
    label = json.loads((folder / "context.json").read_text())["context"]
    owner = run.on.owner(label)
    for path in folder.iterdir():
        yield from run.marks.seen(owner, f"file {path.relative_to(run.home)}", path.read_text())


def forgotten(run: Run) -> Iterator[str]:
    """Yield what a chat saved or said, and was not shown again."""
    for look in run.looks:
        asked = [request for request in run.requests if look.turn in json.dumps(request["messages"][-8:])]
        first = asked[0]["messages"] if asked else []
        prompt = text_of(first[0]["content"]) if first else ""
        if missing := look.saved - set(re.findall("|".join(look.saved), prompt)):
            yield f"{look.place.name}: {len(missing)} of {len(look.saved)} saved entries are not in the prompt"
        results = "".join(text_of(each["content"]) for each in (asked[-1]["messages"] if asked else ())
                          if each["role"] == "tool")  # fmt: skip
        if not any(mark in results for mark in look.said):
            yield f"{look.place.name}: session_search finds nothing of what was said here"


def summary(sightings: Iterable[Sighting]) -> str:
    """Return one line for each way, worst first, with an example."""
    ways = Counter(re.sub(r"signal:\S+|mattermost:\S+", "a chat", each.where) for each in sightings)
    return "\n".join(f"{count:6} {way}" for way, count in ways.most_common())
