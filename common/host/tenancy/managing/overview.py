"""The operator's view of all memory of a HERMES_HOME: which chats use which context, and stores to change them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ....core.errors import ConfigError, StateError
from ....core.wording import Foreign, name
from ....state.hosts.chats import chat_rows
from ....tenancy.chats import Chat, Operation, Unknown
from ....tenancy.contexts import GLOBAL, GLOBAL_WORD
from ....tenancy.inventory import Holding, Kind, find, inventory, is_forks
from ... import profile
from ...contract import table
from .. import profiles, session, store
from ..tenant import Tenant


@dataclass(frozen=True, slots=True)
class KnownChat:
    """A chat with stored sessions, the Unix time of the start of the latest one, and the contexts that it uses.

    A chat whose contexts cannot be told has none; one that uses the memory of all chats has `GLOBAL_WORD`.
    """

    chat: Chat
    last: float
    reads: tuple[str, ...]
    writes: str

    @property
    def key(self) -> str:
        """Platform and id of the chat; of its channel for a thread."""
        return self.chat.names[-1] if self.chat.origin.get("parent_chat_id") else self.chat.key

    @property
    def name(self) -> Foreign:
        return name(self.chat.origin.get("chat_name"))

    @property
    def spellings(self) -> set[str]:
        """Every name by which an operator may call the chat."""
        return {*self.chat.names, self.chat.chat_id, str(self.name)} - {""}

    def __str__(self) -> str:
        return f"{self.name} ({self.key})" if self.name and str(self.name) != self.chat.chat_id else self.key


@dataclass(frozen=True, slots=True)
class Overview:
    """All memory of a HERMES_HOME. With `faults`, of settings or of Hermes' sessions, it can be read only in part."""

    home: Path
    holdings: list[Holding]
    chats: list[KnownChat] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _tenant: Tenant | None = None

    @property
    def tenant(self) -> Tenant:
        """Settings and contexts. Raises ConfigError if the settings are wrong."""
        if self._tenant is None:
            raise ConfigError(self.faults)
        return self._tenant

    def chats_of(self, holding: Holding) -> list[KnownChat]:
        """Return the chats that read a context; of a folder without a label, those that a fork may have meant."""
        if holding.kind is Kind.UNLABELLED:
            found = [each for each in self.chats if is_forks(holding.path.name, each.chat.platform, each.chat.chat_id)]
        else:
            found = [each for each in self.chats if holding.context in each.reads]
        return list({each.key: each for each in reversed(found)}.values())[::-1]

    def last_use(self, holding: Holding) -> float:
        """Return the Unix time of the last change, or of the start of the latest session of a chat that reads it."""
        chats = self.chats_of(holding) if holding.kind is Kind.CONTEXT else ()
        return max(holding.changed, *(each.last for each in chats), 0.0)

    def found(self, spelled: str) -> list[Holding]:
        """Return what is stored under a name of a context, a folder or a chat. Raises StateError for anything else."""
        if holding := find(spelled, self.holdings):
            return [holding]
        contexts = {context for each in self.chats if spelled in each.spellings for context in each.reads}
        if not contexts and (chat := _chat(spelled)):
            contexts = set(self._contexts_of(chat))
        if contexts:
            return [each for each in self.holdings if {each.name, each.context} & contexts]
        raise StateError(f"{spelled} is no known context or chat: see `memory contexts`")

    def one(self, spelled: str) -> Holding:
        """Return the one holding of that name. Raises StateError if there is none, or more than one."""
        match self.found(spelled):
            case [holding]:
                return holding
            case []:
                raise StateError(f"nothing is stored for {spelled}")
            case several:
                raise StateError(f"{spelled} reads several: give one of {', '.join(each.name for each in several)}")

    def target(self, spelled: str) -> str:
        """Return the context that a chat or a context by that name writes, `store.HOST_MEMORY` for `global`.

        Raises StateError or ConfigError.
        """
        contexts = self.tenant.contexts
        if spelled == GLOBAL_WORD:
            return store.HOST_MEMORY
        answers = {each.writes for each in self.chats if spelled in each.spellings}
        if not answers and spelled in {context for each in self.chats for context in each.reads}:
            answers = {spelled}
        if not answers and (holding := find(spelled, self.holdings)) and holding.kind is Kind.CONTEXT:
            answers = {holding.context}
        if not answers and (chat := _chat(spelled)):
            try:
                answers = {_first(contexts.of(chat, Operation.WRITE))}
            except Unknown as exc:
                raise StateError(f"whose memory {spelled} uses cannot be told ({exc})") from exc
        match sorted(answers - {""}):
            case ["global"]:
                raise StateError(f"{spelled} has no memory of its own: it uses that of all chats")
            case [context]:
                return context
            case []:
                raise StateError(f"{spelled} is no known chat or context: see `memory contexts`, or give platform:id")
            case several:
                raise StateError(f"{spelled} writes several contexts: give one of {', '.join(several)}")

    def contexts(self) -> Mapping[str, list[KnownChat]]:
        """Return every context that chats write or that has a folder, with the chats that read it, by name."""
        found = {each.writes for each in self.chats} - {"", GLOBAL_WORD}
        found |= {each.context for each in self.holdings if each.kind is Kind.CONTEXT}
        return {context: [each for each in self.chats if context in each.reads] for context in sorted(found)}

    def store_of(self, holding: Holding) -> store.Store:
        """Return a store to change a holding with."""
        folder = holding.path if holding.kind is Kind.UNLABELLED else None
        return self.tenant.open(holding.context or store.HOST_MEMORY, folder)

    def _contexts_of(self, chat: Chat) -> tuple[str, ...]:
        try:
            return self._tenant.contexts.of(chat, Operation.READ) if self._tenant else ()
        except Unknown:
            return ()


