"""What the tests of `record` and `replay` share: the shape of decoded messages, and the commands as typed."""

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
    """Numbers identities in the order in which they are met, so that two recordings can be compared without them."""

    def __init__(self) -> None:
        self._numbers: dict[object, int] = {}

    def number(self, identity: object) -> int | None:
        return self._numbers.setdefault(identity, len(self._numbers)) if identity else None

    def of_all(self, inbounds: Iterable[object]) -> list[object]:
        return [self.of(inbound) if isinstance(inbound, Inbound) else repr(inbound) for inbound in inbounds]

    def of(self, inbound: Inbound) -> tuple[object, ...]:
        """Everything a decision looks at, and who is who."""
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
    """A command line as the command's own parser reads it."""
    parser = argparse.ArgumentParser()
    main.add_commands(parser)
    return parser.parse_args([str(argument) for argument in argv])


def setup(home: Path, **extras: dict[str, object]) -> Setup:
    """A set-up in which those platforms are configured."""
    return Setup(home, {}, extras)


def told() -> tuple[Console, io.StringIO]:
    """A console, and what is printed on it."""
    output = io.StringIO()
    return Console(file=output, width=400), output


async def interrupted(task: asyncio.Task[Any]) -> Any:
    """Ctrl-C, and what the task returns then."""
    os.kill(os.getpid(), signal.SIGINT)
    return await asyncio.wait_for(task, 5)


def names(folder: Path) -> set[str]:
    """The files in a folder."""
    return {path.name for path in folder.iterdir()}
