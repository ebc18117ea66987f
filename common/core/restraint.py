"""What keeps a Dispatch from being one: it is old, was answered before, or programs talk to each other.

Pure, and the same for both networks. Clocks and memories come in as arguments; all times are milliseconds since the
epoch by the server's clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b

from .events import Decision, Dispatch, Ignore, Inbound, Observe, Origin, Reason, message_key
from .mentions import starts_command

EDIT_MILLISECONDS = 15 * 60 * 1000
"""How old a message and its new version may be for the new version to be dispatched."""
BOT_TURNS = 3
"""Posts of programs dispatched in a row in one chat before a person has to speak."""
KEEP_VERSIONS = 10_000
_REMEMBERED_MILLISECONDS = 7 * 24 * 3600 * 1000
_MENTIONED = "\ufffc"
"""What Signal writes for a mention, whoever it is of."""
_SERVED = 5
"""The first rule for what is said in a chat that is served."""


@dataclass(frozen=True, slots=True)
class Version:
    """The last version of a message that was seen."""

    digest: bytes
    at: int | None
    """When the message itself was received, whatever became of it since; None where nobody said."""
    dispatched: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all messages of a network.

    `missed_for` is how old a message fetched afterwards may be. `dispatches_again`: the agent gets the new version of
    what it got before.
    """

    observe: bool
    missed_for: int = EDIT_MILLISECONDS
    dispatches_again: bool = False


@dataclass(frozen=True, slots=True)
class Past:
    """What is known when a message is decided upon. `horizon` is the oldest time of which the ledger knows all."""

    now: int
    horizon: int
    missed: bool = False
    """Fetched afterwards, not received when it was written."""
    earlier: Version | None = None
    """Of an edit: the version before it, where that was seen."""
    dispatched: bool = False
    """The message was dispatched before, in whichever version."""
    program_turns: int = 0
    """Posts of programs in a row, with this one."""


def restrain(decision: Decision, inbound: Inbound, past: Past, rules: Rules) -> Decision:
    """The decision, or what becomes of a Dispatch that something keeps from being one: Observe, or Ignore."""
    if not isinstance(decision, Dispatch):
        return decision
    reason = _restraint(decision, inbound, past, rules)
    if reason is None:
        return decision
    if not rules.observe:
        return Ignore(decision.rule, reason)
    return Observe(decision.text, decision.rule, reason)


def _restraint(decision: Dispatch, inbound: Inbound, past: Past, rules: Rules) -> Reason | None:
    is_command = starts_command(decision.text)
    at = _written_at(inbound, past)
    if at is not None and at <= past.horizon:
        return Reason.STALE
    if past.missed and (is_command or (at is not None and past.now - at > rules.missed_for)):
        return Reason.STALE
    if inbound.origin is Origin.PROGRAM and past.program_turns > BOT_TURNS:
        return Reason.BOT
    if past.dispatched and not (rules.dispatches_again and inbound.edits):
        return Reason.EDITED
    return _restraint_of_edit(inbound, past, is_command=is_command) if inbound.edits else None


def _restraint_of_edit(inbound: Inbound, past: Past, *, is_command: bool) -> Reason | None:
    """Pinning a post says that it was edited, too: nobody but its author may make us act on it, and only soon."""
    earlier = past.earlier
    if earlier is not None and earlier.digest == digest(inbound):
        return Reason.EDITED
    if is_command and (earlier is None or past.dispatched):
        return Reason.EDITED
    for at in (_written_at(inbound, past), inbound.received_at):
        if at is None or past.now - at > EDIT_MILLISECONDS:
            return Reason.STALE
    return None


def _written_at(inbound: Inbound, past: Past) -> int | None:
    """When the message itself was received, not its new version."""
    if inbound.edits is None:
        return arrived_at(inbound)
    known = past.earlier.at if past.earlier else None
    return min((at for at in (known, inbound.first_at) if at is not None), default=None)


def horizon(now: int, forgotten: int) -> int:
    """The oldest time of a message that may be dispatched, where one of the time `forgotten` may have been before."""
    return max(forgotten, now - _REMEMBERED_MILLISECONDS)


def arrived_at(inbound: Inbound) -> int:
    """When the server got this version; where it does not say, when its sender says it was."""
    return inbound.sent_at if inbound.received_at is None else inbound.received_at


def digest(inbound: Inbound) -> bytes:
    """Stands in memory for what is said: the text, and who is mentioned where the text itself does not tell."""
    said = [inbound.text]
    if _MENTIONED in inbound.text:
        said += [mention.address.id or mention.address.number or "" for mention in inbound.mentions]
    return blake2b("\0".join(said).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Versions:
    """A bounded memory of the last version seen of each message."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, Version] = OrderedDict()

    def before(self, inbound: Inbound) -> Version | None:
        """The version that an edit replaces, where it was seen."""
        return self._seen.get(message_key(inbound.sender, inbound.edits)) if inbound.edits else None

    def see(self, inbound: Inbound, decision: Decision) -> None:
        """This is the last version now, unless it was nothing to read or said in a chat that is not served.

        On Signal the next edit may name this version or the one before.
        """
        if isinstance(decision, Ignore) and decision.rule < _SERVED:
            return
        earlier, dispatched = self.before(inbound), isinstance(decision, Dispatch)
        version = Version(digest(inbound), inbound.received_at, dispatched)
        if inbound.edits:
            at = earlier.at if earlier else inbound.first_at
            version = replace(version, at=at, dispatched=dispatched or (earlier is not None and earlier.dispatched))
            self._put(message_key(inbound.sender, inbound.edits), version)
        self._put(message_key(inbound.sender, inbound.message_id), version)

    def _put(self, key: str, version: Version) -> None:
        self._seen[key] = version
        self._seen.move_to_end(key)
        if len(self._seen) > KEEP_VERSIONS:
            self._seen.popitem(last=False)
