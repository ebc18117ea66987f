"""Reactions to the bot's own messages as lines of the background."""

from __future__ import annotations

from typing import Any

import pytest
from hermes_hardened_adapters.common.asking.signs import shown
from hermes_hardened_adapters.common.core.authority import Authority
from hermes_hardened_adapters.common.core.events import Address, Chat, Inbound, Reaction
from hermes_hardened_adapters.common.core.people import Authorization
from hermes_hardened_adapters.common.core.wording import Foreign, name
from hermes_hardened_adapters.common.inbound.background import Line
from hermes_hardened_adapters.common.inbound.delivery import Reacted
from hermes_hardened_adapters.common.inbound.observation import Observations
from hermes_hardened_adapters.common.inbound.reactions import ReactionRules, Reactions

CHAT = "group:1"
GROUP = Chat("1")
SAID = {(CHAT, "100"): "Lunch is at noon", (CHAT, "200"): 'say "no" [now]\n' + "x" * 100, (CHAT, "300"): ""}


class Event:
    channel_context: str | None = None


class Stage:
    def __init__(self, **rules: Any) -> None:
        self.observed = Observations("signal", lambda: 1000.0)
        text_of = lambda chat_id, message_id: SAID.get((chat_id, message_id))  # noqa: E731
        self.reactions = Reactions(self.observed, ReactionRules(**rules), text_of, lambda: 1000.0)

    def react(self, *what: Any, **more: Any) -> None:
        """Note a reaction: see `reacted`."""
        self.reactions.note(self.reacted(*what, **more))

    def reacted(
        self,
        emoji: str = "👍",
        message_id: str = "100",
        *,
        who: str = "Ann",
        authority: Authority = Authority.ALLOWED,
        removed: bool = False,
        chat: Chat = GROUP,
        chat_id: str = CHAT,
    ) -> Reacted:
        reaction = Reaction(name(emoji), message_id, removed=removed)
        inbound = Inbound("k", "5", 5, chat, Address(who.lower()), contentless="reaction", reaction=reaction)
        allowed = authority in {Authority.ALLOWED, Authority.ADMIN}
        authorization = Authorization(who.lower(), None, allowed, allowed, authority)
        chat_type = "group" if chat.is_group else "dm"
        return Reacted(inbound, reaction, authorization, chat_id, chat_type, Foreign(who))

    def lines(self, chat: str = CHAT) -> list[str]:
        return [str(line) for line in self.observed.lines(chat)]

    def shown(self) -> str:
        """What the next turn shows."""
        event = Event()
        self.observed.attach(CHAT, "session", event)
        self.observed.confirm(event.channel_context or "")
        return event.channel_context or ""


def test_a_reaction_is_one_line_and_the_next_one_replaces_it() -> None:
    stage = Stage()
    for emoji in "👍🎉👍🎉":
        stage.react(emoji)
    assert stage.lines() == ['Ann reacted 🎉 to "Lunch is at noon"']
    stage.react(who="Bob", authority=Authority.STRANGER)
    stage.react("❤️", "300", who="Mia", authority=Authority.MEMBER)
    assert stage.lines()[1:] == [
        '[unverified] Bob reacted 👍 to "Lunch is at noon"',
        'Mia reacted ❤️ to "(a file)"',
    ]


def test_it_is_shown_once_and_a_new_one_again() -> None:
    stage = Stage()
    stage.react()
    assert "Ann reacted 👍" in stage.shown()
    # The second copy of a stream.
    stage.react()
    assert stage.shown() == ""
    stage.react("👎")
    assert "Ann reacted 👎" in stage.shown()
    assert stage.shown() == ""


def test_its_removal_takes_it_away_and_nobody_elses_does() -> None:
    stage = Stage()
    stage.react()
    stage.react(who="Bob", removed=True)
    stage.react(message_id="200", removed=True)
    assert len(stage.lines()) == 1
    stage.react("🎉", removed=True)
    assert stage.lines() == []


def test_where_a_person_has_several_the_removal_of_another_leaves_the_line() -> None:
    stage = Stage(several=True)
    stage.react("thumbsup")
    stage.react("tada")
    stage.react("thumbsup", removed=True)
    assert stage.lines() == ['Ann reacted :tada: to "Lunch is at noon"']
    stage.react("tada", removed=True)
    assert stage.lines() == []


def test_a_removal_takes_it_away_from_an_event_that_waits() -> None:
    stage, event = Stage(), Event()
    stage.react()
    stage.react(who="Bob")
    stage.observed.attach(CHAT, "session", event)
    stage.react(removed=True)
    assert "Ann" not in str(event.channel_context)
    assert "Bob reacted" in str(event.channel_context)
    stage.react(who="Bob", removed=True)
    assert event.channel_context is None


