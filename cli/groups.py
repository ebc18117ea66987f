"""`groups list|approve|revoke`: the groups and channels that are served. A running gateway applies orders at once."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import time
from collections.abc import Iterable
from dataclasses import asdict

from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.core.chats import ChatRow, Status, find, overview
from ..common.core.errors import HardenedError, StateError
from ..common.host.setup import Setup, load_setup
from ..common.state.allowlist import order
from ..common.state.chats import entries
from ..common.state.store import pseudonymizer
from .output import Rows, console, say, write_json

_ORDERS = (
    ("approve", Status.GRANTED, "serve a group or channel from now on"),
    ("revoke", Status.REVOKED, "stop serving a group or channel, even if the settings list it"),
)
_ASK_SECONDS = 20.0


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `groups list [--json]` and `groups approve|revoke ID [--why TEXT]`."""
    parser = commands.add_parser("groups", help="list, approve and revoke groups and channels")
    actions = parser.add_subparsers(title="actions", metavar="action", required=True)
    listing = actions.add_parser("list", help="list groups and channels, served or not, with the reason")
    listing.add_argument("--json", action="store_true", help="print JSON instead of a table")
    listing.set_defaults(run=_list)
    for action, status, what in _ORDERS:
        ordering = actions.add_parser(action, help=what)
        ordering.add_argument("chat", help="id of the group or channel, or its pseudonym in the trace")
        ordering.add_argument("--why", default="", help="a reason, stored with the order")
        ordering.set_defaults(run=_order, status=status)


def _list(arguments: argparse.Namespace) -> int:
    rows = _overview(load_setup(NETWORKS))
    if arguments.json:
        write_json([asdict(row) for row in rows])
    else:
        console().print(_table(rows))
    return 0


def _order(arguments: argparse.Namespace) -> int:
    setup = load_setup(NETWORKS)
    network, chat_id = _resolve(arguments.chat, setup)
    status: Status = arguments.status
    order(setup.state, network, chat_id, status, getpass.getuser(), arguments.why, time.time())
    say(f"{network} {chat_id}: {status}")
    if status is Status.REVOKED and NETWORKS[network].load(setup).policy().serves(chat_id):
        say("The settings still list it: remove it there as well, in case the state file is ever lost.", style="yellow")
    return 0


def _resolve(spelled: str, setup: Setup) -> tuple[str, str]:
    """Return network and id of the chat with that id or pseudonym. Raises StateError if there is none."""
    for network in setup.extras:
        if NETWORKS[network].is_chat_id(spelled):
            return network, spelled
    if row := find(spelled, _overview(setup), pseudonymizer(setup.state)):
        return row.network, row.id
    raise StateError(f"{spelled} is not a known group or channel: see `groups list`")


def _overview(setup: Setup) -> list[ChatRow]:
    return [row for network in setup.extras for row in _overview_of(network, setup)]


def _overview_of(network: str, setup: Setup) -> list[ChatRow]:
    settings = NETWORKS[network].load(setup)
    known = entries(setup.state, network) if setup.state.exists() else {}
    try:
        live = asyncio.run(asyncio.wait_for(NETWORKS[network].live_chats(settings, setup.state), _ASK_SECONDS))
    except (HardenedError, TimeoutError) as exc:
        say(f"The list from {network} is missing: {exc or 'no answer'}", style="yellow", stderr=True)
        live = []
    return overview(network, settings.policy(), live, known)


def _table(rows: Iterable[ChatRow]) -> Rows:
    result = Rows(box=None, pad_edge=False)
    for heading in ("", "network", "name", "id", "membership", "why"):
        result.add_column(heading, no_wrap=heading == "id")
    for row in rows:
        sign = Text("served", style="green") if row.served else Text("not served", style="dim")
        result.add_row(sign, *map(Text, (row.network, row.name, row.id, row.membership, row.because)))
    return result
