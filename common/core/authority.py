"""What somebody may do: decided once for every message, asked everywhere. Pure.

The table is `RIGHTS`; no code asks "allowed?" in words of its own. Where two authorities apply the lower one counts,
and who is unknown is a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class Authority(IntEnum):
    """The author of a message, to the operator; the higher may more."""

    STRANGER = 0
    """Nobody the operator knows."""
    PROGRAM = 1
    """A bot or hook that the operator lets speak."""
    MEMBER = 2
    """Admitted by an open door: an open group, or a wildcard that names nobody."""
    ALLOWED = 3
    """Listed by the operator, or paired."""
    ADMIN = 4


class Commands(Enum):
    """The slash commands somebody may run, and the plain words the host takes for one."""

    NONE = "none"
    FLOOR = "floor"
    """Those the host leaves to everybody (gateway/slash_access.py), whatever its lists say."""
    LISTED = "listed"
    """As the host's lists say."""


class Answers(Enum):
    """The questions of the host somebody may answer: approvals, confirmations, those of an update."""

    NONE = "none"
    OWN = "own"
    """Those that arose from a request of their own."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class FileLimits:
    """How much of one message is fetched: files, and bytes of each as they arrive."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rights:
    """One column of the table."""

    turn: bool
    """A turn of the agent in a group, and words that count as instructions."""
    commands: Commands
    answers: Answers
    files: FileLimits
    """Files and the rest of long texts."""
    references: bool
    """`@file:`, `@diff`, `@url:` in their words are expanded by the host."""
    invites: bool
    """Invites the bot, opens a group to it, adds it to a channel."""
    waiting: int
    """Messages of one author that may wait in one chat."""
    background: int
    """Characters of one author that are kept as background of one chat."""


_NO_FILES = FileLimits(0, 0)
_SOME_FILES = FileLimits(3, 10 * 2**20)
_FILES = FileLimits(10, 100 * 2**20)

RIGHTS: Mapping[Authority, Rights] = {
    Authority.ADMIN: Rights(True, Commands.LISTED, Answers.ANY, _FILES, True, True, 1_000, 4_000),
    Authority.ALLOWED: Rights(True, Commands.LISTED, Answers.OWN, _FILES, True, True, 1_000, 4_000),
    Authority.MEMBER: Rights(True, Commands.FLOOR, Answers.NONE, _SOME_FILES, False, False, 100, 2_000),
    Authority.PROGRAM: Rights(False, Commands.NONE, Answers.NONE, _NO_FILES, False, False, 50, 1_000),
    Authority.STRANGER: Rights(False, Commands.NONE, Answers.NONE, _NO_FILES, False, False, 50, 1_000),
}


def of_person(
    *, accepted: bool, named: bool, paired: bool, admin: bool, admins_named: bool, admitted: bool
) -> Authority:
    """A person's authority in one chat.

    `accepted` is the host's word; `named` that the operator listed them individually, `admin` as an admin of that kind
    of chat, `admins_named` that there is such a list; `admitted` that the chat is open to its members.
    """
    if not accepted:
        return Authority.MEMBER if admitted else Authority.STRANGER
    if admin or (named and not admins_named):
        return Authority.ADMIN
    if named or paired or admins_named:
        return Authority.ALLOWED
    return Authority.MEMBER


def of_program(account: Authority, *, is_bot: bool) -> Authority:
    """The authority of a post marked as a program's, made under an account of that authority.

    `is_bot` is the server's word on the account. All other marks can be set by anybody, so they only ever lower: who
    posts as a person without being allowed stays a stranger.
    """
    return Authority.PROGRAM if is_bot else min(account, Authority.PROGRAM)
