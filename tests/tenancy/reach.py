"""All that an attacker could have guessed: every id and path of every chat, but no words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

_WITH_WORDS = (
    *("memories/**/*.md", "memories/**/pending/*.json", "pending/**/*.json"),
    *("state.db", "hardened_adapters/state.db", "sessions/*", "logs/*.log"),
    *("cron/jobs.json", "cron/output/**/*.md", "cache/delegation/**/*"),
    *("skills/*/SKILL.md", "skills/*/*/SKILL.md"),
)


def homes(home: Path) -> list[Path]:
    """Return a HERMES_HOME and those of its other profiles."""
    return [home, *sorted(home.glob("profiles/*"))]


def jobs(home: Path) -> list[dict[str, Any]]:
    """Return the scheduled jobs of all profiles, as stored."""
    found: list[dict[str, Any]] = []
    for each in homes(home):
        with suppress(OSError, ValueError):
            found += json.loads((each / "cron" / "jobs.json").read_text())["jobs"]
    return found


def elsewhere(job: Mapping[str, Any]) -> list[str]:
    """Return the targets of a stored job besides the chat in which it was made."""
    own, thread = made_in(job), (job.get("origin") or {}).get("thread_id")
    targets = [each for name in ("deliver", "failure_deliver") for each in _listed(job.get(name))]
    return [each for each in targets if each not in {"origin", "local", own, f"{own}:{thread}"}]


def made_in(job: Mapping[str, Any]) -> str:
    """Return the chat in which a stored job was made, as platform and id."""
    origin = job.get("origin") or {}
    return f"{origin.get('platform')}:{origin.get('chat_id')}"


def _listed(targets: object) -> list[str]:
    items = targets if isinstance(targets, list) else str(targets or "").split(",")
    return [text for each in items if (text := str(each).strip())]


@dataclass(frozen=True)
class Reach:
    """The ids and paths of one moment."""

    home: Path

    @cached_property
    def sessions(self) -> list[str]:
        """The ids of all stored sessions."""
        return [str(session) for session, _ in self._rows("SELECT id, NULL FROM sessions")]

    @cached_property
    def messages(self) -> list[tuple[str, int]]:
        """The last message of every session."""
        rows = self._rows("SELECT session_id, MAX(id) FROM messages GROUP BY session_id")
        return [(str(session), int(message)) for session, message in rows]

    @cached_property
    def jobs(self) -> list[tuple[str, str]]:
        """The scheduled jobs: the chat in which each was made, as platform and id, and the job's id."""
        return [(made_in(job), str(job["id"])) for job in jobs(self.home)]

    @cached_property
    def waiting(self) -> list[tuple[str, str]]:
        """The memory writes that wait for approval: the context, empty in Hermes' own queue, and the id."""
        found = [("", path.stem) for home in homes(self.home) for path in home.glob("pending/memory/*.json")]
        for path in (each for home in homes(self.home) for each in home.glob("memories/contexts/*/pending/*.json")):
            found.append((json.loads((path.parents[1] / "context.json").read_text())["context"], path.stem))
        return found

    @cached_property
    def files(self) -> list[Path]:
        """Files that hold words of chats."""
        return [path for home in homes(self.home) for each in _WITH_WORDS for path in sorted(home.glob(each))
                if path.is_file()]  # fmt: skip

    @cached_property
    def memories(self) -> list[Path]:
        """Files of memory, and where they would be."""
        known = [path for path in self.files if "memories" in path.parts]
        return known + [home / "memories" / name for home in homes(self.home) for name in ("MEMORY.md", "USER.md")]

    def _rows(self, query: str) -> Iterator[tuple[Any, Any]]:
        for home in homes(self.home):
            with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True)) as base:
                yield from base.execute(query)
