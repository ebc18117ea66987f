"""The vocabulary that both networks share, from the decoded frame to the decision. Pure."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from .wording import Foreign

_UNNAMED = Foreign()


@dataclass(frozen=True, slots=True)
class Address:
    """A person as a network names them.

    `id` is stable (Signal: the ACI in lower case; Mattermost: the user id), `number` is an E.164 phone number.
    """

    id: str | None = None
    number: str | None = None

    def __bool__(self) -> bool:
        return bool(self.id or self.number)


def message_key(author: Address, message_id: str) -> str:
    """Return the key of a message. Two people's messages never share one, although their message ids may."""
    return f"{author.id or author.number} {message_id}"


@dataclass(frozen=True, slots=True)
class Me:
    """The bot's own identity, as far as it is known. `sent` holds the message ids of its own messages."""

    id: str | None = None
    number: str | None = None
    sent: Container[str] = ()

    def recognises(self, address: Address) -> bool | None:
        """Return True if the address is our own; None while our own id is unknown and the address has only an id."""
        if (address.id and address.id == self.id) or (address.number and address.number == self.number):
            return True
        if address.id and self.id is None and not address.number:
            return None
        return False

    def wrote(self, reaction: Reaction) -> bool:
        """Return True if a reaction is certainly to a message of ours. Two people's message ids may be equal."""
        if reaction.author:
            return self.recognises(reaction.author) is True
        return reaction.message_id in self.sent


class Origin(StrEnum):
    """The kind of author."""

    PERSON = "person"
    SELF = "self"
    """The bot itself: an echo."""
    OWN_DEVICE = "own device"
    """The owner of the account, on another of its devices."""
    PROGRAM = "program"
    """A bot, a webhook, a plugin or the output of a slash command."""
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Chat:
    """The chat of a message. `id` is the network's id of a group or channel, empty for a direct message."""

    id: str = ""
    name: Foreign | None = None
    thread: str | None = None
    team: str | None = None
    """The network's id of the team that a channel belongs to."""

    @property
    def is_group(self) -> bool:
        return bool(self.id)


@dataclass(frozen=True, slots=True)
class Mention:
    """A mention in a text. `span` is (start, end) in code points, None for an invalid range."""

    address: Address
    name: Foreign
    span: tuple[int, int] | None


MOST_MENTIONS = 500
"""The most mentions read of one message, the first on the wire: an author who writes more loses only their own."""


@dataclass(frozen=True, slots=True)
class Quote:
    """The message that a message replies to."""

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


@dataclass(frozen=True, slots=True)
class Reaction:
    """A reaction to a message. Signal writes the emoji itself, Mattermost its name.

    `author` is the author of that message, empty on a network that does not name them.
    """

    emoji: Foreign
    message_id: str
    author: Address = Address()
    removed: bool = False


MOST_ATTACHMENTS = 50
"""The most attachments read of one message. No client of either network sends as many."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """One event in a chat.

    `key` is the ledger's key and unique for ever, replies refer to `message_id`, `sent_at` is the sender's own time.
    `contentless` names the kind of an event without anything to read ("receipt", "typing", …). All times are
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
    """True for a note of the owner to themselves (own device only)."""
    contentless: str | None = None
    text: str = ""
    mentions: tuple[Mention, ...] = ()
    broadcast: bool = False
    """True if it mentions everybody at once (@channel, @all, @here)."""
    quote: Quote | None = None
    in_our_thread: bool = False
    """True in a thread whose root is ours, or in which we answered during the last seven days."""
    answers: bool = False
    """True if the text is one of the choices of a question that the bot asked its author."""
    attachments: tuple[Attachment, ...] = ()
    cards: tuple[Foreign, ...] = ()
    """Descriptions of what it holds besides: a sticker, contacts, a poll. They are no words of its author."""
    asks_nothing: bool = False
    """True for a vote in a poll, or its end: background at most, whomever it mentions or replies to."""
    edits: str | None = None
    """The id of the message that this one is a new version of."""
    received_at: int | None = None
    """Time at which the server received this version, by its own clock."""
    first_at: int | None = None
    """For a new version: time at which the server received the first one."""
    delivered_at: int | None = None
    """Time at which the server delivered it, by its own clock; None if unknown."""
    deletes: str | None = None
    """The id of the message that its sender deleted with this event."""
    deleted_author: Address = Address()
    """The author of the deleted message, empty if it is the sender."""
    reaction: Reaction | None = None
    """The reaction that the event is, or takes away."""
    expires_in: int | None = None
    """Seconds after which the message disappears for the people in the chat, None for one that stays."""
    view_once: bool = False
    """True if its files are meant to be seen only once."""
    opens_group: bool = False
    """True for a group event without text: somebody created the group, added or invited us, or changed the group."""

    @property
    def deleted_key(self) -> str | None:
        """The `message_key` of the message that this event deletes."""
        return message_key(self.deleted_author or self.sender, self.deletes) if self.deletes else None

    @property
    def message_keys(self) -> tuple[str, ...]:
        """The `message_key` of this version, and that of the version that it replaces."""
        ids = (self.message_id, *([self.edits] if self.edits and self.edits != self.message_id else ()))
        return tuple(message_key(self.sender, each) for each in ids)


@dataclass(frozen=True, slots=True)
class Unhandled:
    """A frame that the adapters do not use; `kind` is counted."""

    kind: str


class Reason(StrEnum):
    """The reason for a decision, as the trace shows it."""

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
    ANSWER = "answers a question of ours"
    COMMAND = "slash command"
    VOICE = "voice memo"
    FREE = "no mention required here"
    UNADDRESSED = "not addressed"
    UNVERIFIED = "sender not allowed"
    STALE = "missed too long ago, or a missed command"
    EDITED = "a new version of what was answered"
    DELETED = "deleted before it was handled"
    REACTION = "a reaction that the operator made a request"


class Rule(IntEnum):
    """The rules of `policy.decide`, in their order. Operators see the numbers in the trace."""

    OWN = 1
    CONTENTLESS = 2
    AUTOMATED = 3
    CHAT_NOT_SERVED = 4
    DIRECT = 5
    ADDRESSED_ELSEWHERE = 6
    ADDRESSED = 7
    SELF_EVIDENT = 8
    """A slash command, or a voice memo on a network where a voice memo cannot mention anyone."""
    NO_MENTION_REQUIRED = 9
    UNADDRESSED = 10


@dataclass(frozen=True, slots=True)
class Dispatch:
    """The message becomes a turn of the agent, with `text`."""

    text: str
    rule: Rule
    reason: Reason
    wordless: bool = field(default=False, compare=False)
    """True if its author wrote nothing: `text`, if any, describes what is shared."""


@dataclass(frozen=True, slots=True)
class Observe:
    """The message is kept as background, with `text`, until the agent's next turn in that chat."""

    text: str
    rule: Rule
    reason: Reason


@dataclass(frozen=True, slots=True)
class Ignore:
    """The message is dropped."""

    rule: Rule
    reason: Reason


Decision = Dispatch | Observe | Ignore
