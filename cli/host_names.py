"""`doctor --host`: every name of Hermes' own code that the adapters use, and what is off without it.

Needs no set-up, no server, and no adapter that can be loaded. Exit status 1 if a platform would refuse to start.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.core.errors import HostContractError
from ..common.host.contract.check import Row, examine
from ..common.host.contract.names import HostName, State
from ..common.host.contract.table import MEMORY_NAMES
from ..common.host.contract.version import check_version, host_version
from .output import Rows, console, write_json

_NEEDED = "the platform"
_NEEDED_FOR_MEMORY = "the platform, unless all memory is global"
_SIGNS = (("✗", "bold red"), ("!", "yellow"), ("-", "dim"), ("✓", "green"))
"""The signs of names without which a platform refuses, and a feature is off; newer than this Hermes; found."""


def run(networks: Iterable[str], *, as_json: bool) -> int:
    """Print the names of these networks and return the exit status. Raises HostContractError without Hermes."""
    users: dict[HostName, list[str]] = {}
    for network in networks:
        for name in NETWORKS[network].names():
            users.setdefault(name, []).append(network)
    version, rows = host_version(), list(examine(users))
    refused = {network: "" for row in rows if row.fatal for network in users[row.name]}
    try:
        check_version()
    except HostContractError as exc:
        refused = dict.fromkeys(networks, f": {exc}")
    if as_json:
        names = [_entry(row, users[row.name]) for row in rows]
        write_json({"version": version, "refused": list(refused), "names": names})
    else:
        _show(version, rows, refused)
    return int(bool(refused))


def _entry(row: Row, networks: Sequence[str]) -> Mapping[str, Any]:
    return {
        "name": row.found.place,
        "state": row.found.state,
        "how": row.found.how,
        "since": row.name.since,
        "networks": networks,
        "without": _off_without(row.name),
        "off": row.consequence,
    }


def _off_without(name: HostName) -> str:
    return name.without or (_NEEDED_FOR_MEMORY if name in MEMORY_NAMES else _NEEDED)


def _show(version: str | None, rows: Sequence[Row], refused: Mapping[str, str]) -> None:
    out = console()
    for line in _summary(version, rows, refused):
        out.print(line, highlight=False, soft_wrap=True)
    out.print(_table(rows))


def _summary(version: str | None, rows: Sequence[Row], refused: Mapping[str, str]) -> Iterator[Text]:
    """Yield the lines at the top: what was found, and who starts."""
    yield Text(f"Hermes {version or '(of an unknown version)'}: {_counts(rows)}.")
    for network, why in refused.items():
        yield Text(f"{NETWORKS[network].title} refuses to start{why}.", style="bold red")
    if not refused:
        off = dict.fromkeys(row.consequence for row in rows if row.consequence)
        yield Text(f"The platforms start, with these off: {'; '.join(off)}." if off else "The platforms start.")


def _counts(rows: Sequence[Row]) -> str:
    states = [row.found.state for row in rows]
    newer = sum(row.found.state is State.MISSING and not row.consequence for row in rows)
    counts = [f"{states.count(State.FOUND)} of {len(rows)} names found"]
    if changed := states.count(State.CHANGED):
        counts.append(f"{changed} changed")
    if missing := states.count(State.MISSING) - newer:
        counts.append(f"{missing} missing")
    if newer:
        counts.append(f"{newer} newer than this Hermes")
    return ", ".join(counts)


def _table(rows: Sequence[Row]) -> Rows:
    """Return a table of the names by module, what Hermes lacks first."""
    result = Rows(box=None, pad_edge=False)
    for heading in ("", "name", "state", "since", "off without it"):
        result.add_column(heading, overflow="fold", no_wrap=heading in {"state", "since"})
    ordered = sorted(rows, key=lambda row: (_rank(row), row.found.place.lower()))
    for (_, module), group in groupby(ordered, key=lambda row: (_rank(row), row.found.place.partition(":")[0])):
        result.add_row("", Text(module, style="bold"))
        for row in group:
            result.add_row(*_cells(row, f"  {str(row.found).removeprefix(f'{module}:')}"))
    return result


def _rank(row: Row) -> int:
    """Return the row's position in `_SIGNS`, which is the order of the table."""
    if row.found.state is State.FOUND:
        return 3
    return 0 if row.fatal else 1 if row.consequence else 2


def _cells(row: Row, name: str) -> tuple[Text, ...]:
    sign, style = _SIGNS[_rank(row)]
    return Text(sign, style=style), *map(Text, (name, row.found.state, row.name.since, _off_without(row.name)))