def look(home: Path) -> Overview:
    """Read all memory of the current HERMES_HOME. Never raises: what cannot be read is among the faults."""
    tenant: Tenant | None = None
    faults: list[str] = []
    try:
        tenant = Tenant(home, table.LOAD_WHOLE_CONFIG() or {})
    except ConfigError as exc:
        faults += exc.faults
    return Overview(home, inventory(home), list(_known(_rows(faults), tenant)), faults, tenant)


def here() -> Overview:
    """Read all memory of the current profile."""
    return look(profile.home())


def _rows(faults: list[str]) -> list[Mapping[str, object]]:
    """Return the latest session of each chat, thread and person of the current profile."""
    latest: dict[tuple[object, ...], Mapping[str, object]] = {}
    for path in profiles.databases():
        try:
            rows = chat_rows(path)
        except StateError as exc:
            faults.append(str(exc))
            continue
        for row in rows:
            if profiles.owner(path).is_own(row):
                latest.setdefault(tuple(row[each] for each in ("source", "chat_id", "thread_id", "user_id")), row)
    return list(latest.values())


def _known(rows: list[Mapping[str, object]], tenant: Tenant | None) -> Iterator[KnownChat]:
    for row in rows:
        chat, last = session.of_row(row), row["last"]
        reads: tuple[str, ...] = ()
        writes = ""
        if tenant is not None:
            try:
                reads = tenant.contexts.of(chat, Operation.READ) or (GLOBAL_WORD,)
                writes = _first(tenant.contexts.of(chat, Operation.WRITE))
            except Unknown:
                reads, writes = (), ""
        yield KnownChat(chat, float(last) if isinstance(last, (int, float)) else 0.0, reads, writes)


def _first(contexts: tuple[str, ...]) -> str:
    return GLOBAL_WORD if contexts == GLOBAL else contexts[0]


def _chat(spelled: str) -> Chat | None:
    """Return a chat that is written as `platform:id`."""
    platform, colon, chat_id = spelled.partition(":")
    return Chat(platform, chat_id) if colon and platform.isidentifier() and chat_id else None
