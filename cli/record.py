"""`record`: records real traffic as a fixture for tests and bug reports, pseudonymised before it is written to disk.

It listens beside the gateway for a given time. Numbers, ids, names, file names and times are replaced by pseudonyms,
whose key is then discarded, and texts by their shape (`Hi Bob!` becomes `Xx Xxx!`). Before anything is written, the
result is searched for the originals; if one is found, nothing is written.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console

from ..adapters.networks import NETWORKS
from ..common.core.errors import ConfigError, HardenedError
from ..common.host.setup import Setup, gateway_runs, load_setup, slash_commands
from ..common.recording.capture import Capture
from ..common.recording.leaks import Leak
from .foreground import interruptible
from .output import console

_MEGABYTE = 2**20
_UNITS = {"s": 1, "m": 60, "h": 3600}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class NoGateway(HardenedError):
    """The gateway is not running, so a recording might take its messages."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `record NETWORK --for 10m --out DIR [--name CASE] [--megabytes N] [--anyway]`."""
    queueing = " ".join(network.queueing for network in NETWORKS.values() if network.queueing)
    parser = commands.add_parser(
        "record",
        help="record real traffic as a pseudonymised fixture",
        description=__doc__,
        epilog=f"{queueing}"
        " If the gateway is not running, a recording would take these messages, and the gateway would never see them."
        " It is therefore refused, unless --anyway is given.",
    )
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        required=True,
        metavar="TIME",
        help="duration, for example 90s, 10m or 1h; Ctrl-C ends it earlier",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write the fixture to")
    parser.add_argument("--name", metavar="CASE", help="base name of the files (default: a random one)")
    parser.add_argument("--megabytes", type=int, default=16, metavar="N", help="maximum size of the recording (16)")
    parser.add_argument("--anyway", action="store_true", help="record even if the gateway is not running")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError("must be a number and a unit, for example 90s, 10m or 1h")
    return int(match[1]) * _UNITS[match[2]]


def _run(arguments: argparse.Namespace) -> int:
    setup = load_setup(NETWORKS)
    if NETWORKS[arguments.network].queueing and not arguments.anyway and not gateway_runs():
        raise NoGateway(
            "the gateway is not running, so a recording could take its messages: start it first, or add --anyway"
        )
    name = arguments.name or f"{arguments.network}-{secrets.token_hex(2)}"
    _check_target(arguments.out, name)
    return asyncio.run(record(arguments, setup, name, console(stderr=True)))


async def record(arguments: argparse.Namespace, setup: Setup, name: str, output: Console) -> int:
    """Record, write the files and return the exit status. Prints progress to `output`."""
    network = NETWORKS[arguments.network]
    async with interruptible() as stop:
        capture = Capture(arguments.megabytes * _MEGABYTE, stop)
        timer = asyncio.get_running_loop().call_later(arguments.seconds, stop.set)
        output.print(f"recording {arguments.network}; Ctrl-C ends it", highlight=False)
        try:
            recorded = await network.record(network.load(setup), slash_commands(), capture)
        except Leak as leak:
            output.print(str(leak), style="red", markup=False, highlight=False)
            return 1
        finally:
            timer.cancel()
    if capture.failure is not None:
        output.print(f"the recording ended early: {capture.failure}", style="yellow", markup=False, highlight=False)
    if capture.full:
        output.print(f"the recording ended at {arguments.megabytes} megabytes", style="yellow", highlight=False)
    if not capture.bytes:
        output.print("no event arrived in that time, so nothing was written", style="yellow", highlight=False)
        return 1
    paths = write(arguments.out, name, recorded.files)
    output.print(f"{recorded.dropped} unreadable events were left out; no original is left in:", highlight=False)
    for path in paths:
        output.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)
    return 1 if capture.failure else 0


def _check_target(folder: Path, name: str) -> None:
    """Raise ConfigError if the files could not be written later, when the recording would be lost."""
    if not _NAME.fullmatch(name):
        raise ConfigError(["--name: use only letters, digits, dots, dashes and underscores"])
    if any(folder.glob(f"{name}.*")):
        raise ConfigError([f"--name: {folder} already contains a {name}"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError([f"--out: {exc.strerror}"]) from exc


def write(folder: Path, name: str, files: Mapping[str, bytes]) -> list[Path]:
    """Write a fixture's files, readable only by their owner, and return their paths. Raises ConfigError."""
    written = []
    for suffix, content in files.items():
        path = folder / f"{name}{suffix}"
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
        except OSError as exc:
            raise ConfigError([f"{path}: {exc.strerror}"]) from exc
        written.append(path)
    return written
