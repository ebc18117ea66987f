"""`people moved|confirm`: numbers that were seen with a new ACI and are refused until the operator confirms it."""

from __future__ import annotations

import argparse
import getpass
import time
from functools import partial
from pathlib import Path

from ....common.core.errors import StateError
from ....common.core.people import as_aci
from ....common.host.setup import load_setup
from ....common.state.identities import Pair, confirm, pairs
from ....common.state.store import change
from ...network import Commands, Say, WriteJson
from ..stock import STOCK


def add(commands: Commands, say: Say, write_json: WriteJson) -> None:
    """Add `people moved [--json]` and `people confirm NUMBER ACI [--why TEXT]`."""
    parser = commands.add_parser("people", help="list and confirm numbers that moved to another Signal account")
    actions = parser.add_subparsers(title="actions", metavar="action", required=True)
    moved = actions.add_parser("moved", help="list numbers seen with a new ACI, which are refused until confirmed")
    moved.add_argument("--json", action="store_true", help="print JSON instead of lines")
    moved.set_defaults(run=partial(_list, say, write_json))
    confirming = actions.add_parser("confirm", help="confirm that a number with a new ACI is still the same person's")
    confirming.add_argument("number", help="the phone number in E.164 form")
    confirming.add_argument("aci", help="the new ACI, as `people moved` shows it")
    confirming.add_argument("--why", default="", help="a reason, stored with the confirmation")
    confirming.set_defaults(run=partial(_confirm, say))


def _list(say: Say, write_json: WriteJson, arguments: argparse.Namespace) -> int:
    moved = _moved(load_setup((STOCK.platform,)).state)
    if arguments.json:
        write_json([{"number": pair.number, "aci": pair.aci, "moved_to": pair.moved_to} for pair in moved])
        return 0
    for pair in moved:
        say(f"{pair.number} was {pair.aci}, now {pair.moved_to}")
    if not moved:
        say("no number has moved")
    return 0


def _confirm(say: Say, arguments: argparse.Namespace) -> int:
    state = load_setup((STOCK.platform,)).state
    number = str(arguments.number)
    pair = next((pair for pair in _moved(state) if pair.number == number), None)
    if pair is None:
        raise StateError(f"{number} has not moved: see `people moved`")
    aci = as_aci(arguments.aci)
    if aci is None:
        raise StateError(f"{arguments.aci} is not an ACI (a UUID): see `people moved`")
    if aci != pair.moved_to:
        raise StateError(f"{number} was seen with {pair.moved_to}, not with {aci}: see `people moved`")
    change(state, confirm(STOCK.platform, number, aci, getpass.getuser(), arguments.why, time.time()))
    say(f"{number} now belongs to {aci}")
    return 0


def _moved(state: Path) -> list[Pair]:
    return [pair for pair in pairs(state) if pair.moved_to]
