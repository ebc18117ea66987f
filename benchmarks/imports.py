"""Measures the time that the plugin adds to the start of Hermes: to an unrelated command, and to the gateway."""

from __future__ import annotations

import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks.measure import Metrics, Row, Series, Target, interleaved

_RUNS = 4
"""Number of runs, of which the fastest counts: other programs can only slow down a start, and a difference of two times
is noisier than each of them."""
_WITH, _WITHOUT = "with the plugin", "without"


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 7, time."""
    hermes = str(Path(sys.executable).with_name("hermes"))
    return [
        *await _added("hermes --version", [hermes, "--version"], rounds, 15),
        *await _added("the gateway's start", [sys.executable, "-m", __name__], rounds, 150),
    ]


async def _added(name: str, command: Sequence[str], rounds: int, limit: float) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="hermes-bench-") as home:
        homes = {_WITH: Path(home, "with"), _WITHOUT: Path(home, "without")}
        for which, path in homes.items():
            path.mkdir()
            enabled = "[hardened-adapters]" if which == _WITH else "[]"
            (path / "config.yaml").write_text(f"plugins:\n  enabled: {enabled}\n")
            await _run(command, path)
        taken = await interleaved(rounds, {which: partial(_quickest, command, path) for which, path in homes.items()})
    added = {metric: _difference(taken[_WITH][metric], taken[_WITHOUT][metric]) for metric in ("wall", "cpu")}
    note = f"without the plugin {taken[_WITHOUT]['wall'].median:,.0f} ms"
    target = Target("ours", at_most=limit)
    return [
        Row("7 Start", f"added to {name}", "ms", "less", added["wall"], target=target, note=note),
        Row("7 Start", f"added to {name}, CPU", "ms", "less", added["cpu"]),
    ]


def _difference(more: Series, less: Series) -> Series:
    return Series(tuple(a - b for a, b in zip(more.values, less.values, strict=True)))


async def _quickest(command: Sequence[str], home: Path) -> Metrics:
    runs = [await _run(command, home) for _ in range(_RUNS)]
    return {metric: min(run[metric] for run in runs) for metric in runs[0]}


async def _run(command: Sequence[str], home: Path) -> Metrics:
    """Run a command in a home; return wall-clock and CPU milliseconds."""
    environment = os.environ | {"HOME": str(home), "HERMES_HOME": str(home)}
    began, busy = time.perf_counter(), _cpu_of_children()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError(f"{' '.join(command)} failed")
    return {"wall": (time.perf_counter() - began) * 1e3, "cpu": (_cpu_of_children() - busy) * 1e3}


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _start() -> None:
    """Do what the gateway does before it connects: discover plugins and create both adapters."""
    from gateway.config import GatewayConfig, Platform, PlatformConfig
    from gateway.run import GatewayRunner
    from hermes_cli.plugins import discover_plugins

    discover_plugins()
    signal = PlatformConfig(enabled=True, extra={"http_url": "http://127.0.0.1:1", "account": "+15550001111"})
    mattermost = PlatformConfig(enabled=True, token="none", extra={"url": "http://127.0.0.1:1"})
    platforms = {Platform.SIGNAL: signal, Platform.MATTERMOST: mattermost}
    runner = GatewayRunner(GatewayConfig(platforms=platforms))
    if not all(runner._create_adapter(platform, config) for platform, config in platforms.items()):
        sys.exit("an adapter was not created")


if __name__ == "__main__":
    _start()
