"""The runtime allowlist: the groups and channels the bot was invited into, and what the operator ordered about them.

The operator orders from outside the gateway: those orders are in the audit, which a running gateway reads on. What
memory knows decides nothing on disk: every statement says over which status it may write.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ..core.errors import StateError
from ..core.policy import Policy
from .database import AUDITED, Statement
from .orders import ChatOrder
from .orders import Status as Status
from .schema import BOUND_AUDIT
from .store import Store, change, read

KEEP_KNOWN = 20_000
_WHY_CHARACTERS = 500
_BOUND_AUDIT_EVERY = 200
_BY_ORDER = frozenset({Status.GRANTED, Status.REVOKED})
_JUDGED = (Status.APPROVED, Status.BARRED)
"""By what somebody did, not by the operator."""
_DELETE = "DELETE FROM chat_group WHERE network = ? AND id = ? AND status = ?"


@dataclass(frozen=True, slots=True)
class Entry:
    """A chat's status: who gave it (empty for nobody), when (Unix time) and why."""

    status: Status
    by: str
    at: float
    why: str

    def account(self) -> str:
        """By whom, when and why, for people."""
        day = datetime.fromtimestamp(self.at).astimezone().strftime("%d %b %Y")
        return f"by {self.by or 'nobody'}, {day}" + (f": {self.why}" if self.why else "")


def _statements(order: ChatOrder, over: Iterable[Status]) -> tuple[Statement, Statement]:
    """What puts a chat's new status on disk and into the audit, where there is none yet or one of `over`."""
    writable = ", ".join(f"'{status}'" for status in over)
    upsert = (
        "INSERT INTO chat_group VALUES (?, ?, ?, ?, ?) ON CONFLICT (network, id)"
        " DO UPDATE SET status = excluded.status, by = excluded.by, at = excluded.at"
        f" WHERE chat_group.status IN ({writable})"
    )
    return (
        (upsert, (order.network, order.chat, order.status, order.by, order.at), order),
        (AUDITED, (order.at, order.network, order.chat, order.status, order.by, order.why)),
    )


def order(state: Path, network: str, chat_id: str, status: Status, by: str, why: str, at: float) -> None:
    """The operator's order from outside the gateway; raises StateError unless it is on disk."""
    change(state, _statements(ChatOrder(network, chat_id, status, by, why[:_WHY_CHARACTERS], at), Status))


def entries(state: Path, network: str) -> dict[str, Entry]:
    """What a state file says of a network's chats, by their id; raises StateError."""
    why = "SELECT why FROM audit WHERE network = g.network AND chat = g.id ORDER BY audit.id DESC LIMIT 1"
    rows = read(state, f"SELECT id, status, by, at, ({why}) FROM chat_group g WHERE network = ?", (network,))
    return {chat_id: Entry(Status(status), by or "", at, why or "") for chat_id, status, by, at, why in rows}


_SERVED = frozenset({Status.APPROVED, Status.GRANTED})


def in_force(policy: Policy, book: Mapping[str, Entry]) -> Policy:
    """The settings' policy with what was approved, barred and revoked at run time."""
    statuses = {chat_id: entry.status for chat_id, entry in book.items()}
    barred = _with({Status.BARRED}, statuses) - policy.chats
    return policy.with_chats(_with(_SERVED, statuses), barred=barred | _with({Status.REVOKED}, statuses))


def _with(wanted: Iterable[Status], statuses: Mapping[str, Status]) -> frozenset[str]:
    wanted = frozenset(wanted)
    return frozenset(chat_id for chat_id, status in statuses.items() if status in wanted)


