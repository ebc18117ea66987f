"""Rewrites signal-cli's events and lists for a fixture, replacing identities and contents. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from ....common.recording.documents import Object, dumped, leaves, only, parsed_object, rows
from ....common.recording.masking import command_span, mask
from ....common.recording.pseudonyms import content_type
from ....common.recording.recording import Recording
from ....common.recording.rules import Rules, Text, vocabulary, words

_TIMES = words("""
    timestamp timestamps serverReceivedTimestamp serverDeliveredTimestamp targetSentTimestamp sentTimestamp when
    uploadTimestamp id lastUpdateTimestamp
""")
_NUMBERS = words("""
    sourceDevice deviceId expiresInSeconds start length revision size width height stickerId messageExpirationTime
    voteCount optionIndexes pinDurationSeconds
""")
_OTHERS = words("""
    envelope dataMessage editMessage syncMessage sentMessage receiptMessage typingMessage callMessage storyMessage
    exception mentions attachments quote textStyles groupInfo reaction remoteDelete sticker previews contacts payment
    storyContext pollCreate pollVote pollTerminate pinMessage unpinMessage adminDelete groupCallUpdate thumbnail image
    textAttachment fileAttachment readMessages viewedMessages sentStoryMessage isRemove isExpirationUpdate viewOnce
    isDelivery isRead isViewed allowsReplies allowMultiple members pendingMembers requestingMembers admins banned
    profile isMember isBlocked isAdmin offerMessage answerMessage busyMessage hangupMessage iceUpdateMessages
""")
_IDENTITIES = words("""
    account source sourceNumber sourceUuid number uuid author authorNumber authorUuid targetAuthor targetAuthorNumber
    targetAuthorUuid destination destinationNumber destinationUuid sender senderNumber senderUuid groupId packId
    blockedNumbers blockedGroupIds
""")
_PEOPLE = words("sourceName name givenName familyName nickName")
_NAMES = _PEOPLE | words("groupName username filename")
_TEXTS = words("""
    message text caption title description question options note body emoji receipt url backgroundColor
    textForegroundColor
""")
_WORDS: Mapping[str, frozenset[str]] = {
    "type": words("""
        DELIVER UPDATE QUIT REQUEST_INFO CONTACTS_SYNC GROUPS_SYNC REQUEST_SYNC_COMPLETE
        ProtocolInvalidMessageException ProtocolInvalidKeyIdException ProtocolInvalidKeyException
        ProtocolInvalidVersionException ProtocolDuplicateMessageException ProtocolLegacyMessageException
        ProtocolNoSessionException ProtocolUntrustedIdentityException UntrustedIdentityException SelfSendException
        UnsupportedDataMessageException UnsupportedDataMessageProtocolVersionException IOException AssertionError
        InvalidMessageStructureException InvalidMetadataMessageException InvalidMetadataVersionException
    """),
    "action": words("STARTED STOPPED"),
    "style": words("BOLD ITALIC SPOILER STRIKETHROUGH MONOSPACE DEFAULT REGULAR SERIF SCRIPT CONDENSED NONE"),
}
_VOCABULARY = frozenset[str]().union(*_WORDS.values())
_CONTACT = ("number", "uuid", "username", "name", "isBlocked", "profile")
_GROUP = ("id", "name", "isMember", "isBlocked", "members", "pendingMembers", "requestingMembers", "admins")


class SignalRecording(Recording):
    """A recording of signal-cli's events."""

    def files(self, contacts: object, groups: object) -> dict[str, bytes]:
        """Return the contents of the fixture's files by suffix. Raises Leak if they contain any part of the originals.

        Contacts and groups that do not occur in the events are left out.
        """
        rules = self._rules(name=self.pseudonyms.person)
        events, times, kept = self._rewritten(rules)
        kept_contacts, kept_groups = _occurring(kept, rows(contacts), rows(groups))
        written = {
            ".sse": b"".join(framed(event) for event in events),
            ".times.json": dumped(times).encode(),
            ".contacts.json": dumped(rules.apply(kept_contacts)).encode(),
            ".groups.json": dumped(self._rules(name=self.pseudonyms.chat).apply(kept_groups)).encode(),
        }
        self._check_for_leaks(
            written.values(), (kept, kept_contacts, kept_groups), rules.keys | _VOCABULARY, _NAMES, rules.numbers
        )
        return written

    def _rules(self, name: Text) -> Rules:
        """Return the rules. `name` rewrites the values of the key `name`, which are names of people or of groups."""
        pseudonyms = self.pseudonyms
        strings: dict[str, Text] = dict.fromkeys(_IDENTITIES, pseudonyms.word)
        strings |= dict.fromkeys(_PEOPLE, pseudonyms.person)
        strings |= dict.fromkeys(_TEXTS, self._masked)
        strings |= {key: vocabulary(known) for key, known in _WORDS.items()}
        strings |= {
            "name": name,
            "groupName": pseudonyms.chat,
            "username": pseudonyms.username,
            "filename": pseudonyms.file,
            "id": lambda value: pseudonyms.identity(value) or pseudonyms.file(value),
            "contentType": content_type,
        }
        return Rules(pseudonyms, strings, _TIMES, _NUMBERS, _OTHERS)

    def _masked(self, text: str) -> str:
        return mask(text, command_span(text, self._commands))


def framed(event: object) -> bytes:
    """Frame an event as the daemon does: without a space after the colons, and with one line of data."""
    return b"event:receive\ndata:" + dumped(event).encode() + b"\n\n"


def events_of(body: bytes) -> list[Object]:
    """Return the events of a recorded SSE body in order, without anything else in it."""
    lines = (line[5:] for line in body.split(b"\n") if line.startswith(b"data:"))
    return [event for line in lines if (event := parsed_object(line)) is not None]


def _occurring(events: list[Object], contacts: list[Object], groups: list[Object]) -> tuple[list[Object], list[Object]]:
    """Return the contacts and groups that occur in the events, reduced to the keys that a client reads."""
    shown = set(leaves(events))
    kept_groups = [only(_GROUP, group) for group in groups if group.get("id") in shown]
    shown.update(leaves(kept_groups))
    people = [row for row in contacts if row.get("number") in shown or row.get("uuid") in shown]
    return [only(_CONTACT, row) for row in people], kept_groups
