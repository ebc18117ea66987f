"""The messages in which a question waits, on disk: after a restart they show that it expired."""

from __future__ import annotations

import json

from ...asking.prompts import Place, Prompts
from ...core.errors import StateError
from ...state import meta
from ...state.store import Store


def keep(store: Store, network: str, prompts: Prompts) -> None:
    """Write the places of the open questions; they are on disk with the next commit."""
    store.write(*meta.put(_key(network), json.dumps(prompts.open_places())))


async def earlier(store: Store, network: str) -> list[Place]:
    """Return the places that were written last, none if they cannot be read."""
    try:
        rows = json.loads(await meta.load(store, _key(network)) or "[]")
    except (StateError, ValueError):
        return []
    pairs = (row for row in rows if isinstance(row, list) and len(row) == 2) if isinstance(rows, list) else ()
    return [(str(chat), str(message)) for chat, message in pairs]


def _key(network: str) -> str:
    return f"{network} prompts"
