"""Tells the agent and the chat why a command did not run.

A hook hears how a request ended, in the thread of the call that waits for it. Middleware around the call adds that to
the call's result. A hook could change the result too, but since 0.20.6 Hermes may skip it for one chat while it works
for another (before 0.21.5), and the first plugin that answers wins.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ...asking import denials
from ...asking.denials import Decision, Denial
from ...core.bounded import Bounded
from ...tenancy.chats import Unknown
from .. import questions
from ..contract import table
from ..tenancy import session
from . import answers, chats, sub_agents

logger = logging.getLogger(__name__)

_COMMANDS = "terminal"
"""The tool whose refusals name blocks for good. The words of another tool's result may be anybody's."""
_KEEP = 2_000


@dataclass(slots=True)
class _Call:
    """A tool call in progress."""

    session_id: str
    turn_id: str
    ended: list[Denial | None] = field(default_factory=list)
    """How its requests ended, None for those that were allowed."""


_call: ContextVar[_Call | None] = ContextVar("hardened_call", default=None)
_lock = threading.Lock()
_told: Bounded[tuple[str, str, str], None] = Bounded(_KEEP)
"""What chats were told, by session, turn and rule."""


def register(ctx: Any) -> None:
    """Register the hooks and the middleware, where the installed Hermes has them all; else its own results stay.

    Logs what fails: an error here would make Hermes load stock adapters.
    """
    middleware = table.REGISTER_MIDDLEWARE.of(ctx)
    if middleware is None or not _HOOKS.keys() <= set(table.HOOKS.optional() or ()):
        logger.warning("refused commands are not explained: this Hermes lacks the hooks")
        return
    try:
        for kind, hook in _HOOKS.items():
            ctx.register_hook(kind, hook)
        middleware("tool_execution", carry_out)
    except Exception as exc:
        logger.error("refused commands are not explained (%s: %s)", type(exc).__name__, exc)


def asked(*, session_key: str = "", **_: object) -> None:
    """Forget who answered before. Called by the hook `pre_approval_request`."""
    answers.take(str(session_key or ""))


def ended(
    *, choice: str = "", pattern_key: str = "", description: str = "", session_key: str = "", **_: object
) -> None:
    """Note how a request ended. Called by the hook `post_approval_response`, in the thread of the call that waits."""
    key = str(session_key or "")
    by = answers.take(key)
    if (call := _call.get()) is not None:
        asker = questions.approval_asker(key)
        call.ended.append(
            denials.decided(str(choice), str(pattern_key or ""), str(description or ""), by=by, asker=asker)
        )


def carry_out(
    *,
    tool_name: str = "",
    args: Mapping[str, Any],
    next_call: Callable[[Any], Any],
    session_id: str = "",
    turn_id: str = "",
    **_: object,
) -> Any:
    """Carry out a call, and explain a refusal in its result. Called by the middleware `tool_execution`."""
    # A script's own calls name neither.
    around = _call.get()
    call = _Call(session_id or (around.session_id if around else ""), turn_id or (around.turn_id if around else ""))
    token = _call.set(call)
    try:
        with sub_agents.asking(call.session_id, call.turn_id):
            result = next_call(args)
    finally:
        _call.reset(token)
    try:
        return _explained(tool_name, result, call)
    except Exception as exc:
        logger.error("a refusal is not explained (%s)", type(exc).__name__)
        return result


def _explained(tool_name: str, result: Any, call: _Call) -> Any:
    body = denials.parsed(result)
    if body is None:
        return result
    denial = call.ended[-1] if call.ended else None
    if denial is None and tool_name == _COMMANDS:
        denial = denials.unheard(body)
        if denial and denial.decision is Decision.FOR_GOOD:
            _tell(denial, call)
    return result if denial is None else denials.explained(body, denial)


def _tell(denial: Denial, call: _Call) -> None:
    """Tell the chat of a block for good, once in a turn for each rule."""
    try:
        chat = session.current(call.session_id)
    except Unknown:
        return
    key = (call.session_id, call.turn_id, denial.rule)
    with _lock:
        if chat is None or key in _told:
            return
        _told.put(key, None)
    chats.say(chat, denials.notice(denial))


_HOOKS: Mapping[str, Callable[..., None]] = {
    "pre_approval_request": asked,
    "post_approval_response": ended,
    "subagent_start": sub_agents.started,
}
