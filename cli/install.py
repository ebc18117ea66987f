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
    if stale:
        if not arguments.check:
            files.write(home, wrapper, stale)
        say(f"{'To write' if arguments.check else 'Wrote'}: {', '.join(stale)} in {files.folder(home)}.")
        say(f"From it, an update of Hermes installs the plugin again, as `pip install {origin.pip}` does.")
    if must_enable:
        if not arguments.check:
            enabling.enable(home)
        say(f"{'To enable' if arguments.check else 'Enabled'}: the plugin, without permission to override tools.")
    if not has_hermes:
        say(f"Hermes is not in this Python environment. Next: run `{enabling.COMMAND}`, then restart the gateway.")
    elif not (stale or must_enable):
        say("Nothing to do: the plugin is installed and enabled.")
    elif not arguments.check:
        say("Next: check the setup with `hermes adapters doctor`, then restart the gateway.")
    return int(arguments.check and (bool(stale) or must_enable))


def _home() -> Path:
    """Return the Hermes home for a Python environment without Hermes. Raises InstallError if there is none."""
    home = Path(environment.value("HERMES_HOME") or "~/.hermes").expanduser()
    if not home.is_dir():
        raise InstallError(f"there is no Hermes home at {home}: set HERMES_HOME")
    return home
