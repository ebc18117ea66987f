"""The words of questions and of how they ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.wording import Foreign
from .signs import keycap

_HEAD, _TAIL = 1_000, 400
"""Characters of a long command that are shown: its beginning, and its end, where the dangerous part may be."""
MOST_CHOICES = 9
"""As many as there are reactions."""
MOST_LISTED = 20
"""Choices of a command; those without a reaction are typed."""
_LABEL, _TITLE = 100, 1_000
"""Characters of a choice and of what is above it that are shown."""

ADMINS_ONLY = "⛔ Only an admin may answer this."
EXPIRED = "⌛ I was restarted since, and this question has expired. Ask me again if you still want it."
TIMED_OUT = "⌛ Nobody answered in time: not done."
NOT_CHOSEN = "⌛ Nobody chose in time: nothing is changed."
FAILED = "❌ That did not work: nothing is changed."
ENDED = "This question waits no more."
NO_ADMIN = "No admin could be asked whether that may be done: not done."
WAITS = "⏳ I read that once the request above is answered."
WHICH = "Several requests wait here: reply to the one you mean, or react to it."
_DONE = {
    "once": "✅ Allowed once",
    "session": "✅ Allowed for this session",
    "always": "✅ Allowed for good",
    "deny": "❌ Refused",
    "cancel": "❌ Cancelled",
}


def approval(command: str, description: str, *, for_session: bool) -> str:
    """Return the question whether a command may run."""
    session = ", 🔁 to allow it for this session" if for_session else ""
    return (
        f"⚠️ **May I run this?**\n```\n{_shown(command)}\n```\nReason: {description}\n\n"
        f"React 👍 to allow it once{session}, 👎 to refuse. Or type /approve or /deny."
    )


def for_admin(question: str, who: str, where: str) -> str:
    """Return a question as it is put to an admin, with who made the agent ask, and where; empty if unknown."""
    return f"{who or 'Somebody'} in {where or 'a group'}:\n{question}"


def admins_asked(description: str) -> str:
    """Return what a group sees of a question to its admins."""
    return f"⏳ I asked an admin whether I may do that ({description})."


def confirmation(message: str) -> str:
    """Return the host's question about a slash command, with what to do."""
    return f"{message}\n\nOr react: 👍 once, 👎 cancel."


def question(text: str, choices: Sequence[str]) -> str:
    """Return a question of the agent's with its choices, at most nine."""
    listed = "\n".join(f"{keycap(number)} {choice}" for number, choice in enumerate(choices, 1))
    return f"❓ {text}\n\n{listed}\n\nReact with the number, or answer in words."


def update(text: str, default: str) -> str:
    """Return a question of `hermes update`. `default` is its answer if nobody gives one, empty for none."""
    unless = f" (else: {Foreign(default, _LABEL)})" if default else ""
    return f"⚕ **The update asks:**\n{text[:_TITLE]}{unless}\n\nReact 👍 for yes, 👎 for no. Or type the answer."


def label(name: str, *, is_current: bool = False) -> str:
    """Return a choice for display."""
    return f"{Foreign(name, _LABEL)}{' (current)' if is_current else ''}"


def picker(title: str, labels: Sequence[str], more: str = "") -> str:
    """Return the choices of a command, at most `MOST_LISTED`, with a line about more of them, empty for none."""
    listed = [
        f"{keycap(number) if number <= MOST_CHOICES else f'{number}.'} {each}" for number, each in enumerate(labels, 1)
    ]
    react = "with the number" if len(labels) <= MOST_CHOICES else f"with a number up to {MOST_CHOICES}"
    lines = "\n".join([*listed, *([more] if more else [])])
    return f"{title[:_TITLE]}\n\n{lines}\n\nReact {react}, or type the number."


def model_title(current: str, provider: str, *, of: str = "") -> str:
    """Return what is above the providers, or above the models `of` one of them; the current ones may be empty."""
    now = " / ".join(Foreign(each, _LABEL) for each in (provider, current) if each)
    which = f"Which model of {Foreign(of, _LABEL)}?" if of else "Whose model?"
    return f"**{which}**" + (f" Now: `{now.replace('`', chr(39))}`" if now else "")


def more_models(count: int) -> str:
    """Return the line about models that are not listed, empty for none."""
    return f"… and {count} more: type /model and the name." if count > 0 else ""


def outcome(value: str, who: str, at: str) -> str:
    """Return how a question ended: the host's word for the answer, who gave it (empty if unknown) and when."""
    done = _DONE.get(value, f"➡️ {value}")
    return f"{done} by {who}, {at}" if who else f"{done}, {at}"


def already(ended: str) -> str:
    """Return the word to somebody whose answer comes too late."""
    return f"That was settled already. {ended}"


def settled(text: str, ended: str) -> str:
    """Return a question that has ended, without what to do about it."""
    asked, _, _ = text.rpartition("\n\n")
    return f"{asked or text}\n\n**{ended}**"


def _shown(command: str) -> str:
    # A fence in the command would end the one around it.
    command = command.replace("```", "'''")
    hidden = len(command) - _HEAD - _TAIL
    if hidden <= 0:
        return command
    return f"{command[:_HEAD]}\n… {hidden} characters are not shown …\n{command[-_TAIL:]}"
