"""What the agent reads where its command was not allowed: the rule, the decision, and what it may do instead. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..core.wording import Foreign

LONGEST = 64 * 1024
"""Characters of a tool's result that is looked at. Refusals are short."""


class Decision(StrEnum):
    """How it was decided that a command does not run, in the words that the agent reads."""

    BY_ADMIN = "refused by an admin"
    BY_ASKER = "refused by the person who asked"
    REFUSED = "refused"
    TIMED_OUT = "nobody answered in time"
    WITHDRAWN = "withdrawn before anybody answered"
    NOT_ASKED = "nobody was asked"
    BY_MODEL = "refused by the model that judges commands"
    FOR_GOOD = "blocked for good"


@dataclass(frozen=True, slots=True)
class Denial:
    """A command that was not allowed: the rule that it matched, and what the rule is about."""

    rule: str
    why: str
    decision: Decision


_DECISIONS: Mapping[str, Decision] = {
    "deny": Decision.REFUSED,
    "timeout": Decision.TIMED_OUT,
    "cancelled": Decision.WITHDRAWN,
    "notify_failed": Decision.NOT_ASKED,
    "smart_deny": Decision.BY_MODEL,
}
"""By the host's word for how a request ended; any other allows the command."""

_ASK = "Tell the person what you wanted to do and why, and wait for their answer."
_LATER = "Say what is left to do, and ask again when the person writes to you again."
_NEXT: Mapping[Decision, str] = {
    Decision.TIMED_OUT: _LATER,
    Decision.WITHDRAWN: _LATER,
    Decision.NOT_ASKED: "Finish what needs no approval, and name this command in your report: the chat can ask for it.",
    Decision.FOR_GOOD: "Say that this never runs from here: whoever needs it does it in a terminal of their own.",
}
"""What may be done after a decision whatever the rule; after any other, `_ASK`."""

_INSTEAD: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("sql delete", "sql drop", "sql truncate"),
        "Count with a SELECT what the statement would change, show both, and ask.",
    ),
    (
        ("delete of", "recursive delete", "destructive delete", "delete in root", "find -", "xargs with rm"),
        "List the files that would go without deleting any, and ask which of them may go.",
    ),
    (("git ",), "Say which commits and changes would be lost, offer to keep them on a branch, and ask."),
    (
        ("kill", "restart", "reboot", "shutdown", "stop service", "stop/", "hermes update", "start gateway"),
        "Say which process or service it is about and what state it is in; look only.",
    ),
    (
        ("remote content", "remote script", "obfuscation", "encoded", "heredoc", "immediate execution", "fork bomb"),
        "Show the script as text, say what each part does, and run none of it.",
    ),
    (
        ("config", "credential", "ssh", "secret", "system file", "registry"),
        "Show the change that you would make as text, and let the person make it.",
    ),
    (
        ("permissions", "writable", "chown", "acls", "everyone access"),
        "Name the one file and the least permission that it needs, and ask.",
    ),
    (("sudo", "privilege"), "Do the part that needs no other rights, and name the one that does."),
    (
        ("disk", "device", "mkfs", "format ", "drive", "volume", "backups"),
        "List the devices and their sizes only, and say what you wanted to write to which.",
    ),
    (("docker", "podman"), "Look at the containers' state and logs only, and say what you would change."),
    (("exfiltration", "metadata"), "Work without that secret, and say what it would be needed for."),
    (("security scan", "tirith"), "Say where the content comes from and what is suspicious about it, and ask."),
    (("execute_code",), "Show the script, say what it would change, and ask."),
)
"""What would be acceptable instead of a command, by words in its rule or the rule's description. None is another way to
the same end."""

_HARDLINE = re.compile(
    r"BLOCKED \(hardline\): (?P<why>.{1,200}?)\. This command is on the unconditional blocklist.*"
    r"outside the agent\.\Z",
    re.DOTALL,
)
_SETTINGS = re.compile(
    r"BLOCKED: this command matches the user-defined deny rule '(?P<rule>.{1,500}?)' \(approvals\.deny", re.DOTALL
)
_PASSWORD = re.compile(r"BLOCKED: (?P<why>.{1,200}?)\. Do not pipe passwords to 'sudo -S'", re.DOTALL)
"""The host's own words for what it never runs (tools/approval.py), of which its hooks hear nothing. With more words
behind it, a hardline block names a way that is allowed."""


def decided(choice: str, rule: str, why: str, *, by: str | None, asker: str | None) -> Denial | None:
    """Return the denial that ended a request, None if the command was allowed.

    `choice` is the host's word, `by` the user id that answered and `asker` the one that asked, None if unknown.
    """
    decision = _DECISIONS.get(choice)
    if decision is Decision.REFUSED and by and asker:
        decision = Decision.BY_ASKER if by == asker else Decision.BY_ADMIN
    return Denial(rule, why, decision) if decision else None


def parsed(result: object) -> dict[str, Any] | None:
    """Return a tool's result that refuses a call, None for any other."""
    # The words of a refusal, before anything is parsed: most results are none.
    if not isinstance(result, str) or len(result) > LONGEST or not _may_refuse(result):
        return None
    try:
        body = json.loads(result)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    refused = body.get("status") == "blocked" or str(body.get("error")).startswith("BLOCKED")
    return body if refused or _is_pending(body) else None


def unheard(body: Mapping[str, Any]) -> Denial | None:
    """Return the denial in a refusal of which no hook was told: a block for good, or a question to nobody."""
    if _is_pending(body):
        return Denial(str(body.get("pattern_key", "")), str(body.get("description", "")), Decision.NOT_ASKED)
    said = str(body.get("error"))
    if found := _SETTINGS.match(said):
        return Denial(found["rule"], "the operator's settings forbid it (approvals.deny)", Decision.FOR_GOOD)
    if found := _HARDLINE.match(said) or _PASSWORD.match(said):
        return Denial(found["why"], "nobody can allow it (Hermes' blocklist)", Decision.FOR_GOOD)
    return None


def explained(body: Mapping[str, Any], denial: Denial) -> str:
    """Return a refusal with what the agent is to know about it. The reason that a person gave is in it already."""
    more = {
        "matched_rule": denial.rule,
        "why": denial.why,
        "decision": denial.decision.value,
        "acceptable_alternatives": list(alternatives(denial)),
    }
    return json.dumps({**body, **more}, ensure_ascii=False)


def alternatives(denial: Denial) -> Iterator[str]:
    """Yield what would be acceptable instead."""
    about = f"{denial.rule} {denial.why}".lower()
    yield from (instead for words, instead in _INSTEAD if any(word in about for word in words))
    yield _NEXT.get(denial.decision, _ASK)


def notice(denial: Denial) -> str:
    """Return the line that a chat reads about a block for good: the rule, never the command."""
    rule = Foreign(denial.rule, 200).replace("`", "'")
    return f"⛔ I did not run a command: {denial.why}. The rule: `{rule}`"


def _may_refuse(result: str) -> bool:
    return '"blocked"' in result or "BLOCKED" in result or "approval_pending" in result


def _is_pending(body: Mapping[str, Any]) -> bool:
    return body.get("status") == "pending_approval" and body.get("approval_pending") is True
