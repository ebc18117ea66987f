"""The versions of a message: what was said before it was edited."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

from .bounded import Bounded
from .events import Decision, Dispatch, Ignore, Inbound, Rule, message_key

KEEP_VERSIONS = 10_000
_MENTION_PLACEHOLDER = "\ufffc"
"""What Signal writes for a mention, whoever is mentioned."""


@dataclass(frozen=True, slots=True)
class Version:
    """The last version of a message that was seen."""

    digest: bytes
    at: int | None
    """When the server received the message itself (milliseconds), whatever became of it since; None if unknown."""
    dispatched: bool = False


def digest(inbound: Inbound) -> bytes:
    """Return 16 bytes that stand for a text and, where the text does not show them, the people it mentions."""
    said = [inbound.text]
    if _MENTION_PLACEHOLDER in inbound.text:
        said += [mention.address.id or mention.address.number or "" for mention in inbound.mentions]
    return blake2b("\0".join(said).encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Versions:
    """A bounded memory of the last version seen of each message."""

    def __init__(self) -> None:
        self._seen: Bounded[str, Version] = Bounded(KEEP_VERSIONS)

    def before(self, inbound: Inbound) -> Version | None:
        """Return the version that an edit replaces, if it was seen."""
        return self._seen.get(message_key(inbound.sender, inbound.edits)) if inbound.edits else None

    def record(self, inbound: Inbound, decision: Decision) -> None:
        """Record the latest version, unless it had nothing to read or its chat is not served.

        On Signal the next edit may name this version or the one before, so both keys lead to it.
        """
        if isinstance(decision, Ignore) and decision.rule <= Rule.CHAT_NOT_SERVED:
            return
        earlier, dispatched = self.before(inbound), isinstance(decision, Dispatch)
        version = Version(digest(inbound), inbound.received_at, dispatched)
        if inbound.edits:
            at = earlier.at if earlier else inbound.first_at
            version = replace(version, at=at, dispatched=dispatched or (earlier is not None and earlier.dispatched))
            self._seen.put(message_key(inbound.sender, inbound.edits), version)
        self._seen.put(message_key(inbound.sender, inbound.message_id), version)
