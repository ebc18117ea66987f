"""`memory move|forget|adopt`: changes of what chats have stored. A running gateway sees them with its next access."""

from __future__ import annotations

import argparse

from ..common.core.errors import StateError
from ..common.host.tenancy.managing import editing
from ..common.host.tenancy.managing.overview import Overview
from ..common.tenancy.contexts import GLOBAL_WORD
from ..common.tenancy.inventory import Entry, Holding, Kind
from .memory_entries import confirmed, overview
from .output import say

_TO = "a chat (platform:id, id or name), a context, or `global`"


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `move ENTRY --to CHAT`, `forget CONTEXT [--yes]` and `adopt FOLDER --to CHAT`."""
    moving = actions.add_parser("move", help="move an entry to another chat")
    moving.add_argument("entry", help="the entry as `show` prints it, such as global/3")
    moving.add_argument("--to", required=True, metavar="CHAT", help=_TO)
    moving.set_defaults(run=_move)
    forgetting = actions.add_parser("forget", help="delete a context with all its entries")
    forgetting.add_argument("context", help="the context, its folder or its chat")
    forgetting.add_argument("--yes", action="store_true", help="do not ask")
    forgetting.set_defaults(run=_forget)
    adopting = actions.add_parser("adopt", help="move a folder without a label, such as a fork's, to a chat")
    adopting.add_argument("folder", help="the folder as `contexts` prints it")
    adopting.add_argument("--to", required=True, metavar="CHAT", help=_TO)
    adopting.set_defaults(run=_adopt)


def _move(arguments: argparse.Namespace) -> int:
    found = overview()
    source, entry = _entry(found, arguments.entry)
    context = found.target(arguments.to)
    if context == source.context and source.kind is not Kind.UNLABELLED:
        raise StateError(f"{arguments.entry} is there already")
    editing.move(entry, found.store_of(source), found.tenant.open(context))
    say(f"Moved to {context or GLOBAL_WORD}.")
    return 0


def _entry(found: Overview, spelled: str) -> tuple[Holding, Entry]:
    name, slash, number = spelled.rpartition("/")
    if not slash or not number.isdecimal() or len(number) > 6:
        raise StateError(f"{spelled} is no entry: give it as `memory show` prints it, such as global/3")
    holding = found.one(name)
    entry = holding.entry(int(number))
    if entry is None:
        raise StateError(f"{name} has no entry {number}: see `memory show`")
    return holding, entry


def _forget(arguments: argparse.Namespace) -> int:
    found = overview()
    holding = found.one(arguments.context)
    if holding.kind is Kind.GLOBAL:
        raise StateError("the memory of all chats is Hermes' own: delete its entries with `memory sort`")
    waits = f" and {len(holding.waiting)} waiting writes" if holding.waiting else ""
    what = f"{holding.name} with {len(holding.entries)} entries{waits}"
    if not arguments.yes and not confirmed(f"Delete {what} for good?"):
        say("Nothing was deleted.")
        return 1
    editing.delete(found.store_of(holding))
    say(f"Deleted {what}. Running conversations may still know them, until /new.")
    return 0


def _adopt(arguments: argparse.Namespace) -> int:
    found = overview()
    holding = found.one(arguments.folder)
    if holding.kind is not Kind.UNLABELLED:
        raise StateError(f"{arguments.folder} has a label; move its entries with `memory move`")
    if holding.unreadable:
        raise StateError(f"{', '.join(holding.unreadable)} in {holding.path} cannot be read; nothing was changed")
    context = found.target(arguments.to)
    editing.add(holding.entries, found.tenant.open(context))
    say(f"Moved {len(holding.entries)} entries to {context or GLOBAL_WORD}.")
    if not editing.vacate(found.store_of(holding)):
        say(f"There are other files in {holding.path}: they stay.", style="yellow")
    return 0
