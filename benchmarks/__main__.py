"""`python -m benchmarks [ROW ...] [--rounds N] [--quick] [--json]`: measures the rows and prints a table."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row, Series

ROWS = {
    "signal": ("inbound", "signal_rows"),
    "mattermost": ("inbound", "mattermost_rows"),
    "mentions": ("mentions", "rows"),
    "blocking": ("latency", "blocking_rows"),
    "load": ("latency", "load_rows"),
    "silence": ("silence", "rows"),
    "decide": ("deciding", "rows"),
    "imports": ("imports", "rows"),
    "memory": ("memory", "rows"),
    "startup": ("startup", "rows"),
    "tenancy": ("tenancy", "rows"),
}
"""Maps the name of a measurement to its module and function."""
_CONFIG = "plugins:\n  enabled: [hardened-adapters]\n"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"what to measure: {', '.join(ROWS)} (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each measurement (default: 5)")
    parser.add_argument("--quick", action="store_true", help="a quarter of the work, for a first look")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(arguments)
    if unknown := set(options.rows) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}")
    rounds = min(options.rounds, 3) if options.quick else options.rounds
    started, load = time.monotonic(), os.getloadavg()[0]
    console = Console(stderr=True)
    rows = []
    for name in options.rows or ROWS:
        console.print(f"measuring {name} …", style="dim")
        rows += _measured(name, rounds, 0.25 if options.quick else 1.0)
    about = {
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
        "load_before": load,
        "load_after": os.getloadavg()[0],
        "rounds": rounds,
        "seconds": round(time.monotonic() - started),
    }
    if options.json:
        print(json.dumps({**about, "rows": [row.as_json() for row in rows]}, indent=1))
    else:
        Console(width=None if sys.stdout.isatty() else 150).print(_table(rows, about))
    return 0


def _measured(name: str, rounds: int, scale: float) -> list[Row]:
    """Run one measurement in its own Hermes home."""
    module, function = ROWS[name]
    with tempfile.TemporaryDirectory(dir=os.environ["HOME"], ignore_cleanup_errors=True) as home:
        os.environ["HERMES_HOME"] = home
        Path(home, "config.yaml").write_text(_CONFIG)
        rows: Any = getattr(importlib.import_module(f".{module}", __package__), function)
        measured: list[Row] = asyncio.run(rows(rounds, scale))
    return measured


def _table(rows: list[Row], about: dict[str, Any]) -> Table:
    title = "{rounds} rounds, Python {python}, {cpus} CPUs, load {load_before:.1f} before and {load_after:.1f} after"
    table = Table(title=title.format(**about), caption="ratio: how many times better than stock")
    for heading in ("", "unit", "ours", "(spread)", "stock", "(spread)", "ratio", "target", ""):
        table.add_column(heading, justify="left" if heading in ("", "unit") else "right")
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            table.add_section()
            table.add_row(f"[bold]{group}")
        verdict = {True: "[green]met", False: "[red]missed", None: ""}[row.met]
        ratio = "" if row.ratio is None else f"{_figure(row.ratio)}×"
        cells = (*_cells(row.ours), *(_cells(row.stock) if row.stock else ("", "")))
        table.add_row(f"  {row.name}", row.unit, *cells, ratio, str(row.target or ""), verdict)
        if row.note:
            table.add_row(f"    [dim]{row.note}")
    return table


def _cells(values: Series) -> tuple[str, str]:
    low, high = values.spread
    return _figure(values.median), f"{_figure(low)}–{_figure(high)}" if low != high else ""


def _figure(value: float) -> str:
    """Format a number with three significant digits."""
    if value in (float("inf"), float("-inf")):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _prepare(home: Path) -> None:
    """Set the environment of both sides. Call it before any module of the host is imported and reads it."""
    for name in [name for name in os.environ if name.startswith(("SIGNAL_", "MATTERMOST_", "GATEWAY_"))]:
        del os.environ[name]
    os.environ["HOME"] = os.environ["HERMES_HOME"] = str(home)
    (home / "config.yaml").write_text(_CONFIG)
    from benchmarks.sides import SETTINGS

    os.environ |= SETTINGS
    logging.disable(logging.WARNING)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="hermes-bench-", ignore_cleanup_errors=True) as _home:
        _prepare(Path(_home))
        sys.exit(main(sys.argv[1:]))
