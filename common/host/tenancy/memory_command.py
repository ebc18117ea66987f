"""`/memory` in a chat: what waits for approval in the chat's own context. Hermes' own shows everybody everything."""

from __future__ import annotations

import logging
import re
import threading
import uuid
from collections.abc import Sequence

from ...core.wording import Foreign
from ...tenancy import memory
from ...tenancy.chats import Chat, Operation
from ...tenancy.contexts import GLOBAL
from ...tenancy.reviews import Waiting, discard, discard_all, operations, waiting
from ..contract import table
from . import reviews, store
from .tenant import Tenant

logger = logging.getLogger(__name__)

_APPROVE, _REJECT = frozenset({"approve", "apply"}), frozenset({"reject", "deny", "drop"})
_SWITCH = frozenset({"approval", "mode"})
_ALL_CHATS = "global"
_USAGE = "/memory pending | approve ID | reject ID (or `all` in place of ID)"
_NOT_HERE = "⛔ What waits for the memory of all chats is for an admin (allow_admin_from), in a direct message."
_SHOWN = 400
"""Characters of a write that a list shows."""
_ID = re.compile(r"[\w-]{1,64}")

_deciding = threading.Lock()


def is_switch(words: Sequence[str]) -> bool:
    """Return True if the words turn reviews on or off, for all chats at once."""
    return len(words) > 1 and words[0].lower() in _SWITCH


def answer(here: Tenant, chat: Chat, words: Sequence[str], is_operator: bool) -> str:
    """Carry out the command for a chat; return what to say. Raises Unknown if the chat's context cannot be told."""
    command, rest = (words[0].lower() if words else ""), words[1:]
    if command in _SWITCH:
        return "⛔ That is for an admin (allow_admin_from), in a direct message." if rest else _state()
    if command == _ALL_CHATS:
        return _of_all_chats(here, rest) if is_operator else _NOT_HERE
    mine = here.of(chat, Operation.WRITE)
    if mine == GLOBAL:
        return _of_all_chats(here, words) if chat.chat_type == "dm" else _NOT_HERE
    return _carry_out(here, mine[0], command, rest[0] if rest else "")


def _carry_out(here: Tenant, context: str, command: str, which: str) -> str:
    waits = waiting(memory.folder(here.home, context))
    if command in {"", "pending"}:
        return "\n\n".join(filter(None, ("" if command else _state(), _listed(waits))))
    if command not in _APPROVE | _REJECT or not which:
        return _USAGE
    with _deciding:
        # Somebody may have decided about it meanwhile.
        waits = waiting(memory.folder(here.home, context))
        if command in _APPROVE:
            chosen = [each for each in waits if which.lower() in {each.id, "all"}]
            return _approve(here, context, chosen) if chosen else _none(which)
        return _reject(here, context, which.lower())


def _approve(here: Tenant, context: str, chosen: Sequence[Waiting]) -> str:
    failed = []
    for each in chosen:
        if why := _fault(here, context, each):
            failed.append(f"  {each.id}: {Foreign(why)}")
        else:
            discard(memory.folder(here.home, context), each.id)
    said = f"Approved {len(chosen) - len(failed)} memory write(s)."
    return "\n".join([said, "Failed:", *failed]) if failed else said


def _fault(here: Tenant, context: str, write: Waiting) -> str:
    """Make a write; return why that failed, empty if it did not."""
    if write.payload.get("target") not in here.targets:
        return "This memory is switched off in config.yaml."
    # A store of its own: Hermes counts the failures of a turn on it.
    opened: store.Store = here.store(f"review-{uuid.uuid4()}", context)
    try:
        result = table.APPLY_PENDING(dict(write.payload), opened.hosts)
    except Exception as exc:
        logger.error("an approved memory write failed (%s)", type(exc).__name__)
        return "The write is damaged. Reject it."
    finally:
        memory.make_private(opened.folder)
    return "" if result.get("success") else str(result.get("error") or "failed")


def _reject(here: Tenant, context: str, which: str) -> str:
    folder = memory.folder(here.home, context)
    if which == "all":
        return f"Rejected {discard_all(folder)} pending memory write(s)."
    return f"Rejected pending memory write '{which}'." if discard(folder, which) else _none(which)


def _none(which: str) -> str:
    return "No pending memory writes." if which == "all" else "No pending memory write with that id."


def _listed(waits: Sequence[Waiting]) -> str:
    if not waits:
        return "No pending memory writes."
    lines = [f"Pending memory writes of this chat ({len(waits)}):"]
    for each in waits:
        tag = " [auto]" if each.origin == "background_review" else ""
        lines.append(f"  {each.id}{tag}  {Foreign(each.summary, _SHOWN)}")
        lines += (f"      {line}" for line in _changed(each))
    return "\n".join([*lines, "", "Apply: /memory approve <id>   Reject: /memory reject <id>   (or `all`)"])


def _changed(write: Waiting) -> list[str]:
    """Return the whole entries that a write changes, in hosts that note them."""
    return [
        f"{each.get('action')}s entry: {Foreign(str(each['matched_entry']), _SHOWN)}"
        for each in operations(write.payload)
        if each.get("matched_entry")
    ]


def _state() -> str:
    return f"memory.write_approval = {'on' if reviews.are_wanted() else 'off'}"


def _of_all_chats(here: Tenant, words: Sequence[str]) -> str:
    """Carry out the command on Hermes' own queue, of writes to the memory of all chats."""
    if not all(map(_ID.fullmatch, words)) or is_switch(words):
        return _USAGE
    opened: store.Store = here.store(f"review-{uuid.uuid4()}", store.HOST_MEMORY)
    said = table.PENDING_COMMAND(reviews.MEMORY, list(words), memory_store=opened.hosts)
    return _USAGE if said is None else str(said)
