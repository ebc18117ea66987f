"""`status`: the state of the running gateway's connections. Exit status 1 if one of them is not connected."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict

from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.core.errors import StateError
from ..common.host.setup import load_setup
from ..common.state.snapshot import Snapshot, read_snapshot
from .output import Rows, console, write_json


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `status [--json]`."""
    parser = commands.add_parser("status", help="show streams, queues, ledger and decisions of the running gateway")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    setup = load_setup(NETWORKS)
    if not setup.extras:
        raise StateError(f"neither {' nor '.join(network.title for network in NETWORKS.values())} is configured")
    now = time.time()
    snapshots = {network: read_snapshot(setup.state, network) for network in setup.extras}
    faults = {name: found.fault(now) if found else "has never been connected" for name, found in snapshots.items()}
    if arguments.json:
        rows = [{"network": n, "fault": faults[n], **(asdict(s) if s else {})} for n, s in snapshots.items()]
        write_json(rows)
    else:
        for name, found in snapshots.items():
            console().print(_table(name, found, faults[name], now))
    return 1 if any(faults.values()) else 0


def _table(network: str, found: Snapshot | None, fault: str, now: float) -> Rows:
    result = Rows(title=network, title_justify="left", show_header=False, box=None)
    for label, value in found.rows(now) if found else [("state", fault)]:
        style = ("red" if fault else "green") if label == "state" else ""
        result.add_row(label, Text(value, style=style))
    return result
