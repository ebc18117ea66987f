"""`install`: puts the plugin where an update of Hermes keeps it, and enables it."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..common.core.errors import InstallError
from ..common.host import profile
from ..common.host.wrapper import enabling, files
from ..common.host.wrapper.origin import installed
from ..common.settings import environment
from .output import say


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `install [--check]`."""
    parser = commands.add_parser("install", help="install the plugin so that updates of Hermes keep it, and enable it")
    parser.add_argument("--check", action="store_true", help="change nothing; exit with 1 if there is something to do")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    has_hermes = enabling.has_hermes()
    home = profile.home() if has_hermes else _home()
    origin = installed()
    wrapper = files.contents(origin)
    stale = files.outdated(home, wrapper)
    must_enable = has_hermes and not enabling.is_enabled(home)
    if arguments.check:
        if stale:
            say(f"To do: write {', '.join(stale)} in {files.folder(home)}.")
        if must_enable:
            say("To do: enable the plugin.")
        return int(bool(stale) or must_enable)
    if stale:
        files.write(home, wrapper, stale)
        say(f"Wrote {', '.join(stale)} in {files.folder(home)}.")
        say(f"An update of Hermes will install the plugin again from there: {origin.pip}")
    if must_enable:
        enabling.enable(home)
        say("Enabled the plugin, without permission to override tools.")
    if not has_hermes:
        say(f"Hermes is not in this Python environment. Next: run `{enabling.COMMAND}`, then restart the gateway.")
    elif stale or must_enable:
        say("Next: check the setup with `hermes adapters doctor`, then restart the gateway.")
    else:
        say("Nothing to do: the plugin is installed and enabled.")
    return 0


def _home() -> Path:
    """Return the Hermes home for a Python environment without Hermes. Raises InstallError if there is none."""
    home = Path(environment.value("HERMES_HOME") or "~/.hermes").expanduser()
    if not home.is_dir():
        raise InstallError(f"there is no Hermes home at {home}: set HERMES_HOME")
    return home
