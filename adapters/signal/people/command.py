"""`people moved|confirm`: numbers seen with another ACI than before, which are refused until the operator confirms."""

from __future__ import annotations

import argparse
import getpass
import time
from functools import partial

from ....common.core.errors import StateError
from ....common.core.people import as_aci
from ....common.host.setup import load_setup
from ....common.state.identities import Source
from ....common.state.orders import NumberOrder
from ....common.state.store import change, read
from ...network import Commands, Say, WriteJson
from ..stock import STOCK


def add(commands: Commands, say: Say, write_json: WriteJson) -> None:
    """Add `people moved [--json]` and `people confirm NUMBER ACI [--why TEXT]`."""
    parser = commands.add_parser("people", help="numbers that moved to another Signal account")
    acts = parser.add_subparsers(title="acts", metavar="act", required=True)
    moved = acts.add_parser("moved", help="numbers seen with another ACI than before, refused until confirmed")
    moved.add_argument("--json", action="store_true")
    moved.set_defaults(run=partial(_list, say, write_json))
    confirm = acts.add_parser("confirm", help="it is the same person: accept the number with its new ACI")
    confirm.add_argument("number")
    confirm.add_argument("aci", help="the new ACI, as `moved` shows it")
    confirm.add_argument("--why", default="", help="a reason, kept with the order")
    confirm.set_defaults(run=partial(_confirm, say))


def _list(say: Say, write_json: WriteJson, arguments: argparse.Namespace) -> int:
    query = "SELECT number, uid, moved_to FROM identity WHERE moved_to IS NOT NULL ORDER BY number"
    rows = read(load_setup((STOCK.platform,)).state, query)
    if arguments.json:
        write_json([dict(zip(("number", "aci", "moved_to"), row, strict=True)) for row in rows])
        return 0
    for number, before, now in rows:
        say(f"{number} was {before}, now {now}")
    if not rows:
        say("no number has moved")
    return 0


def _confirm(say: Say, arguments: argparse.Namespace) -> int:
    state = load_setup((STOCK.platform,)).state
    number = str(arguments.number)
    rows = read(state, "SELECT moved_to FROM identity WHERE number = ? AND moved_to IS NOT NULL", (number,))
    if not rows:
        raise StateError(f"{number} has not moved: look at `people moved`")
    ((moved_to,),) = rows
    aci = as_aci(arguments.aci)
    if aci is None:
        raise StateError(f"{arguments.aci} is no ACI, which is a UUID: look at `people moved`")
    if aci != moved_to:
        raise StateError(f"{number} turned up with {moved_to}, not with {aci}: look at `people moved`")
    change(
        state,
        [
            (
                "UPDATE identity SET uid = ?, source = ?, moved_to = NULL WHERE number = ? AND moved_to = ?",
                (aci, Source.ENVELOPE, number, aci),
                NumberOrder(number, aci, None, time.time()),
            ),
            (
                "INSERT INTO audit (at, network, chat, status, by, why) VALUES (?, 'signal', ?, 'confirmed', ?, ?)",
                (time.time(), number, getpass.getuser(), arguments.why),
            ),
        ],
    )
    say(f"{number} is {aci} from now on")
    return 0
