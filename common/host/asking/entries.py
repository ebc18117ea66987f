"""What the host waits with, one class for each kind of question; each answers exactly its own entry."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from ..contract import table
from . import approvals


@dataclass(frozen=True, slots=True)
class Approval:
    """A command that waits for approval (tools/approval.py)."""

    session_key: str
    entry: Any

    def waits(self) -> bool:
        return approvals.waits(self.session_key, self.entry)

    async def answer(self, value: str, reason: str = "") -> bool:
        return approvals.resolve(self.session_key, self.entry, value, reason or None)

    def ended_with(self) -> str | None:
        result: str | None = self.entry.result
        return result


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A slash command that waits for a confirmation (tools/slash_confirm.py). `say` sends what the command answers."""

    session_key: str
    confirm_id: str
    say: Callable[[str], Awaitable[object]]

    def waits(self) -> bool:
        return (table.PENDING_CONFIRMATION(self.session_key) or {}).get("confirm_id") == self.confirm_id

    async def answer(self, value: str, reason: str = "") -> bool:
        if not self.waits():
            return False
        if said := await table.RESOLVE_CONFIRMATION(self.session_key, self.confirm_id, value):
            await self.say(said)
        return True

    def ended_with(self) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Question:
    """A question of the agent's (tools/clarify_gateway.py)."""

    session_key: str
    clarify_id: str

    def waits(self) -> bool:
        pending = table.PENDING_CLARIFY(self.session_key, include_choice_prompts=True)
        return pending is not None and pending.clarify_id == self.clarify_id

    async def answer(self, value: str, reason: str = "") -> bool:
        return bool(table.RESOLVE_CLARIFY(self.clarify_id, value))

    def ended_with(self) -> str | None:
        return None


@dataclass(slots=True)
class Choice:
    """What a slash command sets. `choose` carries it out, until `ends` on the monotonic clock."""

    choose: Callable[[str], Awaitable[None]]
    ends: float
    chosen: bool = False

    def waits(self) -> bool:
        return not self.chosen and time.monotonic() < self.ends

    async def answer(self, value: str, reason: str = "") -> bool:
        if not self.waits():
            return False
        self.chosen = True
        await self.choose(value)
        return True

    def ended_with(self) -> str | None:
        return None
