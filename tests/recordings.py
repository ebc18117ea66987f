"""Shared by the tests of commands: command lines, and the shape of decoded messages for `record` and `replay`."""

from __future__ import annotations

import argparse
import asyncio
import io
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hermes_hardened_adapters.cli import main
from hermes_hardened_adapters.common.core.events import Address, Inbound
from hermes_hardened_adapters.common.host.setup import Setup
from rich.console import Console


class Shape:
    """Numbers identities in order of appearance, so that two recordings can be compared without them."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def number(self, identity: object) -> int | None:
        return self._numbers.setdefault(identity, len(self._numbers)) if identity else None

    def of_all(self, inbounds: Iterable[object]) -> list[object]:
        return [self.of(inbound) if isinstance(inbound, Inbound) else repr(inbound) for inbound in inbounds]

    def of(self, inbound: Inbound) -> tuple[object, ...]:
        """Return everything that decisions depend on, with numbers for identities."""
        quote = inbound.quote
        return (
            inbound.origin,
            inbound.contentless,
            inbound.to_self,
            inbound.broadcast,
            inbound.opens_group,
            self._who(inbound.sender),
            *map(self.number, (inbound.message_id, inbound.sender_name, inbound.chat.id, inbound.chat.name)),
            *map(self.number, (inbound.chat.thread, inbound.edits, inbound.deletes)),
            [(self._who(mention.address), mention.span) for mention in inbound.mentions],
            quote and (self.number(quote.message_id), self._who(quote.author), len(quote.text)),
            [(self.number(a.id), a.content_type, bool(a.filename), a.size) for a in inbound.attachments],
            len(inbound.text),
            [character.isspace() or (character.isascii() and not character.isalnum()) for character in inbound.text],
        )

    def _who(self, address: Address) -> tuple[int | None, int | None]:
        return self.number(address.id), self.number(address.number)


def arguments(*argv: str | Path) -> argparse.Namespace:
    """Parse a command line with the command's own parser."""
    parser = argparse.ArgumentParser()
    main.add_commands(parser)
    return parser.parse_args([str(argument) for argument in argv])


def setup(home: Path, **extras: dict[str, object]) -> Setup:
    """Return a set-up in which those platforms are configured."""
    return Setup(home, {}, extras)


def captured_console() -> tuple[Console, io.StringIO]:
    """Return a console and the buffer it prints to."""
    output = io.StringIO()
    return Console(file=output, width=400), output


async def operated(*command: str) -> int:
    """Run a command of the operator's as another process would, and return its exit status."""
    try:
        return await asyncio.to_thread(main.main, list(command))
    except SystemExit as exc:
        return int(str(exc.code))


async def interrupted(task: asyncio.Task[Any]) -> Any:
    """Press Ctrl-C and return the result of the task."""
    os.kill(os.getpid(), signal.SIGINT)
    return await asyncio.wait_for(task, 5)


def names(folder: Path) -> set[str]:
    """Return the names of the files in a folder."""
    return {path.name for path in folder.iterdir()}
