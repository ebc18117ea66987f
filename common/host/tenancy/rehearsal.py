"""Tries what memory per chat leans on in the installed Hermes, in a temporary home, before a platform starts.

Names and signatures are the contract's; this finds out whether Hermes still does what we rely on: it refuses sealed
calls, writes memory where its store says, and searches the sessions of our connection alone.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...tenancy import memory, sealing
from ...tenancy.answers import succeeded
from ...tenancy.contexts import BUILT_IN, Contexts
from .. import profile
from ..contract import table
from . import memory_tool, recall, store

logger = logging.getLogger(__name__)

_PLATFORM = "rehearsal"
_MINE, _OTHERS = "mine", "others"
_WORD = "rehearsalword"
_SIZES = store.Limits(2_000, 2_000)

_passed = threading.Event()
_rehearsing = threading.Lock()


def faults() -> list[str]:
    """Return what Hermes does otherwise than we need, none if all is well. Tries it once in a process until it is."""
    with _rehearsing:
        if _passed.is_set():
            return []
        found = list(_rehearse())
        if not found:
            _passed.set()
        return found


def _rehearse() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="hermes-rehearsal-", ignore_cleanup_errors=True) as folder:
        home = Path(folder).resolve()
        with profile.entered(home):
            for scene in (_sealed_memory, _own_memory, _sealed_search, _own_search):
                try:
                    fault = scene(home)
                except Exception as exc:
                    logger.debug("a rehearsal stopped", exc_info=True)
                    fault = f"{scene.__name__.strip('_')} stopped with {type(exc).__name__}"
                if fault:
                    yield fault


# -- scenes: each returns a fault, empty if there is none


def _sealed_memory(home: Path) -> str:
    """Try whether the host's memory tool refuses a sealed call, for a single entry and for a batch."""
    for call in _calls():
        hosts = table.MEMORY_STORE(memory_char_limit=_SIZES.memory, user_char_limit=_SIZES.user)
        sealed = sealing.sealed(sealing.MEMORY, {"target": "memory", **call})
        answer = table.MEMORY_TOOL(**{"action": "", "content": None, "operations": None, **sealed}, store=hosts)
        if succeeded(answer) or _written(home):
            return "its memory tool carries out a sealed call"
    return ""


def _own_memory(home: Path) -> str:
    """Try whether the host's store writes the files that `_path_for` names, and no other."""
    opened = store.open_store(home, _MINE, _SIZES)
    for target, name in memory.FILES.items():
        for call in _calls():
            memory_tool.call({"target": target, **call}, opened)
        if not any(_WORD in entry for entry in memory.entries(opened.folder / name)):
            return "its memory store writes nothing where it is told to"
    if any(opened.folder not in file.parents for file in _written(home)):
        return "its memory store writes elsewhere than it is told to"
    return ""


def _sealed_search(home: Path) -> str:
    """Try whether the host's session_search finds nothing for a sealed call, whatever is stored."""
    with _sessions(home) as database:
        sealed = sealing.sealed(sealing.SEARCH, {"query": _WORD})
        known = {name: sealed[name] for name in ("query", "session_id")}
        answer = str(table.SESSION_SEARCH(**known, db=database, current_session_id=_MINE))
    return "its session_search carries out a sealed call" if succeeded(answer) or _WORD in answer else ""


def _own_search(home: Path) -> str:
    """Try whether the host's session_search finds the sessions of one chat through our connection, and no other."""
    contexts = Contexts(BUILT_IN["chat"])
    answer = recall.search({"query": _WORD}, "", contexts, (f"{_PLATFORM}:{_MINE}",))
    if f"{_WORD} {_OTHERS}" in answer:
        return "its session_search finds sessions of other chats"
    return "" if f"{_WORD} {_MINE}" in answer else "its session_search does not find the sessions of a chat"


# -- properties


def _calls() -> tuple[dict[str, Any], ...]:
    one = {"action": "add", "content": f"{_WORD} alone"}
    return one, {"operations": [{**one, "content": f"{_WORD} in a batch"}]}


@contextmanager
def _sessions(home: Path) -> Iterator[Any]:
    """Yield a database of the host's with a session of each of two chats."""
    database = table.SESSION_DB(db_path=home / "state.db")
    try:
        for chat in (_MINE, _OTHERS):
            database.create_session(session_id=chat, source=_PLATFORM)
            database.record_gateway_session_peer(
                chat, source=_PLATFORM, user_id=chat, session_key=chat, chat_id=chat, chat_type="group"
            )
            database.append_message(session_id=chat, role="user", content=f"{_WORD} {chat}")
        yield database
    finally:
        database.close()


def _written(home: Path) -> list[Path]:
    """Return the files of memory in a home that hold the word."""
    files = (path for path in home.rglob("*") if path.is_file() and not path.name.startswith("state.db"))
    return [path for path in files if _WORD.encode() in path.read_bytes()]
