"""`trace`: the gateway's last decisions and their reasons, without any message text."""

from __future__ import annotations

import argparse
import time
from collections.abc import Generator, Iterable
from dataclasses import asdict
from pathlib import Path

from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.host.setup import load_setup
from ..common.state.store import pseudonymizer
from ..common.state.trace import Entry, entries
from .output import Rows, console, write_json

_FOLLOW_SECONDS = 0.5
_STYLES = {"dispatch": "green", "observe": "yellow", "invitation": "cyan"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `trace [--chat ID] [--who ID] [--network N] [--verdict V] [--last N] [--follow] [--json]`."""
    parser = commands.add_parser("trace", help="show the last decisions: why a message was or was not answered")
    parser.add_argument("--chat", help="only this chat: a group or channel id, or its pseudonym")
    parser.add_argument("--who", help="only this person: a number, an ACI or a user id, or its pseudonym")
    parser.add_argument("--network", choices=NETWORKS, help="only this network")
    parser.add_argument(
        "--verdict", choices=("dispatch", "observe", "ignore", "invitation"), help="only decisions of this kind"
    )
    parser.add_argument("--last", type=int, default=30, metavar="N", help="number of decisions (30; 0 for all)")
    parser.add_argument("--follow", action="store_true", help="keep running and show new decisions")
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    state = load_setup(NETWORKS).state
    matches = Filter(state, arguments)
    found = [entry for entry in entries(state) if matches(entry)][-arguments.last :]
    if arguments.json:
        _print_json(found)
    else:
        console().print(_table(found))
    if arguments.follow:
        number = max((entry.number for entry in entries(state)), default=0)
        for entry in followed(state, number):
            if matches(entry):
                _print_json([entry]) if arguments.json else console().print(*_cells(entry))
    return 0


class Filter:
    """The operator's filter. It finds people and chats by number, id, ACI or pseudonym."""

    def __init__(self, state: Path, arguments: argparse.Namespace) -> None:
        self._exact = {name: getattr(arguments, name) for name in ("network", "verdict") if getattr(arguments, name)}
        self._spelled = {
            name: _spellings(state, getattr(arguments, name)) for name in ("chat", "who") if getattr(arguments, name)
        }

    def __call__(self, entry: Entry) -> bool:
        return all(getattr(entry, name) == value for name, value in self._exact.items()) and all(
            getattr(entry, name) in values for name, values in self._spelled.items()
        )


def _spellings(state: Path, identity: str) -> set[str]:
    """Return all forms in which the trace may contain an identity: itself, if it is a pseudonym, or pseudonyms of it
    and its aliases."""
    pseudonym = pseudonymizer(state)
    aliases = {alias for network in NETWORKS.values() for alias in network.aliases(state, identity)}
    return {identity, *(pseudonym(name) for name in (identity, identity.lower(), *aliases))}


def _table(found: Iterable[Entry]) -> Rows:
    """Return a table of the entries, oldest first."""
    result = Rows(box=None, pad_edge=False)
    for heading in ("time", "network", "chat", "who", "verdict", "rule", "reason", "event"):
        result.add_column(heading)
    for entry in found:
        result.add_row(*_cells(entry))
    return result


def _cells(entry: Entry) -> tuple[Text, ...]:
    verdict = Text(entry.verdict, style=_STYLES.get(entry.verdict, "dim"))
    rest = (str(entry.rule or ""), entry.reason, entry.event)
    return Text(entry.time()), Text(entry.network), Text(entry.place()), Text(entry.who), verdict, *map(Text, rest)


def _print_json(found: Iterable[Entry]) -> None:
    for entry in found:
        write_json(asdict(entry), indent=None)


def followed(state: Path, number: int) -> Generator[Entry]:
    """Yield the entries with a higher number as they are written. Never ends."""
    while True:
        for entry in entries(state, after=number):
            number = entry.number
            yield entry
        time.sleep(_FOLLOW_SECONDS)
