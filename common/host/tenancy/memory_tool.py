"""Calls of Hermes' own memory tool, on the files of one context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...tenancy import memory
from ..contract import table
from . import reviews
from .store import Store


def call(args: Mapping[str, Any], store: Store) -> str:
    """Carry out a call of the tool on a store; return the host's answer. Raises Unknown as `open_store` does."""
    known = {name: args[name] for name in ("action", "target", "old_text", "operations") if name in args}
    if store.context:
        # Somebody may have deleted it since the store was opened.
        memory.make_folder(store.home, store.context)
    try:
        if store.context and (answer := reviews.reviewed(args, store)) is not None:
            return answer
        content = args.get("content") or args.get("new_text")
        answer = str(table.MEMORY_TOOL(**known, content=content, store=store.hosts))
        return reviews.taken_over(answer, store) if store.context else answer
    finally:
        if store.context:
            memory.make_private(store.folder)
