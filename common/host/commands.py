"""`/adapters`: the operator's commands from a chat, for admins in direct messages, and the chat's own memory.

This module answers before the host sees the message. The host's own ways are no better, as measured up to 0.22.2: its
hook `post_gateway_admission` sees no command that the host does not know, and no message while the agent works; a
command registered by a plugin learns its sender only since 0.21.5, and while the agent works it redirects the agent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from ..core.authority import Rights
from ..core.chats import ChatRow, LiveChat, Status, find, overview
from ..core.errors import HardenedError
from ..core.policy import Policy
from ..core.wording import Foreign
from ..state.allowlist import RuntimeAllowlist
from ..state.chats import entries
from ..state.snapshot import Snapshot
from ..state.trace import entries as trace_entries
from . import people, profile
from .tenancy.managing import own

COMMAND = "/adapters"
_TRACED = 15
_MEMORY = "memory"
_USAGE = (
    f"{COMMAND} status | trace [number] | groups list | groups approve ID [reason] | groups revoke ID [reason]"
    f" | {_MEMORY} [forget NUMBER | forget all]"
)
_ORDERS = {"approve": Status.GRANTED, "revoke": Status.REVOKED}


class Connection(Protocol):
    """The part of either network's connection that commands use."""

    allowlist: RuntimeAllowlist
    policy: Policy

    def snapshot(self) -> Snapshot: ...

    async def chats(self) -> list[LiveChat]: ...

    async def approved(self, chat_id: str) -> None: ...

    async def flush(self) -> None: ...


async def answer(
    event: Any, rights: Rights, extra: Mapping[str, Any], connection: Connection, home: Path
) -> str | None:
    """Answer an event that is such a command; return None for any other. Call this only for allowed senders.

    `rights` are the sender's, `home` is the adapter's HERMES_HOME.
    """
    first, *words = (event.text or "").split(maxsplit=1) or [""]
    if first.lower() != COMMAND:
        return None
    command = "".join(words).split()
    try:
        if command[:1] == [_MEMORY]:
            if not rights.memory:
                return "⛔ Only people whom the operator listed may use this command."
            return await asyncio.to_thread(own.answer, event.source, command[1:], home)
        if not people.is_admin(event.source, extra):
            return "⛔ Only an admin (allow_admin_from) may use this command."
        if event.source.chat_type != "dm":
            return "Ask me in a direct message: the answer is not for everybody here."
        operator = _Operator(connection, profile.state_file(home), str(event.source.user_id))
        return await operator.carry_out(command)
    except HardenedError as exc:
        return f"That did not work: {exc}"


class _Operator:
    """Runs one command for an admin."""

    def __init__(self, connection: Connection, state: Path, admin: str) -> None:
        self._connection = connection
        self._state = state
        self._admin = admin

    async def carry_out(self, words: list[str]) -> str:
        match words:
            case ["status"]:
                now = time.time()
                return "\n".join(f"{label}: {value}" for label, value in self._connection.snapshot().rows(now))
            case ["trace", *count]:
                return await self._trace(int(count[0]) if count and count[0].isdecimal() else _TRACED)
            case ["groups", "list"]:
                return "\n".join(_line(row) for row in await self._overview()) or "none"
            case ["groups", ("approve" | "revoke") as act, chat, *why]:
                return await self._order(_ORDERS[act], chat, " ".join(why))
        return _USAGE

    async def _trace(self, count: int) -> str:
        network = self._connection.snapshot().network
        await self._connection.flush()
        found = [entry for entry in await asyncio.to_thread(trace_entries, self._state) if entry.network == network]
        return "\n".join(entry.line() for entry in found[-count:]) or "nothing yet"

    async def _overview(self) -> list[ChatRow]:
        network = self._connection.snapshot().network
        known = await asyncio.to_thread(entries, self._state, network)
        return overview(network, self._connection.policy, await self._connection.chats(), known)

    async def _order(self, status: Status, chat: str, why: str) -> str:
        row = find(chat, await self._overview(), self._connection.allowlist.pseudonym)
        if row is None:
            return "There is no such group or channel here; look at `groups list`."
        await self._connection.allowlist.order(row.id, status, self._admin, why)
        if status is Status.GRANTED:
            await self._connection.approved(row.id)
        return f"{Foreign(row.name) or row.id}: {status}"


def _line(row: ChatRow) -> str:
    sign, name = "✓" if row.served else "✗", Foreign(row.name) or "(no name)"
    return f"{sign} {name} {row.id} {row.membership}: {Foreign(row.because)}"
