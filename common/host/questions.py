"""Commands and answers: what the host would take a message for, and whether its author may.

While the host has a question open in a session (a dangerous command, a confirmation, an update), it takes words of
anybody in that session for the answer (gateway/run.py, `_handle_message` and `_handle_active_session_busy_message`).
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.authority import RIGHTS, Answers, Authority, Commands
from ..core.bounded import Bounded
from . import profile, sessions

_KEEP = 2_000
_LONGEST_NAME = 32
"""Of a slash command, when it is said that somebody may not run it."""

_APPROVE = {"approve", "yes", "ok", "okay", "confirm", "y", "👍", "always", "approve always", "always approve"}
_APPROVE |= {"session", "approve session", "session approve"}
_DENY = {"deny", "no", "reject", "cancel", "n", "👎"}
_CONFIRM = {"approve", "approve once", "once", "always", "always approve", "cancel", "nevermind", "no"}
_CONFIRM_COMMANDS = {"approve", "yes", "ok", "confirm", "always", "remember", "cancel", "no", "deny", "nevermind"}
_LONGEST_ANSWER = max(map(len, _APPROVE | _DENY | _CONFIRM))


@dataclass(frozen=True, slots=True)
class Refusal:
    """The author may not do what the message would do; `told` goes to the chat, None is no sign at all."""

    told: str | None


@dataclass(frozen=True, slots=True)
class _Question:
    """A question the message would answer. `asker` is the user id it arose from, None where that is not known."""

    command: str
    """The slash command somebody must be allowed to run who answers it."""
    asker: str | None


_turns: Bounded[str, str] = Bounded(_KEEP)
"""Turn id to the user id whose words it answers."""
_approvals: Bounded[str, str] = Bounded(_KEEP)
"""Session key to the user id whose turn asks for an approval."""
_confirmations: Bounded[str, str] = Bounded(_KEEP)
"""Confirmation to the user id whose command asks for it."""


def turn_began(turn_id: str, user_id: str) -> None:
    """Remember whose turn that is: the hook `pre_llm_call`."""
    if turn_id:
        _turns.put(turn_id, user_id)


def approval_asked(session_key: str, turn_id: str = "") -> None:
    """Remember whose turn asks, from within the turn: the hook `pre_approval_request`.

    The session's variables name the author of the first turn of several that follow each other without a pause.
    """
    variable: str = importlib.import_module("gateway.session_context").get_session_env("HERMES_SESSION_USER_ID", "")
    _approvals.put(session_key, _turns.get(turn_id, variable))


def confirmation_asked(event: Any, extra: Mapping[str, Any], adapter: Any) -> None:
    """Remember who asks, right after a command: a confirmation that is new in its session is theirs."""
    for key in sessions.session_keys(event.source, extra, adapter):
        if (pending := _pending_confirmation(key)) and (which := _which(pending)) not in _confirmations:
            _confirmations.put(which, str(event.source.user_id))


def refused(event: Any, authority: Authority, extra: Mapping[str, Any], adapter: Any) -> Refusal | None:
    """Judge a message before the host takes it for a command or an answer; None when its author may."""
    command = _command(event)
    keys = sessions.session_keys(event.source, extra, adapter)
    runner = getattr(adapter, "gateway_runner", None)
    question = next((found for key in keys if (found := _question(event, command, key, runner))), None)
    if question and not _may_answer(event, authority, question, extra, adapter):
        return Refusal(_told(authority, f"Only an admin may answer this request (/{question.command})."))
    if command and question is None and not _may_run(command, authority):
        return Refusal(_told(authority, f"/{command[:_LONGEST_NAME]} is for people the operator named."))
    return None


def approval_of_others(event: Any, authority: Authority, extra: Mapping[str, Any], adapter: Any) -> bool:
    """An approval is open in the session that the author may not answer: an interruption would be a denial."""
    asked = importlib.import_module("tools.approval").has_blocking_approval
    return any(
        asked(key) and not _may_answer(event, authority, _Question("deny", _approvals.get(key)), extra, adapter)
        for key in sessions.session_keys(event.source, extra, adapter)
    )


def _told(authority: Authority, reason: str) -> str | None:
    return f"⛔ {reason}" if RIGHTS[authority].turn else None


def _may_run(command: str, authority: Authority) -> bool:
    """The host's own lists judge those who are left to them."""
    match RIGHTS[authority].commands:
        case Commands.LISTED:
            return True
        case Commands.FLOOR:
            floor: frozenset[str] = importlib.import_module("gateway.slash_access")._ALWAYS_ALLOWED_FOR_USERS
            return command in floor
        case Commands.NONE:
            return False


def _may_answer(event: Any, authority: Authority, question: _Question, extra: Mapping[str, Any], adapter: Any) -> bool:
    answers = RIGHTS[authority].answers
    own = question.asker == event.source.user_id or not sessions.is_shared(event.source, extra, adapter)
    if answers is Answers.NONE or (answers is Answers.OWN and not own):
        return False
    access: Any = importlib.import_module("gateway.slash_access").policy_from_extra
    policy = access(dict(extra), "dm" if event.source.chat_type == "dm" else "group")
    return bool(policy.can_run(event.source.user_id, question.command))


def _question(event: Any, command: str | None, key: str, runner: Any) -> _Question | None:
    """The open question of its session that a message would answer, in the order in which the host looks."""
    if key in (getattr(runner, "_update_prompt_pending", None) or {}):
        # The host takes everything for the answer; even a command closes the question.
        return _Question("update", _update_asker(key))
    text = (event.text or "").strip()
    word, bare = _word(text), _word(text.lstrip("!/"))
    if importlib.import_module("tools.approval").has_blocking_approval(key):
        if command in {"approve", "deny"}:
            return _Question(command, _approvals.get(key))
        if word in _APPROVE or word in _DENY:
            return _Question("approve" if word in _APPROVE else "deny", _approvals.get(key))
    elif (pending := _pending_confirmation(key)) and (
        command in _CONFIRM_COMMANDS or bare in _CONFIRM or event.get_command() in _CONFIRM_COMMANDS
    ):
        return _Question(str(pending.get("command")), _confirmations.get(_which(pending)))
    return None


def _word(text: str) -> str:
    """A text that might be an answer, as the host compares it."""
    return text.lower() if len(text) <= _LONGEST_ANSWER else ""


def _pending_confirmation(key: str) -> Mapping[str, Any] | None:
    pending: Mapping[str, Any] | None = importlib.import_module("tools.slash_confirm").get_pending(key)
    return pending


def _which(pending: Mapping[str, Any]) -> str:
    """What tells one confirmation from all others: each gateway runner of a process counts its ids from one."""
    return f"{pending.get('confirm_id')} {pending.get('created_at')}"


def _update_asker(key: str) -> str | None:
    """The host notes who ran the update in a file of its home."""
    for name in (".update_pending.claimed.json", ".update_pending.json"):
        try:
            pending = json.loads((profile.home() / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        if isinstance(pending, dict) and pending.get("session_key") == key:
            return str(pending.get("user_id"))
    return None


def _command(event: Any) -> str | None:
    """The canonical name of the slash command that a message is, plain words that the host takes for one included."""
    if coerce := getattr(importlib.import_module("gateway.platforms.base"), "coerce_plaintext_gateway_command", None):
        coerce(event)
    name: str | None = event.get_command()
    known = importlib.import_module("hermes_cli.commands").resolve_command(name) if name else None
    return known.name if known else name
