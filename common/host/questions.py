"""Finds the command or answer that the host would read in a message, and checks the author's right to give it.

While the host has a question open in a session (a dangerous command, a confirmation, an update), it accepts any
person's message in that session as the answer (gateway/run.py, `_handle_message` and
`_handle_active_session_busy_message`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..core.authority import RIGHTS, Answers, Authority, Commands
from ..core.bounded import Bounded
from . import people, sessions
from .asking import answers, approvals, updates
from .contract import table

_KEEP = 2_000
_LONGEST_NAME = 32
"""Characters of a slash command's name that a refusal shows."""

_WORDS = {
    "approve": frozenset({"approve", "yes", "ok", "okay", "confirm", "y", "👍"}),
    "always": frozenset({"always", "approve always", "always approve"}),
    "session": frozenset({"session", "approve session", "session approve"}),
    "deny": frozenset({"deny", "no", "reject", "cancel", "n", "👎"}),
    "confirm_once": frozenset({"approve", "approve once", "once"}),
    "confirm_always": frozenset({"always", "always approve"}),
    "confirm_cancel": frozenset({"cancel", "nevermind", "no"}),
}
_FOR_GOOD = frozenset({"always", "permanent", "permanently"})
"""The arguments of /approve that allow a command for good (gateway/slash_commands.py)."""
_CONFIRM = ("confirm_once", "confirm_always", "confirm_cancel")
_CONFIRM_COMMANDS = frozenset(
    {"approve", "yes", "ok", "confirm", "always", "remember", "cancel", "no", "deny", "nevermind"}
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The refusal of a command or an answer. `reply` goes to the chat; with None there is no sign at all."""

    reply: str | None


@dataclass(frozen=True, slots=True)
class Choice:
    """A typed answer to an approval. `command` is the slash command that it means, `value` the host's word for it."""

    command: str
    value: str
    reason: str = ""
    is_command: bool = False


@dataclass(frozen=True, slots=True)
class _Question:
    """An open question that a message would answer. `asker` is the user id whose request led to it, None if unknown."""

    command: str
    """The slash command that a person needs the right to run in order to answer."""
    asker: str | None
    for_good: bool = False
    """The answer would count in every chat from now on, so only an admin may give it."""


# At module level, because the host's hooks know no adapter, and adapters are replaced on every reconnect.
_turns: Bounded[str, str] = Bounded(_KEEP)
"""The user id of the message that a turn answers, by turn id."""
_approvals: Bounded[str, str] = Bounded(_KEEP)
"""The user id of the turn that asks for an approval, by session key."""
_confirmations: Bounded[str, str] = Bounded(_KEEP)
"""The user id of the command that asks for a confirmation, by `_confirmation_key`."""


_speakers: Bounded[str, Any] = Bounded(_KEEP)
"""The source of the latest message that a session began to work on, by session key."""


_running: ContextVar[Any] = ContextVar("hardened_running", default=None)
"""The event that the host works on."""


@contextmanager
def running(event: Any) -> Iterator[None]:
    """Let a command's own questions know who ran it."""
    token = _running.set(None if event.internal else event)
    try:
        yield
    finally:
        _running.reset(token)


def running_command() -> tuple[str, str] | None:
    """Return the user id of the person whose slash command the host carries out, and the command, None for none."""
    event = _running.get()
    command = command_of(event) if event is not None else None
    return (str(event.source.user_id), command) if command and event.source.user_id else None


def begins(event: Any, extra: Mapping[str, Any], adapter: Any) -> None:
    """Record the author of a message that its session begins to work on."""
    for key in sessions.session_keys(event.source, extra, adapter):
        _speakers.put(key, event.source)


def speaker(session_key: str) -> Any:
    """Return the source of the message that a session works on, None if unknown."""
    return _speakers.get(session_key)


def speaker_id(session_key: str) -> str | None:
    """Return the user id of the message that a session works on, None if unknown."""
    source = speaker(session_key)
    return None if source is None else str(source.user_id)


def approval_asker(session_key: str) -> str | None:
    """Return the user id whose turn asks for an approval in a session, None if unknown."""
    return _approvals.get(session_key) or None


def confirmed_command(session_key: str) -> str:
    """Return the slash command that waits for a confirmation in a session, empty for none."""
    return str((_pending_confirmation(session_key) or {}).get("command", ""))


def turn_began(turn_id: str, user_id: str) -> None:
    """Record the user of a turn. Called by the hook `pre_llm_call`."""
    if turn_id:
        _turns.put(turn_id, user_id)


def user_of(turn_id: str) -> str:
    """Return the user of a turn, empty if unknown."""
    return _turns.get(turn_id, "")


def approval_asked(session_key: str, turn_id: str = "") -> None:
    """Record the user whose turn asks for an approval. Called by the hook `pre_approval_request`, within the turn.

    Only turns without an id are told by the session's variables: in a series of turns without a pause, these name the
    author of the first one.
    """
    variable = table.SESSION_ENV.optional()
    unnamed = variable("HERMES_SESSION_USER_ID", "") if variable and not turn_id else ""
    asker = _turns.get(turn_id, unnamed)
    # A typed answer may be to any of several requests: then those of two people are for admins.
    mixed = approvals.several_wait(session_key) and _approvals.get(session_key) != asker
    _approvals.put(session_key, "" if mixed else asker)


def confirmation_asked(event: Any, extra: Mapping[str, Any], adapter: Any) -> None:
    """Record the author of a command, right after it, as the asker of a new confirmation in its session."""
    for key in sessions.session_keys(event.source, extra, adapter):
        if (pending := _pending_confirmation(key)) and (which := _confirmation_key(pending)) not in _confirmations:
            _confirmations.put(which, str(event.source.user_id))


def refused(event: Any, authority: Authority, extra: Mapping[str, Any], adapter: Any) -> Refusal | None:
    """Return the refusal of a command or answer that the host would read in a message, None if it is allowed."""
    command = command_of(event)
    keys = sessions.session_keys(event.source, extra, adapter)
    runner = sessions.runner_of(adapter)
    question = next((found for key in keys if (found := _question(event, command, key, runner))), None)
    if question and not _may_answer(event, authority, question, extra, adapter):
        return Refusal(_reply(authority, f"Only an admin may answer this request (/{question.command})."))
    if question:
        for key in keys:
            answers.given(key, str(event.source.user_id))
    if command and question is None and not _may_run(command, authority):
        return Refusal(_reply(authority, f"/{command[:_LONGEST_NAME]} is for people the operator named."))
    return None


def interrupts_approval(event: Any, extra: Mapping[str, Any], adapter: Any) -> bool:
    """Return True if an approval is open in the session of a message that is no answer to it.

    The host treats an interruption as a denial.
    """
    asked, command = table.HAS_BLOCKING_APPROVAL.load(), command_of(event)
    keys = sessions.session_keys(event.source, extra, adapter)
    return any(asked(key) for key in keys) and choice_of(event, command) is None


def takes_any_text(event: Any, extra: Mapping[str, Any], adapter: Any) -> bool:
    """Return True if the host would read any text in the session of a message as the answer to an open question."""
    updates, clarify = table.UPDATE_PROMPTS.of(sessions.runner_of(adapter)) or {}, table.PENDING_CLARIFY.optional()
    keys = sessions.session_keys(event.source, extra, adapter)
    return any(key in updates or (clarify and clarify(key, include_choice_prompts=True)) for key in keys)


def _reply(authority: Authority, reason: str) -> str | None:
    return f"⛔ {reason}" if RIGHTS[authority].turn else None


def _may_run(command: str, authority: Authority) -> bool:
    """Return False for a command beyond the author's authority. With LISTED, the host checks its own lists."""
    match RIGHTS[authority].commands:
        case Commands.LISTED:
            return True
        case Commands.FLOOR:
            return command in (table.COMMANDS_FOR_ALL.optional() or ())
        case Commands.NONE:
            return False


def _may_answer(event: Any, authority: Authority, question: _Question, extra: Mapping[str, Any], adapter: Any) -> bool:
    # In a session of one person, every question is theirs.
    own = question.asker == event.source.user_id or not sessions.is_shared(event.source, extra, adapter)
    if question.for_good and RIGHTS[authority].answers is not Answers.ANY:
        return False
    return has_right(event.source, authority, extra, question.command, own=own)


def has_right(source: Any, authority: Authority, extra: Mapping[str, Any], command: str, *, own: bool) -> bool:
    """Return True if the person of a source may answer a question for which that command is needed.

    `own`: the question arose from their own request.
    """
    answers = RIGHTS[authority].answers
    if answers is Answers.NONE or (answers is Answers.OWN and not own):
        return False
    return bool(people.slash_policy(source, extra).can_run(source.user_id, command))


def _question(event: Any, command: str | None, key: str, runner: Any) -> _Question | None:
    """Return the open question of a session that a message would answer, in the host's own order."""
    if key in (table.UPDATE_PROMPTS.of(runner) or {}):
        # The host accepts any text as the answer; even a command closes the question.
        return _Question("update", updates.asker(key))
    text = (event.text or "").strip()
    if table.HAS_BLOCKING_APPROVAL(key):
        if (choice := choice_of(event, command)) is not None:
            return _Question(choice.command, _approvals.get(key), choice.value == "always")
    elif (pending := _pending_confirmation(key)) and (
        command in _CONFIRM_COMMANDS
        or any(_is_one_of(text.lstrip("!/"), _words(kind)) for kind in _CONFIRM)
        or event.get_command() in _CONFIRM_COMMANDS
    ):
        for_good = event.get_command() in {"always", "remember"} or _is_one_of(
            text.lstrip("!/"), _words("confirm_always")
        )
        return _Question(str(pending.get("command")), _confirmations.get(_confirmation_key(pending)), for_good)
    return None


def choice_of(event: Any, command: str | None) -> Choice | None:
    """Return the answer to an approval that the host would read in a message, None for none."""
    text = (event.text or "").strip()
    if command == "approve":
        asked = frozenset(event.get_command_args().lower().split())
        value = "always" if asked & _FOR_GOOD else "session" if asked & {"session", "ses"} else "once"
        return Choice("approve", value, is_command=True)
    if command == "deny":
        return Choice("deny", "deny", event.get_command_args().strip(), is_command=True)
    for kind, value in (("approve", "once"), ("always", "always"), ("session", "session"), ("deny", "deny")):
        if _is_one_of(text, _words(kind)):
            return Choice("deny" if kind == "deny" else "approve", value)
    return None


def _is_one_of(text: str, words: frozenset[str]) -> bool:
    """Return True if the text is one of the words, in any case, as for the host. A long text is not folded."""
    return len(text) <= max(map(len, words)) and text.lower() in words


def _words(kind: str) -> frozenset[str]:
    """Return the words that the host accepts as that kind of answer, including those of its language."""
    offered = _words_of_host()
    return _WORDS[kind] | frozenset(offered(kind) if offered else ())


@cache
def _words_of_host() -> Callable[[str], Iterable[str]] | None:
    """Return the host's own lookup. None before Hermes 0.22, where the words are inside a method."""
    words: Callable[[str], Iterable[str]] | None = table.APPROVAL_WORDS.optional()
    return words


def _pending_confirmation(key: str) -> Mapping[str, Any] | None:
    pending: Mapping[str, Any] | None = table.PENDING_CONFIRMATION(key)
    return pending


def _confirmation_key(pending: Mapping[str, Any]) -> str:
    """Return a unique key: each gateway runner of a process counts its confirmations from one."""
    return f"{pending.get('confirm_id')} {pending.get('created_at')}"


def command_of(event: Any) -> str | None:
    """Return the canonical name of a message's slash command, also for plain words that the host reads as one."""
    # Changes the event's text, as the host would do a moment later.
    table.COERCE_COMMAND(event)
    name: str | None = event.get_command()
    known = table.RESOLVE_COMMAND(name) if name else None
    return known.name if known else name
