"""A chat's memory in the system prompt: the same bytes within a session, until it is compacted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from ...core.bounded import Bounded
from ...core.wording import Foreign
from ...tenancy import memory
from . import store
from .store import Limits

_KEEP = 4_000
_TITLES = {"memory": "MEMORY", "user": "PEOPLE"}
_OWN = "THIS CHAT (others see it only if the operator lets them share it)"


class Prompts:
    """The parts of system prompts, each made once for a session."""

    def __init__(self, home: Path, sizes: Limits) -> None:
        self._home = home
        self._sizes = sizes
        self._made: Bounded[tuple[str, tuple[str, ...], int], str] = Bounded(_KEEP)
        self._lock = threading.Lock()

    def text(self, session_id: str, contexts: Sequence[str], compaction: int, targets: Sequence[str]) -> str:
        """Return the memory of contexts, the chat's own first; empty if there is none. "" among them is the global one.

        `compaction` is a number that changes when the host has compacted the conversation: it reads its memory anew
        then. Raises Unknown if a context can have no memory.
        """
        key = (session_id, tuple(contexts), compaction)
        # One at a time: two requests of a session must not read what was written between them.
        with self._lock:
            made = self._made.get(key)
            if made is None:
                parts = (self._part(context, n, target) for n, context in enumerate(contexts) for target in targets)
                made = "\n\n".join(filter(None, parts))
            if session_id:
                # Also one that was there: the sessions in use are kept.
                self._made.put(key, made)
        return made

    def _part(self, context: str, n: int, target: str) -> str:
        folder = memory.folder(self._home, context) if context else memory.memories(self._home)
        whose = f"“{Foreign(context)}”" if n else _OWN
        title = f"{_TITLES[target]} OF {whose if context else 'ALL CHATS'}"
        return store.block(folder, target, title, self._sizes.of(target))
