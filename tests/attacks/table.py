"""The expectations: who may do what, with one kind of person for every way into a column of the table of authority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from hermes_hardened_adapters.common.core.authority import Authority


class Door(StrEnum):
    """How the operator opened the place; what is not named is closed."""

    LISTS = "admins and people are listed"
    OPEN = "the group is open, admins are listed"
    OPEN_WITHOUT_ADMINS = "the group is open, nobody is listed as an admin"
    WILDCARD = "everybody is accepted, nobody is listed as an admin"


class Kind(StrEnum):
    """Everybody the adversary plays."""

    ADMIN = "admin"
    LISTED = "listed person"
    PAIRED = "paired person"
    MEMBER = "member of the open group"
    MEMBER_WITHOUT_ADMINS = "member of the open group where no admin is listed"
    ANYBODY = "somebody the wildcard admits"
    BOT = "bot account"
    HOOK = "hook of an admin"
    APP = "app of an admin"
    POSER = "admin who poses as a program"
    STRANGER = "stranger"
    MASKED_STRANGER = "stranger with an override"
    STRANGERS_HOOK = "hook of a stranger"
    STRANGERS_APP = "app of a stranger"
    STRANGE_TYPE = "stranger with a custom type"


@dataclass(frozen=True, slots=True)
class Being:
    """The place of one kind in the table."""

    authority: Authority
    door: Door
    networks: tuple[str, ...]


BOTH, SIGNAL, MATTERMOST = ("signal", "mattermost"), ("signal",), ("mattermost",)

BEINGS: Mapping[Kind, Being] = {
    Kind.ADMIN: Being(Authority.ADMIN, Door.LISTS, BOTH),
    Kind.LISTED: Being(Authority.ALLOWED, Door.LISTS, BOTH),
    Kind.PAIRED: Being(Authority.ALLOWED, Door.LISTS, BOTH),
    Kind.MEMBER: Being(Authority.MEMBER, Door.OPEN, SIGNAL),
    Kind.MEMBER_WITHOUT_ADMINS: Being(Authority.MEMBER, Door.OPEN_WITHOUT_ADMINS, SIGNAL),
    Kind.ANYBODY: Being(Authority.MEMBER, Door.WILDCARD, BOTH),
    Kind.BOT: Being(Authority.PROGRAM, Door.LISTS, MATTERMOST),
    Kind.HOOK: Being(Authority.PROGRAM, Door.LISTS, MATTERMOST),
    Kind.APP: Being(Authority.PROGRAM, Door.LISTS, MATTERMOST),
    Kind.POSER: Being(Authority.PROGRAM, Door.LISTS, MATTERMOST),
    Kind.STRANGER: Being(Authority.STRANGER, Door.LISTS, BOTH),
    Kind.MASKED_STRANGER: Being(Authority.STRANGER, Door.LISTS, MATTERMOST),
    Kind.STRANGERS_HOOK: Being(Authority.STRANGER, Door.LISTS, MATTERMOST),
    Kind.STRANGERS_APP: Being(Authority.STRANGER, Door.LISTS, MATTERMOST),
    Kind.STRANGE_TYPE: Being(Authority.STRANGER, Door.LISTS, MATTERMOST),
}
"""Admin lists name the admin alone; everything else a listed person may is in `COMMANDS_OF_LISTED`."""


def beings(network: str, door: Door, authority: Authority) -> list[Kind]:
    """Everybody of that authority there."""
    return [
        kind
        for kind, being in BEINGS.items()
        if (being.door, being.authority) == (door, authority) and network in being.networks
    ]


COMMANDS_OF_LISTED = ("status", "approve", "deny", "new", "update")
"""The slash commands the operator leaves to listed people where admins are listed."""


class Act(StrEnum):
    """The rows of the table but for answers to questions (`MAY_ANSWER`) and places in queues (test_crowds.py)."""

    GROUP_TURN = "a turn in a group"
    DIRECT_TURN = "a turn in a direct message"
    LISTED_COMMAND = "a command the operator leaves to listed people"
    FLOOR_COMMAND = "a command of the floor"
    ADMIN_COMMAND = "a command of admins"
    YOLO = "/yolo"
    PLAIN_RESTART = "the plain words 'restart gateway'"
    FILE = "a file that is fetched"
    LONG_TEXT = "a long text that is fetched whole"
    REFERENCE = "an @file: that is expanded"
    INVITATION = "an invitation"


class Right(StrEnum):
    """What becomes of an act."""

    YES = "yes"
    NO = "no, and one may be told so"
    SILENCE = "no, without a sign"
    OPEN = "the host says"


_ALLOWED = dict.fromkeys(Act, Right.YES) | {
    Act.ADMIN_COMMAND: Right.NO,
    Act.YOLO: Right.NO,
    Act.PLAIN_RESTART: Right.NO,
}
_MEMBER = dict.fromkeys(Act, Right.NO) | {
    Act.GROUP_TURN: Right.YES,
    Act.DIRECT_TURN: Right.OPEN,
    Act.FLOOR_COMMAND: Right.YES,
    Act.FILE: Right.YES,
    Act.LONG_TEXT: Right.YES,
}
_NOBODY = dict.fromkeys(Act, Right.SILENCE)

EXPECTED: Mapping[Authority, Mapping[Act, Right]] = {
    Authority.ADMIN: dict.fromkeys(Act, Right.YES),
    Authority.ALLOWED: _ALLOWED,
    Authority.MEMBER: _MEMBER,
    # A program is heard in a group where `allow_bots` says so: with a mention.
    Authority.PROGRAM: _NOBODY | {Act.GROUP_TURN: Right.YES},
    Authority.STRANGER: _NOBODY,
}

MAY_ANSWER: Mapping[Authority, frozenset[str]] = {
    Authority.ADMIN: frozenset({"own", "others"}),
    Authority.ALLOWED: frozenset({"own"}),
    Authority.MEMBER: frozenset(),
    Authority.PROGRAM: frozenset(),
    Authority.STRANGER: frozenset(),
}
"""Whose questions somebody answers: those that arose from their own request, or anybody's in the chat."""
