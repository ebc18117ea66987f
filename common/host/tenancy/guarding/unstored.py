"""Refuses to store anything in turns with messages that disappear from their chats, and in reviews of such turns."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from ....tenancy import guard
from ....tenancy.ephemeral import NOT_REVIEWED, NOT_STORED
from ...contract import table
from ...waiting import ephemeral
from .. import profiles, session

logger = logging.getLogger(__name__)

_REVIEW = "background_review"
"""The host's word for what it writes without being asked."""


def turn_began(session_id: str, shown: object) -> None:
    """Note what the model is shown at the beginning of a turn. Called by the hook `pre_llm_call`."""
    # A review has the id of the session that it is about, whose next turn may run meanwhile.
    if isinstance(shown, str) and shown and not _is_review():
        ephemeral.began(session_id, session.key(), shown)


def shown(session_id: str, request: Mapping[str, Any]) -> None:
    """Note the conversation that a review is shown. Called for each request to the model; raises nothing."""
    try:
        if _is_review():
            ephemeral.reviewed(session_id, json.dumps(request, ensure_ascii=False, default=str))
    except Exception as exc:
        logger.error("the request of a review could not be read (%s)", type(exc).__name__)


def refusal(tool: str, args: Mapping[str, Any], session_id: str) -> str | None:
    """Return why the current turn may not have this call, None if it may."""
    if not _is_review():
        return NOT_STORED if ephemeral.in_turn(session_id, session.key()) and _stores(tool, args) else None
    if not _stores(tool, args):
        return None
    line, _ = profiles.line(session_id)
    return NOT_REVIEWED if ephemeral.in_session({session_id, *(stored.id for stored in line)}) else None


def _stores(tool: str, args: Mapping[str, Any]) -> bool:
    try:
        return any(map(guard.stores, guard.calls(tool, args)))
    except (guard.Malformed, RecursionError):
        return True


def _is_review() -> bool:
    return bool(table.WRITE_ORIGIN() == _REVIEW)
