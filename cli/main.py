"""The argparse tree for both entry points. Each module in `_COMMANDS` adds one command with its own `run`.

Exit status: 0 if all is well, 1 if the command found a problem, 2 if the command itself failed.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from importlib import import_module

from ..adapters.networks import NETWORKS
from ..common.core.errors import HardenedError
from .output import say, write_json

Run = Callable[[argparse.Namespace], int]

_COMMANDS = ("install", "doctor", "status", "trace", "groups", "memory", "record", "replay")
"""The modules of the commands, in the order of the help text."""


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the command of each module, and those of the networks."""
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for name in _COMMANDS:
        import_module(f".{name}", __package__).add(commands)
    for network in NETWORKS.values():
        if network.add_commands is not None:
            network.add_commands(commands, say, write_json)


def run(arguments: argparse.Namespace) -> int:
    """Run the chosen command and return the exit status."""
    # Loading Hermes' configuration logs lines that do not belong to the command's output.
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    chosen: Run = arguments.run
    try:
        return chosen(arguments)
    except HardenedError as exc:
        say(str(exc), style="red", stderr=True)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        root.setLevel(level)


def main(argv: Sequence[str]) -> int:
    """Parse the arguments, run the command and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m hermes_hardened_adapters", description="Operate the hardened adapters."
    )
    add_commands(parser)
    return run(parser.parse_args(argv))
