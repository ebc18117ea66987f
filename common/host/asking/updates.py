"""The questions of `hermes update`, which runs in a process of its own and asks by files in HERMES_HOME.

Hermes forwards a question to the chat in which the update was started, and again after a restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import profile

logger = logging.getLogger(__name__)

_QUESTION, _ANSWER = ".update_prompt.json", ".update_response"
_LOOKS, _LOOK_SECONDS = 20, 0.1


def asker(session_key: str) -> str | None:
    """Return the user id that started the update of a session, None if unknown."""
    for name in (".update_pending.claimed.json", ".update_pending.json"):
        pending = _read(profile.home() / name)
        if pending.get("session_key") == session_key:
            return str(pending.get("user_id"))
    return None


def waiting(prompt: str) -> str | None:
    """Return the id of the question that the update waits with, None if it is another one."""
    asked = _read(profile.home() / _QUESTION)
    return str(asked["id"]) if asked.get("prompt") == prompt and asked.get("id") else None


@dataclass(frozen=True, slots=True)
class Update:
    """A question of `hermes update`. `forwarded` returns the sessions of which the host takes any text as an answer."""

    session_key: str
    question_id: str
    home: Path
    forwarded: Callable[[], MutableMapping[str, Any] | None]

    def waits(self) -> bool:
        return _read(self.home / _QUESTION).get("id") == self.question_id

    async def answer(self, value: str, reason: str = "") -> bool:
        if not self.waits():
            return False
        try:
            await asyncio.to_thread(_write, self.home, value)
        except OSError as exc:
            logger.error("the update did not get its answer (%s)", type(exc).__name__)
            return False
        # The host notes that it forwarded a question once that is sent: the answer may be faster.
        for _ in range(_LOOKS):
            if (forwarded := self.forwarded()) is None or forwarded.pop(self.session_key, None):
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def ended_with(self) -> str | None:
        return None


def _write(home: Path, value: str) -> None:
    """Answer as the host does (gateway/run.py): the update never reads half an answer."""
    answer = home / _ANSWER
    unfinished = answer.with_suffix(".tmp")
    unfinished.write_text(value, encoding="utf-8")
    unfinished.replace(answer)
    (home / _QUESTION).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
