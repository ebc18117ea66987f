"""`memory sort`: walks the operator through the memory of all chats.

Each decision is carried out at once, so that the walk can stop anywhere and go on another day.
"""

from __future__ import annotations

import argparse
from collections import Counter
from enum import StrEnum

from ..common.core.errors import HardenedError, StateError
from ..common.host.profile import state_file
from ..common.host.tenancy.managing import editing
from ..common.host.tenancy.managing.overview import Overview
from ..common.tenancy.inventory import Entry, Holding, Kind
from ..common.tenancy.kept import Kept
from .memory_entries import ask, confirmed, overview, print_entry
from .output import say

_QUESTION = "k keep for all chats, m move to a chat, d delete, s skip, q stop"


class _Decision(StrEnum):
    KEPT = "kept"
    MOVED = "moved"
    DELETED = "deleted"
    SKIPPED = "skipped"


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `sort [--again]`."""
    sorting = actions.add_parser("sort", help="go through the entries that every chat reads: keep, move or delete")
    sorting.add_argument("--again", action="store_true", help="ask about entries that were kept before, too")
    sorting.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    found = overview()
    (source,) = (each for each in found.holdings if each.kind is Kind.GLOBAL)
    if source.unreadable:
        raise StateError(f"{', '.join(source.unreadable)} in {source.path} cannot be read")
    walk = _Walk(found, source, Kept(state_file(found.home).parent))
    waiting = [entry for entry in source.entries if arguments.again or entry not in walk.kept]
    done: Counter[_Decision] = Counter()
    status = 0
    try:
        for number, entry in enumerate(waiting, 1):
            print_entry(f"{number} of {len(waiting)}", entry)
            decision = walk.decide(entry)
            if decision is None:
                break
            done[decision] += 1
    except EOFError:
        pass
    except KeyboardInterrupt:
        status = 130
    left = len(waiting) - done.total() + done[_Decision.SKIPPED]
    counts = ", ".join(f"{done[each]} {each}" for each in _Decision if done[each] and each is not _Decision.SKIPPED)
    rest = f"{left} left: run it again to go on" if left else "nothing is left to sort"
    say(f"{counts}; {rest}." if counts else f"{rest[0].upper()}{rest[1:]}.")
    return status


class _Walk:
    """Asks about one entry after the other. Raises EOFError at the end of the input."""

    def __init__(self, found: Overview, source: Holding, kept: Kept) -> None:
        self._found = found
        self._source = source
        self._tenant = found.tenant
        self.kept = kept

    def decide(self, entry: Entry) -> _Decision | None:
        """Ask until a decision is carried out, and return it; None if the operator stops."""
        while True:
            try:
                match ask(_QUESTION).lower():
                    case "k":
                        self.kept.add(entry)
                        return _Decision.KEPT
                    case "m" if (context := self._chosen()) is not None:
                        editing.move(entry, self._found.store_of(self._source), self._tenant.open(context))
                        say(f"Moved to {context}.")
                        return _Decision.MOVED
                    case "d" if confirmed("Delete it for good?"):
                        editing.remove(entry, self._found.store_of(self._source))
                        return _Decision.DELETED
                    case "s":
                        return _Decision.SKIPPED
                    case "q":
                        return None
            except (HardenedError, OSError) as exc:
                say(f"Nothing was changed: {exc}", style="red")

    def _chosen(self) -> str | None:
        """Let the operator choose a context; None if they go back. Raises StateError for one that cannot be."""
        contexts = self._found.contexts()
        for number, (context, chats) in enumerate(contexts.items(), 1):
            say(f"  {number}  {context}" + (f": {', '.join(map(str, chats))}" if chats else ""))
        answer = ask("A number, or a chat (platform:id, id or name); empty to go back")
        if not answer:
            return None
        if answer.isdecimal() and len(answer) <= 6 and 0 < int(answer) <= len(contexts):
            return list(contexts)[int(answer) - 1]
        if not (context := self._found.target(answer)):
            raise StateError("that is the memory of all chats: answer k to keep it there")
        return context
