"""`people moved|confirm`: numbers seen with another ACI than before, which are refused until the operator confirms."""

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
    parser = commands.add_parser("people", help="numbers that moved to another Signal account")
    acts = parser.add_subparsers(title="acts", metavar="act", required=True)
    moved = acts.add_parser("moved", help="numbers seen with another ACI than before, refused until confirmed")
    moved.add_argument("--json", action="store_true")
    moved.set_defaults(run=partial(_list, say, write_json))
    confirming = acts.add_parser("confirm", help="it is the same person: accept the number with its new ACI")
    confirming.add_argument("number")
    confirming.add_argument("aci", help="the new ACI, as `moved` shows it")
    confirming.add_argument("--why", default="", help="a reason, kept with the order")
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
        raise StateError(f"{number} has not moved: look at `people moved`")
    aci = as_aci(arguments.aci)
    if aci is None:
        raise StateError(f"{arguments.aci} is no ACI, which is a UUID: look at `people moved`")
    if aci != pair.moved_to:
        raise StateError(f"{number} turned up with {pair.moved_to}, not with {aci}: look at `people moved`")
    change(state, confirm(STOCK.platform, number, aci, getpass.getuser(), arguments.why, time.time()))
    say(f"{number} is {aci} from now on")
    return 0


def _moved(state: Path) -> list[Pair]:
    return [pair for pair in pairs(state) if pair.moved_to]
