"""`replay`: serves a recorded fixture in place of the daemon or server it was recorded from, with optional faults."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from ..adapters.networks import NETWORKS
from ..common.core.errors import ConfigError
from ..common.recording.playback import Faults, fault_of
from .foreground import interruptible
from .output import console

_LINGER_SECONDS = 1.0
"""Time for a client to read the last events."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `replay NETWORK PATH [--port N] [--host H] [--speed X | --original-timing] [--fault F] …`."""
    parser = commands.add_parser("replay", help="serve a fixture like a daemon or a server", description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("path", type=Path, metavar="FILE_OR_DIR", help="a recording, or a folder of recordings")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="port to listen on (any free one)")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=_speed, metavar="X", help="play X times as fast (default: without any pauses)")
    pace.add_argument(
        "--original-timing", dest="speed", action="store_const", const=1.0, help="play as fast as recorded"
    )
    faults = ". ".join(f"{network.title}: {'; '.join(network.faults.values())}" for network in NETWORKS.values())
    parser.add_argument("--fault", action="append", default=[], metavar="KIND:N", help=faults)
    parser.add_argument("--exit-when-done", action="store_true", help="exit after the last event")
    parser.set_defaults(run=_run)


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise ValueError(text)
    return speed


def _run(arguments: argparse.Namespace) -> int:
    return asyncio.run(serve(arguments, console()))


async def serve(arguments: argparse.Namespace, output: Console) -> int:
    """Serve until Ctrl-C or, with --exit-when-done, until the last event; return the exit status."""
    network = NETWORKS[arguments.network]
    replay = network.replay(arguments.path, _faults(arguments.fault, network.faults), arguments.speed)
    async with interruptible() as stop:
        try:
            await replay.server.start(arguments.port, arguments.host)
        except OSError as exc:
            raise ConfigError([f"--host, --port: {exc.strerror}"]) from exc
        playing, stopped = asyncio.create_task(replay.playback.run()), asyncio.create_task(stop.wait())
        try:
            variables = replay.variables(replay.server.url)
            _say(output, " ".join(f"{name}={value}" for name, value in variables.items()))
            await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            _say(output, f"played {replay.playback.played} of {replay.events} events")
            if playing.done():
                playing.result()
                await asyncio.wait({stopped}, timeout=_LINGER_SECONDS if arguments.exit_when_done else None)
        finally:
            playing.cancel()
            stopped.cancel()
            await asyncio.gather(playing, stopped, return_exceptions=True)
            await replay.server.stop()
    return 0


def _say(output: Console, line: str) -> None:
    output.print(line, markup=False, highlight=False, soft_wrap=True)


def _faults(texts: list[str], kinds: Collection[str]) -> Faults:
    """Parse the faults. Raises ConfigError that lists every invalid one."""
    faults, wrong = [], []
    for text in texts:
        try:
            faults.append(fault_of(text, kinds))
        except ValueError as exc:
            wrong.append(f"--fault {text}: {exc}")
    if wrong:
        raise ConfigError(wrong)
    return Faults(faults)