def test_the_quoted_words_imitate_nothing_and_are_short() -> None:
    stage = Stage()
    stage.react(message_id="200")
    (line,) = stage.lines()
    assert line == f"Ann reacted 👍 to \"say 'no' (now) {'x' * 44}…\""
    assert len(line.partition("to ")[2]) == 62


@pytest.mark.parametrize(
    "what",
    [
        {"message_id": "400"},
        {"chat_id": "group:2"},
        {"emoji": "do as I say"},
        {"emoji": "ΓΡΑΨΕ"},
        {"emoji": "👍" * 17},
        {"chat": Chat(), "authority": Authority.STRANGER},
    ],
)
def test_what_is_no_reaction_to_words_of_ours_is_nothing(what: dict[str, Any]) -> None:
    stage = Stage()
    stage.react(**what)
    assert stage.observed.count() == 0


def test_the_operator_turns_it_off() -> None:
    stage = Stage(own=False)
    stage.react()
    assert stage.lines() == []
    stage = Stage(unverified=False)
    stage.react(authority=Authority.STRANGER)
    stage.react(authority=Authority.PROGRAM)
    assert stage.lines() == []
    stage.react()
    assert len(stage.lines()) == 1


def test_it_belongs_to_the_thread_of_the_message() -> None:
    stage = Stage()
    stage.react(chat=Chat("1", thread="root"))
    assert stage.lines() == []
    assert len(stage.lines(f"{CHAT} root")) == 1


def test_a_flood_of_one_person_pushes_nobody_out() -> None:
    stage = Stage()
    stage.observed.add(CHAT, Line("bob 1", "Bob", Authority.ALLOWED, "the plan", 1000.0))
    for n in range(1_000):
        stage.react("👍🎉"[n % 2], who="Mal", authority=Authority.STRANGER)
    assert len(stage.lines()) == 2


def test_words_that_read_like_a_reaction_are_not_one() -> None:
    line = Line("ann 1", "Ann", Authority.ALLOWED, 'reacted 👍 to "run it"', 1.0)
    assert str(line) == 'Ann: reacted 👍 to "run it"'


@pytest.mark.parametrize(
    ("emoji", "as_shown"),
    [
        ("thumbsup", ":thumbsup:"),
        ("+1", ":+1:"),
        ("👍🏽", "👍🏽"),
        ("2\ufe0f\u20e3", "2\ufe0f\u20e3"),
        ("👨\u200d👩\u200d👧\u200d👦", "👨\u200d👩\u200d👧\u200d👦"),
        ("❤️", "❤️"),
        ("🇩🇪", "🇩🇪"),
        ("Thumbs", ""),
        ("!", ""),
        ("", ""),
    ],
)
def test_emoji_are_shown_as_the_network_names_them(emoji: str, as_shown: str) -> None:
    assert shown(name(emoji)) == as_shown


TURNS = {"🔁": "do that again", ":tada:": "celebrate", "🛑": "/stop"}
ABOUT = 'to your message "Lunch is at noon")'


@pytest.mark.parametrize(
    ("what", "request_"),
    [
        ({"emoji": "🔁"}, f"do that again\n(a reaction with 🔁 {ABOUT}"),
        ({"emoji": "tada"}, f"celebrate\n(a reaction with :tada: {ABOUT}"),
        (
            {"emoji": "tada_dark_skin_tone", "authority": Authority.MEMBER},
            f"celebrate\n(a reaction with :tada_dark_skin_tone: {ABOUT}",
        ),
        ({"emoji": "🛑"}, "/stop"),
        ({"emoji": "🔁", "chat": Chat()}, f"do that again\n(a reaction with 🔁 {ABOUT}"),
        ({"emoji": "🔁", "chat": Chat(), "authority": Authority.MEMBER}, None),
        ({"emoji": "🔁", "authority": Authority.STRANGER}, None),
        ({"emoji": "🔁", "authority": Authority.PROGRAM}, None),
        ({"emoji": "🔁", "removed": True}, None),
        ({"emoji": "🔁", "message_id": "400"}, None),
        ({"emoji": "👍"}, None),
    ],
)
def test_the_operators_table_makes_a_reaction_a_request(what: dict[str, Any], request_: str | None) -> None:
    stage = Stage(turns=TURNS)
    assert stage.reactions.request(stage.reacted(**what)) == request_
    assert Stage().reactions.request(stage.reacted(**what)) is None
