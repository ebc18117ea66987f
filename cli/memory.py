"""`memory contexts|show|export`: what chats have stored, and what all chats read."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.text import Text

from ..common.core.errors import StateError
from ..common.host.tenancy.managing.overview import Overview
from ..common.tenancy.inventory import Entry, Holding, Kind
from . import memory_changes, memory_sort
from .memory_entries import overview, print_entry
from .output import Rows, console, say, write_json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `memory contexts|show|move|forget|adopt|export|sort`."""
    parser = commands.add_parser("memory", help="see, move, delete and export what chats have stored")
    actions = parser.add_subparsers(title="actions", metavar="action", required=True)
    listing = actions.add_parser("contexts", help="list every context with its chats, entries, size and last use")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=_contexts)
    showing = actions.add_parser("show", help="print the entries, numbered, and what waits for approval")
    showing.add_argument("context", nargs="?", help="only this context, folder or chat; `global` for that of all chats")
    showing.add_argument("--json", action="store_true", help="print JSON instead of lines")
    showing.set_defaults(run=_show)
    memory_changes.add(actions)
    exporting = actions.add_parser("export", help="print all entries as one JSON document")
    exporting.add_argument("context", nargs="?", help="only this context, folder or chat")
    exporting.add_argument("--output", type=Path, metavar="FILE", help="write a new file instead")
    exporting.set_defaults(run=_export)
    memory_sort.add(actions)


# -- listing


def _contexts(arguments: argparse.Namespace) -> int:
    found = overview()
    if arguments.json:
        write_json([_summary(found, holding) for holding in found.holdings])
    else:
        console().print(_table(found))
    return _faults(found)


def _summary(found: Overview, holding: Holding) -> dict[str, Any]:
    chats = found.chats_of(holding)
    return {
        "name": holding.name,
        "kind": holding.kind,
        "context": holding.context or None,
        "folder": str(holding.path),
        "chats": [{"chat": each.key, "name": each.name, "type": each.chat.chat_type} for each in chats],
        "entries": len(holding.entries),
        "waiting": len(holding.waiting),
        "bytes": holding.size,
        "last_use": found.last_use(holding) or None,
        "unreadable": holding.unreadable,
    }


def _table(found: Overview) -> Rows:
    result = Rows(box=None, pad_edge=False)
    for heading in ("context", "chats", "entries", "size", "last use"):
        result.add_column(heading, no_wrap=heading != "chats", overflow="fold", justify="left")
    for holding in found.holdings:
        cells = (
            holding.name,
            _chats(found, holding),
            "unreadable" if holding.unreadable else _counts(holding),
            f"{holding.size:,} B",
            _when(found.last_use(holding)),
        )
        result.add_row(*map(Text, cells))
    return result


def _counts(holding: Holding) -> str:
    waits = len(holding.waiting)
    return f"{len(holding.entries)}, {waits} waiting" if waits else str(len(holding.entries))


def _chats(found: Overview, holding: Holding) -> str:
    chats = ", ".join(map(str, found.chats_of(holding)))
    match holding.kind:
        case Kind.GLOBAL:
            return "all"
        case Kind.UNLABELLED:
            return f"unlabelled; perhaps {chats}" if chats else "unlabelled"
        case Kind.CONTEXT:
            return chats or "none known"


def _when(moment: float) -> str:
    return time.strftime("%d %b %Y %H:%M", time.localtime(moment)) if moment else "never"


# -- entries


def _show(arguments: argparse.Namespace) -> int:
    found = overview()
    holdings = found.found(arguments.context) if arguments.context else found.holdings
    if arguments.json:
        write_json([_document(found, holding) for holding in holdings])
        return _faults(found)
    for holding in holdings:
        say(f"{holding.name}: {_chats(found, holding)}", style="bold")
        for file in holding.unreadable:
            say(f"    {file} cannot be read", style="yellow")
        for number, entry in enumerate(holding.entries, 1):
            print_entry(f"{holding.name}/{number}", entry)
        for write in holding.waiting:
            print_entry(f"{holding.name} waiting {write.id}", Entry(write.target, write.text))
    if not any(holding.entries or holding.waiting for holding in holdings):
        say("Nothing is stored.")
    return _faults(found)


def _export(arguments: argparse.Namespace) -> int:
    found = overview()
    holdings = found.found(arguments.context) if arguments.context else found.holdings
    document = {"exported_at": time.time(), "memory": [_document(found, holding) for holding in holdings]}
    if arguments.output is None:
        write_json(document)
        return _faults(found)
    try:
        descriptor = os.open(arguments.output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(document, file, indent=1)
    except OSError as exc:
        raise StateError(f"{arguments.output} cannot be written: {exc.strerror}") from exc
    say(f"Wrote {arguments.output}.")
    return _faults(found)


def _document(found: Overview, holding: Holding) -> Mapping[str, Any]:
    numbered = [
        {"entry": f"{holding.name}/{number}", "target": entry.target, "text": entry.text}
        for number, entry in enumerate(holding.entries, 1)
    ]
    waiting = [
        {"id": each.id, "target": each.target, "text": each.text, "origin": each.origin, "at": each.at}
        for each in holding.waiting
    ]
    return {**_summary(found, holding), "entries": numbered, "waiting": waiting}


def _faults(found: Overview) -> int:
    """Print the faults of settings and files; return 1 if there are any."""
    unreadable = [each.path / file for each in found.holdings for file in each.unreadable]
    faults = [*found.faults, *(f"{path} cannot be read" for path in unreadable)]
    for fault in faults:
        say(fault, style="yellow", stderr=True)
    return int(bool(faults))
