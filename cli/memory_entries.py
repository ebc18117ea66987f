"""Memory on the terminal: what all commands of `memory` share."""

from __future__ import annotations

from ..adapters.networks import NETWORKS
from ..common.host.setup import load_setup
from ..common.host.tenancy.managing.overview import Overview, here
from ..common.tenancy.inventory import Entry
from .output import say


def overview() -> Overview:
    """Return all memory of the current profile. Raises HostContractError without Hermes."""
    load_setup(NETWORKS)
    return here()


def print_entry(title: str, entry: Entry) -> None:
    """Print an entry below its title, each of its lines indented, so that none imitates a title."""
    say(f"{title}  {entry.target}", style="cyan")
    for line in entry.text.splitlines():
        say(f"    {line}")


def ask(question: str) -> str:
    """Ask the operator a question; return one word or name. Raises EOFError at the end of the input."""
    say(question)
    return input("> ").strip()


def confirmed(question: str) -> bool:
    """Ask the operator a question; return True for yes, False for anything else and at the end of the input."""
    try:
        return ask(f"{question} [y/N]").lower() in {"y", "yes"}
    except EOFError:
        return False
