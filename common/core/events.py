"""The vocabulary both networks share, from the decoded frame to the decision.

Nothing here imports the host, a network library or a clock.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from .wording import Foreign

_UNNAMED = Foreign()


@dataclass(frozen=True, slots=True)
class Address:
    """Who a network says somebody is.

    `id` is the stable identity (Signal: ACI, lower case; Mattermost: user id), `number` an E.164 phone number.
    """

    id: str | None = None
    number: str | None = None

    def __bool__(self) -> bool:
        return bool(self.id or self.number)


def message_key(author: Address, message_id: str) -> str:
    """The key of a message: no two people's messages share one, though their ids may."""
    return f"{author.id or author.number} {message_id}"


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is. `sent` answers whether a message id is one of our own."""

    id: str | None = None
    number: str | None = None
    sent: Container[str] = ()

    def recognises(self, address: Address) -> bool | None:
        """Whether that is us; None while our own id is unknown and the address shows nothing but a id."""
        if (address.id and address.id == self.id) or (address.number and address.number == self.number):
            return True
        if address.id and self.id is None and not address.number:
            return None
        return False


class Origin(StrEnum):
    """Who wrote it, in kind."""

    PERSON = "person"
    SELF = "self"
    """Us, as an echo."""
    OWN_DEVICE = "own device"
    """The owner, on another device of the bot's account."""
    PROGRAM = "program"
    """A bot, a webhook, a plugin or the output of a slash command."""
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Chat:
    """Where it was said. `id` is the network's own id of a group or channel, empty for a direct message."""

    id: str = ""
    name: Foreign | None = None
    thread: str | None = None

    @property
    def is_group(self) -> bool:
        return bool(self.id)


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention in a text. `span` is (start, end) in code points, None when the range made no sense."""

    address: Address
    name: Foreign
    span: tuple[int, int] | None


MOST_MENTIONS = 500
"""Of one message; the first of them count, in the order of the wire. So whoever writes more loses only their own."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The message a message replies to."""

    message_id: str
    author: Address
    author_name: Foreign
    text: Foreign


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file as announced, not yet downloaded. `content_type` is lower case without parameters, `size` in bytes."""

    id: str
    content_type: str
    filename: Foreign | None = None
    size: int | None = None

    @property
    def is_audio(self) -> bool:
        return self.content_type.startswith("audio/")


MOST_ATTACHMENTS = 50
"""Of one message; the first of them count. No client of either network sends as many."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One thing that happened in a chat.

    `key` identifies it for ever (the ledger's key), `message_id` is what replies point at, `sent_at` is when the sender
    says it was. `contentless` names the kind of what has nothing to read ("receipt", "typing", …). All times are
    milliseconds since the epoch.
    """

    key: str
    message_id: str
    sent_at: int
    chat: Chat
    sender: Address
    sender_name: Foreign = _UNNAMED
    origin: Origin = Origin.PERSON
    to_self: bool = False
    """A note the owner wrote to himself (own device only)."""
    contentless: str | None = None
    text: str = ""
    mentions: tuple[Mention, ...] = ()
    broadcast: bool = False
    """Mentions everybody at once (@channel, @all, @here)."""
    quote: Quote | None = None
    in_our_thread: bool = False
    """In a thread whose root is ours or in which we spoke of late."""
    attachments: tuple[Attachment, ...] = ()
    edits: str | None = None
    """The message id this is a new version of."""
    received_at: int | None = None
    """When the server got this version, by its own clock."""
    first_at: int | None = None
    """Of a new version: when the server got the message itself."""
    delivered_at: int | None = None
    """When the server handed it on, by its own clock; None where it does not say."""
    deletes: str | None = None
    """The message id its sender took back."""
    opens_group: bool = False
    """A group event without text: somebody created the group, added or invited us, or changed something in it."""


@dataclass(frozen=True, slots=True)
class Unhandled:
    """A frame that is no event for us; `kind` is counted."""

    kind: str


class Reason(StrEnum):
    """Why a decision fell the way it did."""

    OWN = "own message"
    OWN_DEVICE = "typed by the owner on another device"
    CONTENTLESS = "nothing to read"
    SYSTEM = "written by the server"
    BOT = "written by a program"
    CHAT_NOT_ALLOWED = "chat not on the allowlist"
    DIRECT = "direct message"
    ADDRESSED_ELSEWHERE = "addressed to somebody else"
    IDENTITY_UNKNOWN = "own identity not known yet"
    MENTIONED = "mentions us"
    BROADCAST = "mentions everybody"
    REPLY = "replies to us"
    COMMAND = "slash command"
    VOICE = "voice memo"
    FREE = "no mention required here"
    UNADDRESSED = "not addressed"
    UNVERIFIED = "sender not allowed"
    STALE = "missed too long ago, or a missed command"
    EDITED = "a new version of what was answered"


class Rule(IntEnum):
    """The rules of `policy.decide`, in the order in which they are asked. Operators see the numbers in the trace."""

    OWN = 1
    CONTENTLESS = 2
    AUTOMATED = 3
    CHAT_NOT_SERVED = 4
    DIRECT = 5
    ADDRESSED_ELSEWHERE = 6
    ADDRESSED = 7
    SELF_EVIDENT = 8
    """A slash command, or a voice memo where nobody can mention anyone in one."""
    NO_MENTION_REQUIRED = 9
    UNADDRESSED = 10


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The agent gets `text`."""

    text: str
    rule: Rule
    reason: Reason


@dataclass(frozen=True, slots=True)
class Observe:
    """The agent may read `text` later, as background."""

    text: str
    rule: Rule
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ignore:
    """Nothing happens."""

    rule: Rule
    reason: Reason


Decision = Dispatch | Observe | Ignore
