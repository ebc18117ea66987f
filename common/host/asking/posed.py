"""The host's questions as prompts: what it waits with, whom it asks, and which answers it takes.

Each function returns None where the host must ask in its own way.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from ...asking import texts
from ...asking.prompts import Kind, Prompt
from ...asking.signs import Sign
from .. import profile, questions
from ..contract import table
from . import approvals, updates
from .entries import Approval, Confirmation, Question


def approval(
    chat_id: str,
    session_key: str,
    command: str,
    description: str,
    metadata: Any,
    bound: Iterable[Any],
    *,
    for_session: bool,
) -> Prompt | None:
    """Return the question whether a command may run. `bound` are the host's entries that are asked about already."""
    entry = approvals.entry_of(session_key, command, description, bound) if approvals.are_exact() else None
    if entry is None:
        return None
    signs = [Sign.ONCE, *([Sign.SESSION] if for_session else []), Sign.DENY]
    return Prompt(
        Kind.APPROVAL,
        session_key,
        chat_id,
        texts.approval(command, description, for_session=for_session),
        {sign: sign.value for sign in signs},
        Approval(session_key, entry),
        questions.approval_asker(session_key),
        metadata,
    )


def confirmation(
    chat_id: str,
    session_key: str,
    message: str,
    confirm_id: str,
    metadata: Any,
    say: Callable[[str], Awaitable[object]],
) -> Prompt | None:
    """Return the question whether a slash command shall run. `say` sends what the command answers."""
    if table.RESOLVE_CONFIRMATION.optional() is None:
        return None
    return Prompt(
        Kind.CONFIRMATION,
        session_key,
        chat_id,
        texts.confirmation(message),
        {Sign.ONCE: "once", Sign.DENY: "cancel"},
        Confirmation(session_key, confirm_id, say),
        questions.speaker_id(session_key),
        metadata,
    )


def question(
    chat_id: str, session_key: str, text: str, choices: Sequence[object], clarify_id: str, metadata: Any
) -> Prompt | None:
    """Return a question of the agent's with choices."""
    if table.RESOLVE_CLARIFY.optional() is None or table.PENDING_CLARIFY.optional() is None:
        return None
    if (await_text := table.AWAIT_CLARIFY_TEXT.optional()) is None or not 0 < len(choices) <= texts.MOST_CHOICES:
        return None
    pending = table.PENDING_CLARIFY(session_key, include_choice_prompts=True)
    if pending is None or table.SEVERAL_CHOICES.of(pending):
        return None
    named = [str(choice) for choice in choices]
    # A typed answer counts as before.
    await_text(clarify_id)
    return Prompt(
        Kind.QUESTION,
        session_key,
        chat_id,
        texts.question(text, named),
        dict(enumerate(named, 1)),
        Question(session_key, clarify_id),
        questions.speaker_id(session_key),
        metadata,
    )


def update(chat_id: str, session_key: str, text: str, default: str, metadata: Any, runner: Any) -> Prompt | None:
    """Return a question of `hermes update`. `runner` is the host's."""
    if (question_id := updates.waiting(text)) is None or table.UPDATE_PROMPTS.of(runner) is None:
        return None
    return Prompt(
        Kind.UPDATE,
        session_key,
        chat_id,
        texts.update(text, str(default or "")),
        {Sign.ONCE: "y", Sign.DENY: "n"},
        updates.Update(session_key, question_id, profile.home(), lambda: table.UPDATE_PROMPTS.of(runner)),
        updates.asker(session_key),
        metadata,
        command="update",
        names={"y": "Yes", "n": "No"},
    )
