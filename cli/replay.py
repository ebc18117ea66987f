"""`replay`: a recorded fixture served as if it were the daemon or the server it came from, faults on demand."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console

from ..common.core.errors import ConfigError
from ..common.recording.playback import Faults, delays, fault_of
from .foreground import interruptible
from .output import console

_LINGER_SECONDS = 1.0
"""How long a client may take to read the last events."""
_FAULTS = """cut:N or silence:N after event N; status:CODE instead of a stream; on Signal also half:N in the middle of
event N, duplicate:N, late-headers:SECONDS; on Mattermost also gap:N, a number skipped before event N"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """`replay signal|mattermost PATH [--port N] [--host H] [--speed X | --original-timing] [--fault F] …`"""
    parser = commands.add_parser("replay", help="serve a fixture as a daemon or a server", description=__doc__)
    parser.add_argument("network", choices=("signal", "mattermost"))
    parser.add_argument("path", type=Path, metavar="FILE_OR_DIR", help="a recording, or a folder of them")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port to listen on (any free one)")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--speed", type=_speed, metavar="X", help="X times as fast as recorded; else all at once")
    pace.add_argument("--original-timing", dest="speed", action="store_const", const=1.0, help="as it was recorded")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND:N", help=_FAULTS)
    parser.add_argument("--exit-when-done", action="store_true", help="end when all is played")
    parser.set_defaults(run=_run)


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise ValueError(text)
    return speed


def _run(arguments: argparse.Namespace) -> int:
    return asyncio.run(serve(arguments, console()))


class Server(Protocol):
    """What stands in for a daemon or a server."""

    url: str

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None: ...

    async def stop(self) -> None: ...


class Playback(Protocol):
    """What plays a recording on it."""

    played: int

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Stage:
    """`settings` tells, of the server's URL, what to set in a gateway so that it listens."""

    server: Server
    playback: Playback
    events: int
    settings: Callable[[str], str]


async def serve(arguments: argparse.Namespace, told: Console) -> int:
    """Serve until Ctrl-C or, where that is asked for, until all is played; the exit status."""
    stage = _signal(arguments) if arguments.network == "signal" else _mattermost(arguments)
    async with interruptible() as stop:
        try:
            await stage.server.start(arguments.port, arguments.host)
        except OSError as exc:
            raise ConfigError([f"--host, --port: {exc.strerror}"]) from exc
        playing, stopped = asyncio.create_task(stage.playback.run()), asyncio.create_task(stop.wait())
        try:
            _say(told, stage.settings(stage.server.url))
            await asyncio.wait({playing, stopped}, return_when=asyncio.FIRST_COMPLETED)
            _say(told, f"{stage.playback.played} of {stage.events} events were played")
            if playing.done():
                playing.result()
                await asyncio.wait({stopped}, timeout=_LINGER_SECONDS if arguments.exit_when_done else None)
        finally:
            playing.cancel()
            stopped.cancel()
            await asyncio.gather(playing, stopped, return_exceptions=True)
            await stage.server.stop()
    return 0


def _say(told: Console, line: str) -> None:
    told.print(line, markup=False, highlight=False, soft_wrap=True)


def _signal(arguments: argparse.Namespace) -> Stage:
    from ..adapters.signal.recording import daemon, fixture

    case = fixture.load(arguments.path)
    replayed = daemon.ReplayDaemon(case.account, case.contacts, case.groups)
    faults = _faults(arguments.fault, daemon.FAULTS)
    playback = daemon.Playback(replayed, case.events, delays(case.times, arguments.speed), faults)
    return Stage(
        replayed, playback, len(case.events), lambda url: f"SIGNAL_HTTP_URL={url} SIGNAL_ACCOUNT={case.account}"
    )


def _mattermost(arguments: argparse.Namespace) -> Stage:
    from ..adapters.mattermost.recording import fixture, playback

    case = fixture.load(arguments.path)
    server = case.server()
    faults = _faults(arguments.fault, playback.FAULTS)
    playing = playback.Playback(server, case.frames, delays(case.times, arguments.speed), faults)
    return Stage(server, playing, len(case.frames), lambda url: f"MATTERMOST_URL={url} MATTERMOST_TOKEN={server.token}")


def _faults(texts: list[str], kinds: frozenset[str]) -> Faults:
    """Raises ConfigError with every text that is no fault of this network."""
    faults, wrong = [], []
    for text in texts:
        try:
            faults.append(fault_of(text, kinds))
        except ValueError as exc:
            wrong.append(f"--fault {text}: {exc}")
    if wrong:
        raise ConfigError(wrong)
    return Faults(faults)
