"""The runtime allowlist: the groups and channels the bot was invited into, and what the operator ordered about them.

The operator orders from outside the gateway: his orders stand in the audit, which a running gateway reads on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from .policy import Policy
from .store import Statement, Store, change, read


class Status(StrEnum):
    """What the bot makes of a group or channel."""

    KNOWN = "known"
    """Heard of; nobody who may has invited the bot."""
    APPROVED = "approved"
    """Invited into by somebody who may invite."""
    GRANTED = "granted"
    """Approved by the operator: holds until he says otherwise."""
    REVOKED = "revoked"
    """Barred by the operator, whatever the settings and invitations say."""
    BARRED = "barred"
    """Opened by somebody who may not, or by nobody knows whom: served only where the settings list it."""


_BY_ORDER = frozenset({Status.GRANTED, Status.REVOKED})


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


def _statements(network: str, chat_id: str, status: Status, by: str, why: str, at: float) -> list[Statement]:
    """What puts a chat's new status on disk, and takes down who wanted it, when and why."""
    return [
        ("INSERT OR REPLACE INTO chat_group VALUES (?, ?, ?, ?, ?)", (network, chat_id, status, by, at)),
        (
            "INSERT INTO audit (at, network, chat, status, by, why) VALUES (?, ?, ?, ?, ?, ?)",
            (at, network, chat_id, status, by, why),
        ),
    ]


def order(state: Path, network: str, chat_id: str, status: Status, by: str, why: str, at: float) -> None:
    """The operator's order from outside the gateway; raises StateError."""
    change(state, _statements(network, chat_id, status, by, why, at))


def entries(state: Path, network: str) -> dict[str, Entry]:
    """What a state file says of a network's chats, by their id; raises StateError."""
    why = "SELECT why FROM audit WHERE network = g.network AND chat = g.id ORDER BY audit.id DESC LIMIT 1"
    rows = read(state, f"SELECT id, status, by, at, ({why}) FROM chat_group g WHERE network = ?", (network,))
    return {chat_id: Entry(Status(status), by or "", at, why or "") for chat_id, status, by, at, why in rows}


def in_force(policy: Policy, book: Mapping[str, Entry]) -> Policy:
    """The settings' policy with what was approved and revoked at run time."""
    approved, revoked, barred = _sorted({chat_id: entry.status for chat_id, entry in book.items()})
    return policy.with_chats(approved, barred=revoked | (barred - policy.chats))


def _sorted(statuses: Mapping[str, Status]) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Who is approved, who is revoked, and who is barred."""
    approved = frozenset(c for c, status in statuses.items() if status in {Status.APPROVED, Status.GRANTED})
    revoked = frozenset(c for c, status in statuses.items() if status is Status.REVOKED)
    return approved, revoked, frozenset(c for c, status in statuses.items() if status is Status.BARRED)


class ChatBook:
    """The groups or channels of a network heard of so far, and those approved, on disk. `now` is Unix time."""

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._statuses: dict[str, Status] = {}
        self._read_up_to = 0
        self._ordered = False
        self.approved: frozenset[str] = frozenset()
        """The runtime allowlist."""
        self.revoked: frozenset[str] = frozenset()
        self.barred: frozenset[str] = frozenset()
        self.is_new = True
        """No run before this one has taken stock of the account's chats."""

    async def load(self) -> None:
        rows = await self._store.rows("SELECT id, status FROM chat_group WHERE network = ?", (self._network,))
        self._statuses = {chat_id: Status(status) for chat_id, status in rows}
        self._read_up_to = await self._last_audit()
        self.is_new = not await self._store.rows("SELECT 1 FROM meta WHERE key = ?", (f"{self._network} groups",))
        self._sort()

    async def refresh(self) -> list[str]:
        """Take over what was ordered since; the chats that were granted by it."""
        granted = []
        self._ordered = True
        while self._ordered:
            self._ordered = False
            await self._store.flush()
            rows = await self._store.rows(
                "SELECT id, chat, status FROM audit WHERE network = ? AND id > ? ORDER BY id",
                (self._network, self._read_up_to),
            )
            for number, chat_id, status in rows:
                self._read_up_to = number
                # What invitations changed, this book did itself; it may have changed its mind since.
                if status in _BY_ORDER:
                    self._statuses[chat_id] = Status(status)
                    granted += [chat_id] if status == Status.GRANTED else []
        self._sort()
        return granted

    async def _last_audit(self) -> int:
        ((last,),) = await self._store.rows("SELECT coalesce(max(id), 0) FROM audit") or [(0,)]
        return int(last)

    def knows(self, chat_id: str) -> bool:
        return chat_id in self._statuses

    def take_stock(self, chat_ids: list[str]) -> None:
        """Chats that were there before us: known, approved by nobody."""
        for chat_id in chat_ids:
            self.note(chat_id)
        self._store.write("INSERT OR REPLACE INTO meta VALUES (?, 'stocked')", (f"{self._network} groups",))
        self.is_new = False

    def note(self, chat_id: str) -> None:
        """The chat has been heard of; nothing that happens in it from now on is an invitation."""
        if chat_id not in self._statuses:
            self._set(chat_id, Status.KNOWN)
            self._store.write(
                "INSERT OR REPLACE INTO chat_group VALUES (?, ?, ?, NULL, ?)",
                (self._network, chat_id, Status.KNOWN, self._now()),
            )

    def approve(self, chat_id: str, by: str) -> None:
        """Put the chat somebody invited us into on the runtime allowlist, unless the operator revoked it."""
        if self._statuses.get(chat_id) not in _BY_ORDER:
            self._write(chat_id, Status.APPROVED, by, "invitation")

    def bar(self, chat_id: str, by: str) -> None:
        """Somebody who may not has opened the chat: it is not served until it is approved. What is approved stays."""
        if self._statuses.get(chat_id, Status.KNOWN) is Status.KNOWN:
            self._write(chat_id, Status.BARRED, by, "opened without approval")

    def order(self, chat_id: str, status: Status, by: str, why: str) -> None:
        """The operator's order from within the gateway."""
        self._ordered = True
        self._write(chat_id, status, by, why)

    def forget(self, chat_id: str) -> None:
        """We were removed: a new invitation starts from nothing. The operator's orders stand."""
        if self._statuses.get(chat_id) in _BY_ORDER:
            return
        if self._statuses.pop(chat_id, None) is not None:
            self._sort()
        self._store.write("DELETE FROM chat_group WHERE network = ? AND id = ?", (self._network, chat_id))

    def _write(self, chat_id: str, status: Status, by: str, why: str) -> None:
        self._set(chat_id, status)
        for statement, parameters in _statements(self._network, chat_id, status, by, why, self._now()):
            self._store.write(statement, parameters)

    def _set(self, chat_id: str, status: Status) -> None:
        self._statuses[chat_id] = status
        self._sort()

    def _sort(self) -> None:
        self.approved, self.revoked, self.barred = _sorted(self._statuses)
