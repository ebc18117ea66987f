"""`doctor`: checks a set-up against the live servers and prints a remedy for every fault."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from rich.console import Console
from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.doctor.checks import run_checks
from ..common.doctor.findings import Finding, Status
from ..common.doctor.strict import strict_check
from ..common.host import checks, facts
from ..common.host.strict_mode import written
from ..common.settings import strict
from . import host_names
from .output import console, write_json

_SIGNS = {
    Status.OK: ("✓", "green"),
    Status.ADVICE: ("!", "yellow"),
    Status.FAILED: ("✗", "bold red"),
    Status.SKIPPED: ("-", "dim"),
}
_COUNTED = {Status.OK: "in order", Status.ADVICE: "advice", Status.FAILED: "failed", Status.SKIPPED: "skipped"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `doctor [--network N] [--host] [--json]`."""
    parser = commands.add_parser("doctor", help="check the set-up and show a remedy for every fault")
    parser.add_argument("--network", choices=NETWORKS, help="check only this network, even if it is not configured")
    parser.add_argument("--host", action="store_true", help="list what the adapters need of Hermes instead")
    parser.add_argument("--json", action="store_true", help="print one JSON document at the end")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.host:
        chosen = [arguments.network] if arguments.network else list(NETWORKS)
        return host_names.run(chosen, as_json=arguments.json)
    findings: list[Finding] = []
    report = Report() if not arguments.json else None

    async def collect() -> None:
        async for finding in examine(arguments.network):
            findings.append(finding)
            if report is not None:
                report.add(finding)

    asyncio.run(collect())
    if report is not None:
        report.close()
    else:
        write_json([asdict(finding) for finding in findings])
    return int(any(finding.status is Status.FAILED for finding in findings))


async def examine(network: str | None = None) -> AsyncIterator[Finding]:
    """Yield each finding as soon as its check is done: Hermes first, then each configured or the requested network."""
    hermes = checks.Context(
        {name: each.adapter for name, each in NETWORKS.items()},
        {name: each.names for name, each in NETWORKS.items()},
        {name: each.account_names for name, each in NETWORKS.items()},
    )
    unusable = False
    async for finding in run_checks(checks.CHECKS, hermes):
        broken = finding.status is Status.FAILED
        unusable = unusable or (broken and finding.check in {checks.CheckName.VERSION, checks.CheckName.SETUP})
        yield finding
    if unusable:
        return
    for name in [network] if network else NETWORKS:
        async for finding in _network(name, hermes, asked=network is not None):
            yield finding


async def _network(network: str, hermes: checks.Context, *, asked: bool) -> AsyncIterator[Finding]:
    """Yield a network's findings. If the operator `asked` for this network, check it even if it is not configured."""
    setup = hermes.setup
    check = f"{network}.enabled"
    if facts.switched_off(hermes.config, network):
        status = Status.FAILED if asked else Status.SKIPPED
        what = f"The platform {network} is switched off by `enabled: false` in config.yaml."
        yield Finding(check, status, what, f"Remove `enabled: false` from the `{network}:` block to switch it on.")
        if not asked:
            return
    extra = setup.extras.get(network) or next(facts.blocks(hermes.config, network), {})
    if not (asked or network in setup.extras or _is_partly_configured(network, extra, setup.environment)):
        what = f"The platform {network} is not configured."
        names = strict.variables(NETWORKS[network].stock).values()
        yield Finding(check, Status.SKIPPED, what, f"Set {' and '.join(names)} to use it.")
        return
    stock = NETWORKS[network].stock
    async for finding in run_checks((strict_check(stock, partial(written, stock)),), setup.environment):
        yield finding
    async for finding in NETWORKS[network].examine(extra, setup.environment, setup.state):
        yield finding


def _is_partly_configured(network: str, extra: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Return True if the operator set some of the connecting settings, so that the checks report the missing ones."""
    stock = NETWORKS[network].stock
    return bool(strict.in_use(stock, environment)) or any(
        environment.get(name, "").strip() or extra.get(field) for field, name in stock.connecting.items()
    )


class Report:
    """Prints findings for people as they come, under a heading for each area.

    Consecutive checks that were skipped for the same reason share one line.
    """

    def __init__(self, output: Console | None = None) -> None:
        self._console = output or console()
        self._area = ""
        self._counts: Counter[Status] = Counter()
        self._skipped: list[Finding] = []

    def add(self, finding: Finding) -> None:
        self._counts[finding.status] += 1
        if self._skipped and _reason(finding) != _reason(self._skipped[0]):
            self._show_skipped()
        if finding.status is Status.SKIPPED:
            self._skipped.append(finding)
        else:
            self._show(finding, finding.what)

    def close(self) -> None:
        """Print the number of findings of each status."""
        self._show_skipped()
        self._line(Text(", ".join(f"{self._counts[status]} {label}" for status, label in _COUNTED.items())))

    def _show_skipped(self) -> None:
        if self._skipped:
            first, checks = self._skipped[0], [finding.check for finding in self._skipped]
            self._show(first, first.what.replace(first.check, ", ".join(checks)))
            self._skipped.clear()

    def _show(self, finding: Finding, what: str) -> None:
        area = finding.check.partition(".")[0]
        if area != self._area:
            self._line(Text(area.capitalize(), style="bold"))
            self._area = area
        sign, style = _SIGNS[finding.status]
        self._line(Text.assemble("  ", (sign, style), " ", what))
        if finding.remedy and finding.status is not Status.OK:
            self._line(Text(f"      → {finding.remedy}", style="dim" if finding.status is Status.SKIPPED else ""))

    def _line(self, text: Text) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


def _reason(finding: Finding) -> str:
    return finding.what.replace(finding.check, "")
