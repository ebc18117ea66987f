"""Rewrites a Mattermost server's frames and lists for a fixture, replacing identities and contents. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from ....common.recording.documents import Object, dumped, leaves, nested, only, rows
from ....common.recording.masking import Span, command_span, mask
from ....common.recording.pseudonyms import content_type
from ....common.recording.recording import Recording
from ....common.recording.rules import Rules, Text, vocabulary, words
from ..mentions.grammar import EVERYBODY, find_mentions

_TIMES = words("""
    create_at update_at edit_at delete_at last_reply_at last_post_at last_root_post_at last_picture_update
    last_activity_at expires_at ts joined_at extra_update_at last_viewed_at
""")
_NUMBERS = words("""
    seq seq_reply size width height reply_count total_msg_count total_msg_count_root msg_count msg_count_root
    mention_count mention_count_root urgent_mention_count
""")
_OTHERS = words("""
    data broadcast error post reaction user channel channelMember props metadata files embeds emojis images reactions
    attachments fields participants mentions file_ids user_ids is_pinned set_online omit_users has_preview_image short
    is_bot has_reactions is_following shared group_constrained acknowledgements priority roles_list contains_sensitive
    omit_connection_id is_guest preferences preference thread
""")
_IDENTITIES = words("""
    id user_id channel_id team_id post_id root_id parent_id original_id connection_id creator_id remover_id sender_id
    request_id addedUserId removedUserId userId file_ids mentions remote_id pending_post_id deleteBy bot_id
    teammate_id last_root_id thread_id scheme_id policy_id
""")
_USERNAMES = words("username addedUsername removedUsername override_username sender_name")
_TEXTS = words("""
    message text pretext title fallback hashtags header purpose card status_text emoji_name nickname first_name
    last_name position author_name footer value description old_header new_header old_purpose new_purpose
    old_displayname new_displayname override_icon_url webhook_display_name title_link thumb_url image_url author_icon
    author_link footer_icon url color detailed_error
