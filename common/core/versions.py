"""The versions of edited messages. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b

from .bounded import Bounded
from .events import Decision, Dispatch, Ignore, Inbound, Origin, Rule, message_key

KEEP_VERSIONS = 10_000
_MENTION_PLACEHOLDER = "\ufffc"
"""The character that Signal puts into a text for any mention."""


@dataclass(frozen=True, slots=True)
class Version:
    """The last version of a message that was seen."""

    digest: bytes
    at: int | None
    """The time (milliseconds) at which the server received the first version; None if unknown."""
    dispatched: bool = False


def digest(inbound: Inbound) -> bytes:
    """Return a 16-byte hash of a text with its cards and, where it does not show them, of the people it mentions."""
    parts = [inbound.text, *inbound.cards]
    # An edit may change only the person mentioned, and the text would stay the same.
    if _MENTION_PLACEHOLDER in inbound.text:
        parts += [mention.address.id or mention.address.number or "" for mention in inbound.mentions]
    return blake2b("\0".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def is_change(inbound: Inbound, earlier: Version | None) -> bool:
    """Return True if a person deleted a message, or changed it. `earlier` is the version before, None if unknown."""
    if inbound.origin is not Origin.PERSON:
        return False
    if inbound.edits is None or inbound.contentless:
        return inbound.deletes is not None
    return earlier is None or earlier.digest != digest(inbound)


class Versions:
    """A bounded memory of the last version seen of each message."""

    def __init__(self) -> None:
        self._seen: Bounded[str, Version] = Bounded(KEEP_VERSIONS)

    def before(self, inbound: Inbound) -> Version | None:
        """Return the version that an edit replaces, if it was seen."""
        return self._seen.get(message_key(inbound.sender, inbound.edits)) if inbound.edits else None

    def record(self, inbound: Inbound, decision: Decision) -> None:
        """Record the latest version, unless it had no content or its chat is not served."""
        if isinstance(decision, Ignore) and decision.rule <= Rule.CHAT_NOT_SERVED:
            return
        earlier, dispatched = self.before(inbound), isinstance(decision, Dispatch)
        version = Version(digest(inbound), inbound.received_at, dispatched)
        if inbound.edits:
            at = earlier.at if earlier else inbound.first_at
            version = replace(version, at=at, dispatched=dispatched or (earlier is not None and earlier.dispatched))
            # On Signal the next edit may name this version or the one before, so both keys lead to it.
            self._seen.put(message_key(inbound.sender, inbound.edits), version)
        self._seen.put(message_key(inbound.sender, inbound.message_id), version)