class RuntimeAllowlist:
    """The groups or channels of a network heard of so far, and those approved, on disk. `now` is Unix time."""

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._known: OrderedDict[str, None] = OrderedDict()
        """Merely known, the oldest first."""
        self._statuses: dict[str, Status] = {}
        """Of all others but the barred."""
        self._read_up_to = 0
        self._granted: list[str] = []
        self._reading = asyncio.Lock()
        self._audited = 0
        self.approved: frozenset[str] = frozenset()
        """The runtime allowlist."""
        self.revoked: frozenset[str] = frozenset()
        self.barred: OrderedDict[str, None] = OrderedDict()
        """Opened by somebody who may not, the oldest first; what the settings list is nobody's to bar."""
        self.is_new = True
        """No run before this one has taken stock of the account's chats."""

    async def load(self) -> None:
        """Read what earlier runs left; raises StateError, also where some of it still waits for the disk."""
        if not await self._store.flush():
            raise StateError(f"what was permitted and forbidden of late cannot be written to {self._store.path}")
        self._read_up_to = await self._last_audit()
        query = "SELECT id, status FROM chat_group WHERE network = ? ORDER BY at, id"
        self._known.clear()
        self.barred.clear()
        self._statuses.clear()
        for chat_id, status in await self._store.rows(query, (self._network,)):
            match Status(status):
                case Status.KNOWN:
                    self._know(chat_id)
                case Status.BARRED:
                    self._bar(chat_id)
                case other:
                    self._statuses[chat_id] = other
        self.is_new = not await self._store.rows("SELECT 1 FROM meta WHERE key = ?", (f"{self._network} groups",))
        self._sort()

    async def refresh(self) -> list[str]:
        """Take over what was ordered since; the chats that were granted by it. Raises StateError."""
        await self._read_orders()
        granted, self._granted = self._granted, []
        return granted

    async def _read_orders(self) -> None:
        async with self._reading:
            rows = await self._store.rows(
                "SELECT id, chat, status FROM audit WHERE network = ? AND id > ? ORDER BY id",
                (self._network, self._read_up_to),
            )
            for number, chat_id, status in rows:
                self._read_up_to = number
                # What invitations changed, this book did itself; it may have changed its mind since.
                if status in _BY_ORDER:
                    self._set(chat_id, Status(status))
                    self._granted += [chat_id] if status == Status.GRANTED else []

    async def _last_audit(self) -> int:
        ((last,),) = await self._store.rows("SELECT coalesce(max(id), 0) FROM audit")
        return int(last)

    def pseudonym(self, identity: str) -> str:
        """What a chat or a person is called in logs."""
        return self._store.pseudonym(identity)

    def knows(self, chat_id: str) -> bool:
        return chat_id in self._known or chat_id in self.barred or chat_id in self._statuses

    def mark_preexisting(self, chat_ids: list[str]) -> None:
        """Chats that were there before us: known, approved by nobody."""
        for chat_id in chat_ids:
            self.note(chat_id)
        self._store.keep(("INSERT OR REPLACE INTO meta VALUES (?, 'stocked')", (f"{self._network} groups",)))
        self.is_new = False

    def note(self, chat_id: str) -> None:
        """The chat has been heard of; nothing that happens in it from now on is an invitation."""
        if not self.knows(chat_id):
            self._know(chat_id)
            values = (self._network, chat_id, Status.KNOWN, self._now())
            self._store.keep(("INSERT OR IGNORE INTO chat_group VALUES (?, ?, ?, NULL, ?)", values))

    def approve(self, chat_id: str, by: str) -> None:
        """Put the chat somebody invited us into on the runtime allowlist, unless the operator revoked it."""
        if self._statuses.get(chat_id) not in _BY_ORDER:
            self._write(chat_id, Status.APPROVED, by, "invitation", (Status.KNOWN, *_JUDGED))

    def bar(self, chat_id: str, by: str) -> None:
        """Somebody who may not has opened the chat: it is not served until it is approved. What is approved stays."""
        if chat_id not in self._statuses and chat_id not in self.barred:
            self._write(chat_id, Status.BARRED, by, "opened without approval", {Status.KNOWN})

    async def order(self, chat_id: str, status: Status, by: str, why: str) -> None:
        """The operator's order from within the gateway. Raises StateError unless it is on disk.

        A revocation that cannot be written holds in memory all the same, and is tried again.
        """
        statements = _statements(
            ChatOrder(self._network, chat_id, status, by, why[:_WHY_CHARACTERS], self._now()), Status
        )
        try:
            await self._store.change(*statements)
        except StateError as exc:
            if status is not Status.REVOKED:
                raise
            self._set(chat_id, status)
            self._store.keep(*statements)
            raise StateError(f"it is revoked, but would not be after a restart, until that is written: {exc}") from exc
        try:
            await self._read_orders()
        except StateError:
            self._set(chat_id, status)
        self._granted = [granted for granted in self._granted if granted != chat_id]

    def forget(self, chat_id: str) -> None:
        """We were removed: a new invitation starts from nothing. The operator's orders stand."""
        self._known.pop(chat_id, None)
        self.barred.pop(chat_id, None)
        if self._statuses.get(chat_id) is Status.APPROVED:
            del self._statuses[chat_id]
            self._sort()
        self._drop(chat_id, Status.KNOWN, *_JUDGED)

    def _drop(self, chat_id: str, *over: Status) -> None:
        forgotten = ChatOrder(self._network, chat_id, None, "", "removed", self._now())
        self._store.keep(
            *(
                (_DELETE, (self._network, chat_id, status), *((forgotten,) if status in _JUDGED else ()))
                for status in over
            )
        )

    def _write(self, chat_id: str, status: Status, by: str, why: str, over: Iterable[Status]) -> None:
        self._set(chat_id, status)
        self._store.keep(*_statements(ChatOrder(self._network, chat_id, status, by, why, self._now()), over))
        self._audited += 1
        if self._audited % _BOUND_AUDIT_EVERY == 0:
            self._store.write_later(BOUND_AUDIT)

    def _know(self, chat_id: str) -> None:
        self._known[chat_id] = None
        if len(self._known) > KEEP_KNOWN:
            oldest, _ = self._known.popitem(last=False)
            self._drop(oldest, Status.KNOWN)

    def _bar(self, chat_id: str) -> None:
        self.barred[chat_id] = None
        if len(self.barred) > KEEP_KNOWN:
            oldest, _ = self.barred.popitem(last=False)
            self._drop(oldest, Status.BARRED)

    def _set(self, chat_id: str, status: Status) -> None:
        self._known.pop(chat_id, None)
        if status is Status.BARRED:
            self._bar(chat_id)
            return
        self.barred.pop(chat_id, None)
        self._statuses[chat_id] = status
        self._sort()

    def _sort(self) -> None:
        self.approved = _with(_SERVED, self._statuses)
        self.revoked = _with({Status.REVOKED}, self._statuses)
