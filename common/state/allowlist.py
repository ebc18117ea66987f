"""The runtime allowlist: the groups and channels the bot was invited into, and the operator's orders about them.

The operator may give orders from outside the gateway; a running gateway finds them in the audit table. Its memory may
be behind the file, so every statement names the statuses that it may replace.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

from ..core.bounded import Bounded
from ..core.chats import SERVED, Status, with_status
from ..core.errors import StateError
from . import audit, chats, meta
from .orders import ChatOrder
from .store import Store, change

KEEP_KNOWN = 20_000
_WHY_CHARACTERS = 500
_PRUNE_AUDIT_EVERY = 200
_BY_ORDER = frozenset({Status.GRANTED, Status.REVOKED})


def order(state: Path, network: str, chat_id: str, status: Status, by: str, why: str, at: float) -> None:
    """Carry out the operator's order from outside the gateway; raise StateError unless it is on disk."""
    change(state, chats.write(ChatOrder(network, chat_id, status, by, why[:_WHY_CHARACTERS], at), Status))


class RuntimeAllowlist:
    """A network's groups or channels with a status, in memory and on disk. `now` is Unix time."""

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._known: Bounded[str, None] = Bounded(KEEP_KNOWN)
        self._statuses: dict[str, Status] = {}
        """The chats that are neither merely known nor blocked."""
        self._read_up_to = 0
        """The number of the last audit entry that was read."""
        self._granted: list[str] = []
        """The chats granted since the last `refresh`."""
        self._reading = asyncio.Lock()
        self._audited = 0
        self.approved: frozenset[str] = frozenset()
        """The chats on the runtime allowlist."""
        self.revoked: frozenset[str] = frozenset()
        self.blocked: Bounded[str, None] = Bounded(KEEP_KNOWN)
        """Chats opened by somebody without the right to do so. Callers must except those that the settings list."""
        self.is_new = True
        """True until some run has listed the account's chats."""

    async def load(self) -> None:
        """Read the statuses of earlier runs; raise StateError, also while some still wait for the disk."""
        if not await self._store.flush():
            raise StateError(f"recent orders cannot be written to {self._store.path}")
        # Before the statuses: an order given in between is then read twice, not missed.
        self._read_up_to = await audit.last_number(self._store)
        self._known.clear()
        self.blocked.clear()
        self._statuses.clear()
        for chat_id, status in await chats.load(self._store, self._network):
            match status:
                case Status.KNOWN:
                    self._add_known(chat_id)
                case Status.BLOCKED:
                    self._add_blocked(chat_id)
                case other:
                    self._statuses[chat_id] = other
        self.is_new = await meta.load(self._store, self._listed_key) is None
        self._update_sets()

    async def refresh(self) -> list[str]:
        """Apply the orders given since the last call; return the chats granted by them. Raise StateError."""
        await self._read_orders()
        granted, self._granted = self._granted, []
        return granted

    async def _read_orders(self) -> None:
        async with self._reading:
            for number, chat_id, status in await audit.since(self._store, self._network, self._read_up_to):
                self._read_up_to = number
                # The other statuses were set by this process, and memory may already be ahead of the audit.
                if status in _BY_ORDER:
                    self._set(chat_id, Status(status))
                    self._granted += [chat_id] if status == Status.GRANTED else []

    def pseudonym(self, identity: str) -> str:
        """Return the pseudonym of a chat or a person for logs."""
        return self._store.pseudonym(identity)

    def knows(self, chat_id: str) -> bool:
        """Return True if the chat has any status; events in it are then no invitations."""
        return chat_id in self._known or chat_id in self.blocked or chat_id in self._statuses

    def mark_preexisting(self, chat_ids: list[str]) -> None:
        """First run only: record the chats already present, so that they do not count as new invitations."""
        for chat_id in chat_ids:
            self.mark_known(chat_id)
        self._store.keep(meta.put(self._listed_key, "stocked"))
        self.is_new = False

    def mark_known(self, chat_id: str) -> None:
        """Record that the chat exists, so that later events in it do not count as an invitation."""
        if not self.knows(chat_id):
            self._add_known(chat_id)
            self._store.keep(chats.add_known(self._network, chat_id, self._now()))

    def approve(self, chat_id: str, by: str) -> None:
        """Put a chat on the runtime allowlist because of an invitation. The operator's orders stay in force."""
        if self._statuses.get(chat_id) not in _BY_ORDER:
            self._write(chat_id, Status.APPROVED, by, "invitation", (Status.KNOWN, *chats.BY_INVITATION))

    def block(self, chat_id: str, by: str) -> None:
        """Stop serving a chat that somebody without the right to do so opened. An approved chat stays approved."""
        if chat_id not in self._statuses and chat_id not in self.blocked:
            self._write(chat_id, Status.BLOCKED, by, "opened without approval", {Status.KNOWN})

    async def order(self, chat_id: str, status: Status, by: str, why: str) -> None:
        """Carry out the operator's order from within the gateway; raise StateError unless it is on disk.

        A revocation that cannot be written takes effect in memory, and the write is retried.
        """
        statements = chats.write(self._order(chat_id, status, by, why[:_WHY_CHARACTERS]), Status)
        try:
            await self._store.change(*statements)
        except StateError as exc:
            if status is not Status.REVOKED:
                raise
            # Fail closed: the chat is not served from now on, whatever the disk does.
            self._set(chat_id, status)
            self._store.keep(*statements)
            raise StateError(
                f"it is revoked, but would not be after a restart: it could not be written: {exc}"
            ) from exc
        try:
            await self._read_orders()
        except StateError:
            # The order itself is on disk; only reading the audit failed.
            self._set(chat_id, status)
        # The caller knows about this one, so `refresh` must not report it.
        self._granted = [granted for granted in self._granted if granted != chat_id]

    def remove(self, chat_id: str) -> None:
        """Remove a chat that the bot has left, so that it needs a new invitation. The operator's orders stay."""
        self._known.pop(chat_id, None)
        self.blocked.pop(chat_id, None)
        if self._statuses.get(chat_id) is Status.APPROVED:
            del self._statuses[chat_id]
            self._update_sets()
        self._delete(chat_id, Status.KNOWN, *chats.BY_INVITATION)

    def _order(self, chat_id: str, status: Status | None, by: str, why: str) -> ChatOrder:
        return ChatOrder(self._network, chat_id, status, by, why, self._now())

    def _delete(self, chat_id: str, *over: Status) -> None:
        self._store.keep(*chats.remove(self._order(chat_id, None, "", "removed"), over))

    def _write(self, chat_id: str, status: Status, by: str, why: str, over: Iterable[Status]) -> None:
        self._set(chat_id, status)
        self._store.keep(*chats.write(self._order(chat_id, status, by, why), over))
        self._audited += 1
        if self._audited % _PRUNE_AUDIT_EVERY == 0:
            self._store.write_later(audit.PRUNE)

    def _add_known(self, chat_id: str) -> None:
        if dropped := self._known.put(chat_id, None):
            self._delete(dropped[0], Status.KNOWN)

    def _add_blocked(self, chat_id: str) -> None:
        if dropped := self.blocked.put(chat_id, None):
            self._delete(dropped[0], Status.BLOCKED)

    def _set(self, chat_id: str, status: Status) -> None:
        self._known.pop(chat_id, None)
        if status is Status.BLOCKED:
            self._add_blocked(chat_id)
            return
        self.blocked.pop(chat_id, None)
        self._statuses[chat_id] = status
        self._update_sets()

    def _update_sets(self) -> None:
        self.approved = with_status(SERVED, self._statuses)
        self.revoked = with_status({Status.REVOKED}, self._statuses)

    @property
    def _listed_key(self) -> str:
        return f"{self._network} groups"
