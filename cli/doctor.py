"""`doctor`: every way a set-up fails, checked against the live servers, each with a remedy in one sentence."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from ..adapters.networks import NETWORKS
from ..common.core.errors import HostContractError
from ..common.doctor import state_file
from ..common.doctor.checks import guarded
from ..common.doctor.findings import Finding, Status
from ..common.doctor.strict import findings as strict_mode_findings
from ..common.host import checks, profile, strict_mode
from ..common.host.setup import Setup, load_setup
from ..common.settings import strict
from .output import console, write_json

_SIGNS = {
    Status.OK: ("✓", "green"),
    Status.ADVICE: ("!", "yellow"),
    Status.FAILED: ("✗", "bold red"),
    Status.SKIPPED: ("-", "dim"),
}
_COUNTED = {Status.OK: "in order", Status.ADVICE: "advice", Status.FAILED: "failed", Status.SKIPPED: "skipped"}


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`doctor [--network N] [--json]`"""
    parser = commands.add_parser("doctor", help="check the set-up; every fault comes with its remedy")
    parser.add_argument("--network", choices=NETWORKS, help="only this one, even when it is not configured")
    parser.add_argument("--json", action="store_true", help="one JSON document, when all is done")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    findings: list[Finding] = []
    report = Report() if not arguments.json else None

    async def take() -> None:
        async for finding in examine(arguments.network):
            findings.append(finding)
            if report is not None:
                report.add(finding)

    asyncio.run(take())
    if report is not None:
        report.close()
    else:
        write_json([asdict(finding) for finding in findings])
    return int(any(finding.status is Status.FAILED for finding in findings))


async def examine(network: str | None = None) -> AsyncIterator[Finding]:
    """Findings as they come: Hermes first, then the networks that are configured, or the one asked for."""
    absent = False
    async for finding in guarded("hermes.version", checks.version()):
        absent = absent or finding.status is Status.FAILED
        yield finding
    if absent:
        yield Finding("hermes.config", Status.SKIPPED, "Nothing else was checked: Hermes comes first.")
        return
    home = profile.home()
    async for finding in guarded("hermes.config", checks.configuration(home)):
        yield finding
    try:
        setup = load_setup(NETWORKS)
    except Exception as exc:
        what = f"Hermes cannot read its own configuration: {type(exc).__name__}."
        yield Finding("hermes.setup", Status.FAILED, what, "Run `hermes doctor` and mend what it names.")
        return
    config = checks.raw(home)
    examinations: tuple[tuple[str, Iterator[Finding]], ...] = (
        ("hermes.plugin", checks.loaded(config)),
        *((f"hermes.{name}", checks.owner(name)) for name in NETWORKS),
        *((f"hermes.{name}", _contract(name)) for name in NETWORKS),
        ("hermes.gateway", checks.gateway(NETWORKS)),
        ("hermes.state", state_file.examine(setup.state)),
    )
    for check, findings in examinations:
        async for finding in guarded(check, findings):
            yield finding
    for name in [network] if network else NETWORKS:
        async for finding in _network(name, setup, config, asked=network is not None):
            yield finding


def _contract(network: str) -> Iterator[Finding]:
    """Whether Hermes still offers what our adapter inherits: its module looks when it is imported."""
    try:
        NETWORKS[network].adapter()
    except HostContractError as exc:
        what, _, remedy = str(exc).rpartition(". ")
        remedy = remedy if what else "Upgrade hermes-hardened-adapters, or go back to the hermes-agent you had"
        yield Finding("hermes.contract", Status.FAILED, f"{what or exc}.", f"{remedy}.")
    else:
        yield Finding("hermes.contract", Status.OK, f"Hermes offers what the {network} adapter builds on.")


async def _network(network: str, setup: Setup, config: Mapping[str, Any], *, asked: bool) -> AsyncIterator[Finding]:
    check = f"{network}.enabled"
    if checks.switched_off(config, network):
        status = Status.FAILED if asked else Status.SKIPPED
        what = f"The platform {network} is switched off by `enabled: false` in config.yaml."
        yield Finding(check, status, what, f"Remove `enabled: false` from the `{network}:` block to switch it on.")
        if not asked:
            return
    extra = setup.extras.get(network) or next(checks.blocks(config, network), {})
    if not (asked or network in setup.extras or _begun(network, extra, setup.environment)):
        what = f"The platform {network} is not configured."
        names = strict.variables(NETWORKS[network].stock).values()
        yield Finding(check, Status.SKIPPED, what, f"Set {' and '.join(names)} to use it.")
        return
    keys = strict_mode.written(NETWORKS[network].stock)
    async for finding in guarded(
        f"{network}.strict", strict_mode_findings(NETWORKS[network].stock, setup.environment, keys)
    ):
        yield finding
    async for finding in guarded(f"{network}.doctor", NETWORKS[network].examine(extra, setup.environment, setup.state)):
        yield finding


def _begun(network: str, extra: Mapping[str, Any], environment: Mapping[str, str]) -> bool:
    """Whether the operator set a part of what is needed, so that what is missing shall be told."""
    stock = NETWORKS[network].stock
    return bool(strict.in_use(stock, environment)) or any(
        environment.get(name, "").strip() or extra.get(field) for field, name in stock.connecting.items()
    )


class Report:
    """The findings for people, each printed as it comes, under a heading for each area."""

    def __init__(self, output: Console | None = None) -> None:
        self._console = output or console()
        self._area = ""
        self._counts: Counter[Status] = Counter()

    def add(self, finding: Finding) -> None:
        area = finding.check.partition(".")[0]
        if area != self._area:
            self._line(Text(area.capitalize(), style="bold"))
            self._area = area
        sign, style = _SIGNS[finding.status]
        self._line(Text.assemble("  ", (sign, style), " ", finding.what))
        if finding.remedy and finding.status is not Status.OK:
            self._line(Text(f"      → {finding.remedy}", style="dim" if finding.status is Status.SKIPPED else ""))
        self._counts[finding.status] += 1

    def close(self) -> None:
        """How many of each kind there were."""
        self._line(Text(", ".join(f"{self._counts[status]} {word}" for status, word in _COUNTED.items())))

    def _line(self, text: Text) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)
