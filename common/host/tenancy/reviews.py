"""Memory writes that have to be approved: a context's wait in its own folder, never in Hermes' queue of all chats.

Hermes has writes reviewed with `memory.write_approval: true`, and since 0.21.5 what its background review takes away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from ...tenancy.answers import failed
from ...tenancy.memory import FILES
from ...tenancy.reviews import Full, described, operations, stage
from ..contract import table
from .store import Store

MEMORY = "memory"
"""The host's name of these writes; skills have a queue of their own."""
_NEEDS = {"add": ("content",), "remove": ("old_text",), "replace": ("content", "old_text")}
_NEEDS["patch"] = _NEEDS["replace"]
_SUMMARY = 120
_UNATTENDED = (
    "The background review may not change or delete entries unattended. It was staged for approval: /memory pending."
)
_FULL = "Too many writes wait for approval here (/memory pending), or this one is too long. Nothing was saved."


def are_wanted() -> bool:
    """Return True if the operator wants to approve every write."""
    return bool(table.WRITE_APPROVAL(MEMORY))


def reviewed(args: Mapping[str, Any], store: Store) -> str | None:
    """Return the answer to a write that has to be approved, None for one that the host makes at once, or refuses."""
    payload = _payload(args)
    wanted = are_wanted()
    if not (wanted or _is_unattended(payload)) or not _is_complete(payload):
        return None
    if not all(operations(payload)):
        return failed("operations must be a list of {action, content?, old_text?} objects.")
    summary, message = _summary(payload), _UNATTENDED
    if wanted:
        # Asks at once where somebody can answer at once: in the operator's terminal.
        decision = table.EVALUATE_GATE(MEMORY, inline_summary=summary, inline_detail=_detail(payload))
        if decision.blocked:
            return failed(str(decision.message))
        if decision.allow:
            return _pin(payload, store) or json.dumps(table.APPLY_PENDING(payload, store.hosts), ensure_ascii=False)
        message = str(decision.message)
    return _pin(payload, store) or _staged(store, summary, str(table.WRITE_ORIGIN()), payload, message)


def taken_over(answer: str, store: Store) -> str:
    """Return the host's answer to a write. Should the host have queued it after all, it moves into the context's queue.

    The setting may have changed meanwhile, and a newer host may have other reasons.
    """
    reply = json.loads(answer) if '"pending_id"' in answer else None
    if not isinstance(reply, dict) or not reply.get("staged"):
        return answer
    identity = str(reply.get("pending_id"))
    record = table.GET_PENDING(MEMORY, identity)
    table.DISCARD_PENDING(MEMORY, identity)
    if not isinstance(record, dict):
        return failed("Nothing was saved.")
    summary, origin = str(record.get("summary")), str(record.get("origin"))
    return _staged(store, summary, origin, record["payload"], str(reply.get("message")))


def _staged(store: Store, summary: str, origin: str, payload: Mapping[str, Any], message: str) -> str:
    try:
        identity = stage(store.folder, summary, origin, time.time(), payload)
    except Full:
        return failed(_FULL)
    return json.dumps({"success": True, "staged": True, "pending_id": identity, "message": message}, ensure_ascii=False)


def _payload(args: Mapping[str, Any]) -> dict[str, Any]:
    """Return the host's form of a call."""
    target = args.get("target") or "memory"
    if operations := args.get("operations"):
        return {"action": "batch", "target": target, "operations": operations}
    content = args.get("content") or args.get("new_text")
    return {"action": args.get("action"), "target": target, "content": content, "old_text": args.get("old_text")}


def _is_complete(payload: Mapping[str, Any]) -> bool:
    """Return False for a call that the host refuses before any review, with an answer that helps the model."""
    if payload["target"] not in FILES:
        return False
    if payload["action"] == "batch":
        return True
    known = table.MEMORY_SCHEMA.load()["parameters"]["properties"]["action"]["enum"]
    action = payload["action"]
    return action in known and action in _NEEDS and all(payload[name] for name in _NEEDS[action])


def _is_unattended(payload: Mapping[str, Any]) -> bool:
    """Return True for what the host's background review takes away, in hosts that have such writes reviewed."""
    is_unattended = table.UNATTENDED_REVIEW.optional()
    return bool(is_unattended and is_unattended()) and any(op.get("action") != "add" for op in operations(payload))


def _pin(payload: dict[str, Any], store: Store) -> str | None:
    """Note in the payload which entries it changes, so that nobody approves another change; return why there are none.

    Hosts before 0.21.5 look for the entry when the write is approved.
    """
    pin = table.PIN_ENTRIES.optional()
    fault: str | None = pin(store.hosts, payload) if pin else None
    return fault


def _summary(payload: Mapping[str, Any]) -> str:
    label = "user profile" if payload["target"] == "user" else "memory"
    detail = " ".join(_detail(payload).split())[:_SUMMARY]
    return f"{payload['action']} in {label}: {detail}"


def _detail(payload: Mapping[str, Any]) -> str:
    return "; ".join(described(op) for op in operations(payload))
