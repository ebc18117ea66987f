"""One argparse tree for both ways in. Every command is a module of this package with `add` and a `run` of its own.

Exit status: 0 all is well, 1 something is not, 2 the command itself could not be carried out.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from importlib import import_module

from ..common.core.errors import HardenedError
from .output import say

Run = Callable[[argparse.Namespace], int]

_COMMANDS = ("doctor", "status", "trace", "groups", "people", "record", "replay")
"""Modules, in the order of the help text."""


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Give a parser one subcommand for each module."""
    commands = parser.add_subparsers(title="commands", metavar="command", required=True)
    for name in _COMMANDS:
        import_module(f".{name}", __package__).add(commands)


def run(arguments: argparse.Namespace) -> int:
    """Carry out the command the parser chose; the exit status."""
    # The host's own words on the way to its configuration are not this command's.
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
    """Parse and carry out; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m hermes_hardened_adapters", description=import_module(__package__).__doc__
    )
    add_commands(parser)
    return run(parser.parse_args(argv))
