"""The table of the latest decisions, which explains why a message was not answered. Holds no text and no identity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.events import Decision, Dispatch, Ignore, Inbound, Observe
from .database import read

if TYPE_CHECKING:
    from .store import Store

KEEP_ROWS = 2_000
_PRUNE_EVERY = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """One decision. `at` is Unix time, `chat` and `who` are pseudonyms, `event` is the network's message id."""

    number: int
    at: float
    network: str
    chat: str
    who: str
    event: str
    verdict: str
    rule: int
    reason: str

    def time(self) -> str:
        """Return the time of the decision in the local time zone."""
        return datetime.fromtimestamp(self.at).astimezone().strftime("%d %b %H:%M:%S")

    def place(self) -> str:
        """Return the chat for display."""
        return "(direct)" if self.chat == self.who else self.chat

    def line(self) -> str:
        """Return the entry as one line, without its network."""
        rule = f" by rule {self.rule}" if self.rule else ""
        return f"{self.time()} {self.place()} {self.who}: {self.verdict}{rule}, {self.reason} ({self.event})"


def entries(state: Path, *, after: int = 0) -> list[Entry]:
    """Return the entries of a state file numbered above `after`, the oldest first; raise StateError."""
    columns = "rowid, at, network, chat, who, event, verdict, rule, reason"
    return [Entry(*row) for row in read(state, f"SELECT {columns} FROM trace WHERE rowid > ? ORDER BY rowid", (after,))]


class Trace:
    """Records and counts the decisions of one network. `now` is Unix time."""

    def __init__(self, store: Store, network: str, now: Callable[[], float]) -> None:
        self._store = store
        self._network = network
        self._now = now
        self._recorded = 0
        self.counts: Counter[str] = Counter()

    def pseudonym(self, identity: str) -> str:
        """Return the pseudonym of a person or a chat for the trace and logs."""
        return self._store.pseudonym(identity)

    def decided(self, inbound: Inbound, decision: Decision) -> None:
        """Record a decision. One about a message without content (a receipt, typing) is only counted."""
        verdict = _verdict(decision)
        self.counts[f"{verdict} {decision.reason}"] += 1
        if not inbound.contentless:
            self._row(inbound, verdict, decision.rule, decision.reason)

    def noted(self, inbound: Inbound, verdict: str, reason: str) -> None:
        """Record an event that is not a decision about a text, such as an invitation."""
        self.counts[f"{verdict} {reason}"] += 1
        self._row(inbound, verdict, 0, reason)

    def _row(self, inbound: Inbound, verdict: str, rule: int, reason: str) -> None:
        who = self.pseudonym(inbound.sender.id or inbound.sender.number or "")
        self._store.write_later(
            "INSERT INTO trace VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                self._now(),
                self._network,
                self.pseudonym(inbound.chat.id) or who,
                who,
                inbound.message_id,
                verdict,
                rule,
                reason,
            ),
        )
        self._recorded += 1
        if self._recorded % _PRUNE_EVERY == 1:
            self._store.write_later(
                "DELETE FROM trace WHERE rowid <= (SELECT max(rowid) FROM trace) - ?",
                (KEEP_ROWS,),
            )


def _verdict(decision: Decision) -> str:
    match decision:
        case Dispatch():
            return "dispatch"
        case Observe():
            return "observe"
        case Ignore():
            return "ignore"