""")
_NAMES = _USERNAMES | words("name channel_name channel_display_name display_name nickname first_name last_name")
_BOOLEANS = words("true false True False")
_WORDS: Mapping[str, frozenset[str]] = {
    "event": words("""
        hello posted post_edited post_deleted ephemeral_message user_added user_removed leave_team added_to_team
        user_updated new_user status_change typing channel_viewed channel_created channel_updated channel_deleted
        channel_converted channel_restored channel_member_updated direct_added group_added reaction_added
        reaction_removed emoji_added preference_changed preferences_changed preferences_deleted config_changed
        license_changed plugin_enabled plugin_disabled plugin_statuses_changed response update_team delete_team
        memberrole_updated role_updated user_role_updated open_dialog post_unread multiple_channels_viewed
        thread_updated thread_follow_changed thread_read_changed sidebar_category_created sidebar_category_updated
        sidebar_category_deleted sidebar_category_order_updated authentication_challenge guests_deactivated
        received_group post_acknowledgement_added post_acknowledgement_removed
    """),
    "status": words("OK FAIL online away dnd offline ooo"),
    "channel_type": words("O P D G T"),
    "type": words("""
        O P D G T me slack_attachment message_attachment image link opengraph permalink boards system_generic
        system_join_leave system_join_channel system_guest_join_channel system_leave_channel system_add_remove
        system_add_to_channel system_add_guest_to_chan system_remove_from_channel system_join_team system_leave_team
        system_add_to_team system_remove_from_team system_header_change system_displayname_change
        system_convert_channel system_purpose_change system_channel_deleted system_channel_restored system_ephemeral
        system_change_chan_privacy system_combined_user_activity system_welcome_post system_wrangler reminder
    """),
    "from_bot": _BOOLEANS,
    "from_webhook": _BOOLEANS,
    "from_plugin": _BOOLEANS,
    "from_oauth_app": _BOOLEANS,
    "image": _BOOLEANS,
    "otherFile": _BOOLEANS,
    "disable_group_highlight": _BOOLEANS,
}
_VOCABULARY = frozenset[str]({"System", *EVERYBODY}).union(*_WORDS.values())
_USER = ("id", "username", "create_at", "update_at", "delete_at", "is_bot")
_CHANNEL = ("id", "team_id", "type", "name", "display_name", "create_at", "update_at", "delete_at", "last_post_at")
_TYPE_PREFIX = re.compile(r"(?:system|custom)_")
_VERSION = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){1,3}")
_COMPOUND = re.compile(r"(__|:)")


class MattermostRecording(Recording):
    """A recording of the server's frames."""

    def __init__(self, commands: Collection[str]) -> None:
        super().__init__(commands)
        self._names: set[str] = set()

    def ids(self) -> set[str]:
        """Return all ids in the frames, of users, channels, posts and so on."""
        found = (part for leaf in leaves([frame for _, frame in self._events]) for part in _COMPOUND.split(leaf))
        return {leaf for leaf in found if re.fullmatch(r"[a-z0-9]{26}", leaf)}

    def names(self) -> set[str]:
        """Return all names in the frames that may be mentions."""
        texts = (text for _, frame in self._events for text in _texts(frame))
        return {name for text in texts for name in find_mentions(text, lambda _: None).unknown}

    def files(self, me: Object, users: object, channels: object) -> dict[str, bytes]:
        """Return the contents of the fixture's files by suffix. Raises Leak if they contain any part of the originals.

        Channels that do not occur in the frames are left out.
        """
        people = list({user.get("id"): only(_USER, user) for user in (me, *rows(users))}.values())
        self._names = {name.lower() for user in people if isinstance(name := user.get("username"), str)}
        self._names.update(_usernames([frame for _, frame in self._events]))
        rules = self._rules(self._file)
        frames, times, kept = self._rewritten(rules)
        there = self.ids()
        shown = [only(_CHANNEL, channel) for channel in rows(channels) if channel.get("id") in there]
        written = {
            ".jsonl": "".join(f"{dumped(frame)}\n" for frame in frames).encode(),
            ".times.json": dumped(times).encode(),
            ".me.json": dumped(rules.apply(people[0])).encode(),
            ".users.json": dumped(rules.apply(people)).encode(),
            ".channels.json": dumped(self._rules(self._slug).apply(shown)).encode(),
        }
        self._check_for_leaks(written.values(), (kept, people, shown), rules.keys | _VOCABULARY, _NAMES, rules.numbers)
        return written

    def _rules(self, name: Text) -> Rules:
        """Return the rules. `name` rewrites the values of the key `name`, which are names of files or of channels."""
        strings: dict[str, Text] = dict.fromkeys(_TEXTS, self._masked)
        strings |= {key: vocabulary(known) for key, known in _WORDS.items()}
        strings |= dict.fromkeys(_USERNAMES, self._username)
        strings |= dict.fromkeys(_IDENTITIES, self._identity)
        strings |= {
            "name": name,
            "channel_name": self._slug,
            "channel_display_name": self._display_name,
            "display_name": self._display_name,
            "mime_type": content_type,
            "extension": lambda value: self.pseudonyms.file(f"x.{value}").partition(".")[2],
            "mini_preview": lambda _: "",
            "type": _type,
            "server_version": _version,
        }
        return Rules(self.pseudonyms, strings, _TIMES, _NUMBERS, _OTHERS)

    def _file(self, value: str) -> str:
        return self.pseudonyms.file(value)

    def _identity(self, value: str) -> str:
        """Rewrite an id, a list of ids, or an id joined to other ids or to a time."""
        if (inner := nested(value)) is not None:
            return dumped([self._identity(one) if isinstance(one, str) else 0 for one in inner])
        return "".join(
            part if part in {"", "__", ":"} else self.pseudonyms.word(part) for part in _COMPOUND.split(value)
        )

    def _slug(self, value: str) -> str:
        return self._identity(value) if "__" in value else self.pseudonyms.slug(value)

    def _username(self, value: str) -> str:
        return value if value == "System" else self.pseudonyms.username(value)

    def _display_name(self, value: str) -> str:
        """Rewrite a channel's display name. For direct and group messages, it is a list of usernames."""
        parts = value.split(", ")
        if all(part.removeprefix("@").lower() in self._names for part in parts):
            return ", ".join(map(self.pseudonyms.username, parts))
        return self.pseudonyms.chat(value)

    def _masked(self, text: str) -> str:
        """Mask a text, except for mentions and a slash command of the host at its start."""
        found = find_mentions(text, lambda name: name if name in self._names else None)
        spans = [(start, end) for start, end, _ in found.mentions]
        everybody = [_everybody(text, last) for last in found.everybody]
        masked = mask(text, [*everybody, *command_span(text, self._commands, [*spans, *everybody])])
        for start, end, name in reversed(found.mentions):
            masked = f"{masked[:start]}{self._mention(text[start:end], name)}{masked[end:]}"
        return masked

    def _mention(self, typed: str, name: str) -> str:
        """Return the pseudonym after the @ as typed, in capitals if the name was in capitals."""
        at, made = typed[: len(typed) - len(name)], self.pseudonyms.username(name)
        return at + (made.upper() if typed.isupper() else made)


def _everybody(text: str, last: int) -> Span:
    name = next(name for name in EVERYBODY if text[: last + 1].lower().endswith(name))
    return last + 1 - len(name), last + 1


def _type(value: str) -> str:
    """Keep a known type. Of any other type, keep only the prefix that marks it as a server's or a plugin's."""
    if value in _WORDS["type"]:
        return value
    prefix = _TYPE_PREFIX.match(value)
    return prefix[0] + mask(value[prefix.end() :]) if prefix else mask(value)


def _version(value: str) -> str:
    version = _VERSION.match(value)
    return version[0] + mask(value[version.end() :]) if version else mask(value)


def _texts(value: object) -> Iterator[str]:
    """Yield all texts in a frame that may mention somebody."""
    match value:
        case dict():
            for key, inner in value.items():
                if key in _TEXTS and isinstance(inner, str):
                    yield inner
                yield from _texts(inner)
        case list():
            for inner in value:
                yield from _texts(inner)
        case str() if (opened := nested(value)) is not None:
            yield from _texts(opened)


def _usernames(value: object) -> Iterable[str]:
    """Yield all usernames in fields that the server fills."""
    match value:
        case dict():
            for key, inner in value.items():
                if key in {"sender_name", "username", "addedUsername", "removedUsername"} and isinstance(inner, str):
                    yield inner.removeprefix("@").lower()
                yield from _usernames(inner)
        case list():
            for inner in value:
                yield from _usernames(inner)
        case str() if (opened := nested(value)) is not None:
            yield from _usernames(opened)
