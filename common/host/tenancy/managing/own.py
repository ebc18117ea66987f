"""`/adapters memory`: shows and deletes what a chat has stored, in that chat, for people with that right (`RIGHTS`)."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ....core.errors import ConfigError, MemoryRefused
from ....core.wording import Foreign
from ....tenancy import memory
from ....tenancy.chats import Chat, Operation, Unknown
from ....tenancy.contexts import GLOBAL
from ....tenancy.inventory import Entry, Holding, Kind, entries, read
from .. import origins
from ..tenant import Tenant, tenant
from . import editing

logger = logging.getLogger(__name__)

COMMAND = "/adapters memory"
_USAGE = f"{COMMAND} | {COMMAND} forget NUMBER | {COMMAND} forget all"
_PEOPLE = "user"
_ENTRY_CHARACTERS = 3_000
_DIGITS = 6
_STAYS = "This conversation may still know it, until /new. The messages themselves stay in the history."
_PERSONAL = (
    "What I keep here is about you alone, and everybody here would read it. Ask me in a direct message; here you can"
    f" delete it: {COMMAND} forget all"
)


def answer(source: Any, words: Sequence[str], home: Path) -> str:
    """Answer the command in the chat that a message came from. Reads and writes files: call it in a thread.

    `home` is the HERMES_HOME of the adapter that got the message.
    """
    chat = origins.of_source(source)
    try:
        here = tenant()
        if here.home != home:
            raise Unknown("another profile is at work")
        reads, writes = here.of(chat, Operation.READ), here.of(chat, Operation.WRITE)
        return _Own(here, chat, reads, writes).carry_out([word.lower() for word in words])
    except Unknown as exc:
        return f"I cannot tell whose memory this chat uses ({exc}), so I show and delete nothing."
    except ConfigError:
        return "The settings of memory are wrong, so I show and delete nothing. `hermes adapters doctor` says why."
    except MemoryRefused as exc:
        logger.warning("a chat's memory was not changed on request (%s)", type(exc).__name__)
        return "Nothing was deleted: the file cannot be changed. The operator sees why with `hermes adapters memory`."


class _Own:
    """The memory of one chat. It knows no entry of another context but their number."""

    def __init__(self, here: Tenant, chat: Chat, reads: tuple[str, ...], writes: tuple[str, ...]) -> None:
        self._here = here
        self._chat = chat
        self._reads = reads
        self._context = writes[0] if writes != GLOBAL and writes[0] in reads else ""

    def carry_out(self, words: list[str]) -> str:
        if not self._context:
            return f"This chat stores nothing of its own.{self._others()}"
        folder = memory.folder(self._here.home, self._context)
        if not folder.exists():
            return f"This chat has stored nothing.{self._others()}"
        mine = read(folder, self._context, Kind.CONTEXT, self._context)
        match words:
            case []:
                return self._list(mine)
            case ["forget", "all"]:
                return self._forget_all(mine)
            case ["forget", number] if number.isdecimal() and len(number) <= _DIGITS:
                return self._forget(mine, int(number))
        return _USAGE

    def _list(self, mine: Holding) -> str:
        if mine.unreadable:
            return f"I cannot read what this chat has stored. To delete it: {COMMAND} forget all"
        if not mine.entries and not mine.waiting:
            return f"This chat has stored nothing.{self._others()}"
        if self._is_personal():
            return _PERSONAL
        return "\n".join(
            (
                f"This chat has stored {_counted(len(mine.entries))}.{self._others()}",
                *(f"{number}. {_shown(entry)}" for number, entry in enumerate(mine.entries, 1)),
                *(f"Waits for approval (/memory): {_shown(Entry(each.target, each.text))}" for each in mine.waiting),
                f"To delete: {COMMAND} forget NUMBER, or {COMMAND} forget all",
            )
        )

    def _forget(self, mine: Holding, number: int) -> str:
        if self._is_personal():
            return _PERSONAL
        entry = mine.entry(number)
        if entry is None:
            return f"There is no entry {number}: this chat has stored {_counted(len(mine.entries))}. See {COMMAND}"
        editing.remove(entry, self._here.open(self._context))
        return f"Deleted: {_shown(entry)}\n{_STAYS}"

    def _forget_all(self, mine: Holding) -> str:
        editing.clear(self._here.open(self._context))
        waits = f", and {len(mine.waiting)} that waited for approval" if mine.waiting else ""
        return f"Deleted {_counted(len(mine.entries))}{waits}.\n{_STAYS}"

    def _is_personal(self) -> bool:
        """Return True in a group where the policy gives other people another memory."""
        if self._chat.chat_type == "dm":
            return False
        somebody = replace(self._chat, user_id="", origin=self._chat.common_origin)
        try:
            return self._here.of(somebody, Operation.READ) != self._reads
        except Unknown:
            return True

    def _others(self) -> str:
        """Say how many entries are shown to the agent here that are not the chat's own."""
        home = self._here.home
        shared = sum(len(entries(memory.folder(home, each))) for each in self._reads if each != self._context)
        everybodys = 0
        if not self._here.settings.strict or self._here.settings.reads_global(self._chat):
            targets = self._here.targets
            everybodys = sum(entry.target in targets for entry in entries(memory.memories(home)))
        said = [f" {_counted(everybodys)} of all chats {_are(everybodys)} known here too."] if everybodys else []
        said += [f" {_counted(shared)} of contexts that it shares {_are(shared)} known here too."] if shared else []
        return "".join(said)


def _shown(entry: Entry) -> str:
    return ("(about people) " if entry.target == _PEOPLE else "") + Foreign(entry.text, _ENTRY_CHARACTERS)


def _counted(number: int) -> str:
    return f"{number} entry" if number == 1 else f"{number} entries"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
