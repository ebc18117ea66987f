"""Reactions as talk: each becomes one line of the background, which its removal takes away again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..asking.signs import base_emoji, shown
from ..core.events import message_key
from ..core.wording import Foreign
from .background import REACTED, Line
from .delivery import Reacted
from .observation import Observations

QUOTED_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class ReactionRules:
    """Which reactions to the bot's messages the agent is shown."""

    own: bool = True
    """Those to its own messages; otherwise none."""
    unverified: bool = True
    """Also those of people without the right to a turn."""
    several: bool = False
    """True on a network where a person may put several reactions to one message."""
    turns: Mapping[str, str] = field(default_factory=dict)
    """The operator's instruction for each reaction that is a request, by emoji or by its name."""


class Reactions:
    """Notes reactions to the bot's own messages.

    `text_of` returns the text of one of them by the host's chat id and its id, None if it is not known, and `lasts` the
    seconds until it disappears, None if it stays. `now` is Unix time.
    """

    def __init__(
        self,
        observed: Observations,
        rules: ReactionRules,
        text_of: Callable[[str, str], str | None],
        now: Callable[[], float],
        *,
        lasts: Callable[[str, str], float | None] = lambda *_: None,
    ) -> None:
        self._observed = observed
        self._rules = rules
        self._text_of = text_of
        self._now = now
        self._lasts = lasts

    def request(self, reacted: Reacted) -> str | None:
        """Return the request that a reaction is by the operator's table: its instruction, and the message it is about.

        Only people who get a turn for a message in that chat make one.
        """
        reaction, authorization = reacted.reaction, reacted.authorization
        turns = {base_emoji(emoji.strip(":")): instruction for emoji, instruction in self._rules.turns.items()}
        instruction, text = turns.get(base_emoji(reaction.emoji)), self._text_of(reacted.chat_id, reaction.message_id)
        if instruction is None or text is None or reaction.removed:
            return None
        if not (authorization.rights.turn if reacted.inbound.chat.is_group else authorization.allowed):
            return None
        # Words behind a slash command would be its arguments.
        about = f'(a reaction with {shown(reaction.emoji)} to your message "{quoted(text)}")'
        return instruction if instruction.startswith("/") else f"{instruction}\n{about}"

    def note(self, reacted: Reacted) -> None:
        """Keep a reaction until the agent's next turn, or forget it with its removal.

        A person has one line for each message, that of the latest reaction. In a direct chat, only people whom the host
        accepts are heard.
        """
        reaction, authorization, rules = reacted.reaction, reacted.authorization, self._rules
        if not rules.own or not (authorization.rights.turn or rules.unverified):
            return
        if not (reacted.inbound.chat.is_group or authorization.allowed):
            return
        text, emoji = self._text_of(reacted.chat_id, reaction.message_id), shown(reaction.emoji)
        if text is None or not emoji:
            return
        key = message_key(reacted.inbound.sender, f"{REACTED} {reaction.message_id}")
        said = f'{REACTED} {emoji} to "{quoted(text)}"'
        if not reaction.removed:
            # The line quotes the message, so it goes with it.
            times = (self._lasts(reacted.chat_id, reaction.message_id), reacted.inbound.expires_in)
            lasts = min((time for time in times if time is not None), default=None)
            author = reacted.author or "somebody"
            line = Line(key, author, authorization.authority, said, self._now(), lasts=lasts)
            self._observed.renew(reacted.buffer, line)
        elif not rules.several or self._observed.holds(reacted.buffer, key, said):
            self._observed.delete(reacted.buffer, key)


def quoted(text: str) -> str:
    """Return the beginning of a message for display between quotation marks."""
    return Foreign(text, QUOTED_CHARACTERS).replace('"', "'") or "(a file)"
