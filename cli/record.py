"""`record`: real traffic as a fixture for tests and bug reports, pseudonymised before anything touches the disk.

It listens beside the gateway for a while. Numbers, ids, names, file names and times give way to pseudonyms made with
a key that is thrown away, texts to their shape (`Hi Bob!` is `Xx Xxx!`). Before anything is written, all of it is
searched for the originals; if one is found, nothing is written.
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
    """Recording might take messages from a gateway that is not running."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`record signal|mattermost --for 10m --out DIR [--name CASE] [--megabytes N] [--anyway]`"""
    parser = commands.add_parser(
        "record",
        help="real traffic as a fixture, pseudonymised",
        description=__doc__,
        epilog="With `signal-cli daemon --receive-mode on-connection`, messages wait at Signal until somebody listens."
        " While the gateway is not running, a recording would take them, and the gateway would never see them: it is"
        " refused then, unless --anyway is given.",
    )
    parser.add_argument("network", choices=("signal", "mattermost"))
    parser.add_argument(
        "--for", dest="seconds", type=_seconds, required=True, metavar="TIME", help="90s, 10m, 1h; Ctrl-C ends earlier"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to write the fixture")
    parser.add_argument("--name", metavar="CASE", help="the name of its files; made up when not given")
    parser.add_argument("--megabytes", type=int, default=16, metavar="N", help="end when there is more than that (16)")
    parser.add_argument("--anyway", action="store_true", help="also while the gateway is not running")
    parser.set_defaults(run=_run)


def _seconds(text: str) -> float:
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    if match is None:
        raise argparse.ArgumentTypeError("must be a number of s, m or h, like 90s, 10m or 1h")
    return int(match[1]) * _UNITS[match[2]]


def _run(arguments: argparse.Namespace) -> int:
    setup = load_setup()
    if arguments.network == "signal" and not arguments.anyway and not gateway_runs():
        raise NoGateway(
            "the gateway is not running: what is recorded now may be lost to it; start it first, or say --anyway"
        )
    name = arguments.name or f"{arguments.network}-{secrets.token_hex(2)}"
    _check_target(arguments.out, name)
    return asyncio.run(record(arguments, setup, name, console(stderr=True)))


async def record(arguments: argparse.Namespace, setup: Setup, name: str, told: Console) -> int:
    """Record and write; the exit status. How it went is written to `told`."""
    async with interruptible() as stop:
        capture = Capture(arguments.megabytes * _MEGABYTE, stop)
        timer = asyncio.get_running_loop().call_later(arguments.seconds, stop.set)
        told.print(f"recording {arguments.network}; Ctrl-C ends it", highlight=False)
        try:
            files, dropped = await _recorded(arguments.network, setup, capture)
        except Leak as leak:
            told.print(str(leak), style="red", markup=False, highlight=False)
            return 1
        finally:
            timer.cancel()
    if capture.failure is not None:
        told.print(f"it ended early: {capture.failure}", style="yellow", markup=False, highlight=False)
    if capture.full:
        told.print(f"it ended at {arguments.megabytes} megabytes", style="yellow", highlight=False)
    if not capture.bytes:
        told.print("nothing came in that time, so nothing was written", style="yellow", highlight=False)
        return 1
    written = write(arguments.out, name, files)
    told.print(f"{dropped} events were left out as unreadable; no original is left in:", highlight=False)
    for path in written:
        told.print(f"  {path}", markup=False, highlight=False, soft_wrap=True)
    return 1 if capture.failure else 0


async def _recorded(network: str, setup: Setup, capture: Capture) -> tuple[dict[str, bytes], int]:
    """The files by suffix, and how many events were dropped."""
    commands, extra = slash_commands(), setup.extras.get(network, {})
    if network == "signal":
        from ..adapters.signal import settings
        from ..adapters.signal.recording import recorder, rewriting

        events = rewriting.SignalRecording(commands)
        files = await recorder.record(settings.SignalSettings.load(extra, setup.environment), events, capture)
        return files, events.dropped
    from ..adapters.mattermost.recording import recorder as of_mattermost
    from ..adapters.mattermost.recording import rewriting as frames_of_mattermost
    from ..adapters.mattermost.settings import MattermostSettings

    frames = frames_of_mattermost.MattermostRecording(commands)
    files = await of_mattermost.record(MattermostSettings.load(extra, setup.environment), frames, capture)
    return files, frames.dropped


def _check_target(folder: Path, name: str) -> None:
    """Raises ConfigError before an hour of recording is lost."""
    if not _NAME.fullmatch(name):
        raise ConfigError(["--name: letters, digits, dots, dashes and underscores"])
    if any(folder.glob(f"{name}.*")):
        raise ConfigError([f"--name: there is a {name} in {folder} already"])
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError([f"--out: {exc.strerror}"]) from exc


def write(folder: Path, name: str, files: Mapping[str, bytes]) -> list[Path]:
    """Write a fixture's files, readable by their owner alone; their paths. Raises ConfigError where that fails."""
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
