"""The authority of an author: decided once per message, used everywhere. Pure.

`RIGHTS` is the only table of permissions. Where two authorities apply, the lower one counts; an unknown author is a
stranger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum


class Authority(IntEnum):
    """The operator's relation to the author of a message; a higher one has more rights."""

    STRANGER = 0
    """Anybody else: unknown to the operator."""
    PROGRAM = 1
    """A bot or hook that the operator lets speak."""
    MEMBER = 2
    """A person whom only an open group or a wildcard lets in."""
    ALLOWED = 3
    """A person whom the operator listed or paired."""
    ADMIN = 4


class Commands(Enum):
    """The slash commands that an author may run, including plain phrases that the host reads as one."""

    NONE = "none"
    FLOOR = "floor"
    """The commands that the host leaves to everybody (gateway/slash_access.py), regardless of its lists."""
    LISTED = "listed"
    """The commands that the host's lists allow."""


class Answers(Enum):
    """The host's questions that an author may answer: approvals, confirmations, questions of an update."""

    NONE = "none"
    OWN = "own"
    """Questions that arose from the author's own request."""
    ANY = "any"


@dataclass(frozen=True, slots=True)
class FileLimits:
    """The limits for fetching from one message: number of files, and bytes of each on the wire."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rights:
    """The permissions of one authority."""

    turn: bool
    """A turn of the agent in a group; the author's words count as instructions."""
    commands: Commands
    answers: Answers
    files: FileLimits
    """Limits for files, and for the rest of a long text."""
    references: bool
    """The host expands `@file:`, `@diff` and `@url:` in the author's words."""
    invites: bool
    """An invitation by the author opens a group or channel to the bot."""
    memory: bool
    """Seeing and deleting what a chat has stored in the agent's memory, in that chat."""
    waiting: int
    """The most messages of the author that may wait in one chat."""
    background: int
    """The most characters of the author kept as background of one chat."""

    @property
    def controls(self) -> bool:
        """True if the author may run a command or answer a question of the host at all."""
        return self.commands is not Commands.NONE or self.answers is not Answers.NONE


_NO_FILES = FileLimits(0, 0)
_SOME_FILES = FileLimits(3, 10 * 2**20)
_FILES = FileLimits(10, 100 * 2**20)

RIGHTS: Mapping[Authority, Rights] = {
    Authority.ADMIN: Rights(True, Commands.LISTED, Answers.ANY, _FILES, True, True, True, 1_000, 4_000),
    Authority.ALLOWED: Rights(True, Commands.LISTED, Answers.OWN, _FILES, True, True, True, 1_000, 4_000),
    Authority.MEMBER: Rights(True, Commands.FLOOR, Answers.NONE, _SOME_FILES, False, False, False, 100, 2_000),
    Authority.PROGRAM: Rights(False, Commands.NONE, Answers.NONE, _NO_FILES, False, False, False, 50, 1_000),
    Authority.STRANGER: Rights(False, Commands.NONE, Answers.NONE, _NO_FILES, False, False, False, 50, 1_000),
}


def of_person(
    *, accepted: bool, named: bool, paired: bool, admin: bool, admins_named: bool, admitted: bool
) -> Authority:
    """Return a person's authority in one chat.

    `accepted`: the host accepts them. `named`: the operator listed them individually. `paired`: the host paired them.
    `admin`: the operator listed them as an admin of that kind of chat. `admins_named`: a list of admins exists.
    `admitted`: the chat is open to its members.
    """
    if not accepted:
        return Authority.MEMBER if admitted else Authority.STRANGER
    # Without a list of admins, the host limits nobody's commands (gateway/slash_access.py): only people whom the
    # operator listed individually count as admins then, not everybody behind a wildcard.
    if admin or (named and not admins_named):
        return Authority.ADMIN
    if named or paired or admins_named:
        return Authority.ALLOWED
    return Authority.MEMBER


def of_program(account: Authority, *, is_bot: bool) -> Authority:
    """Return the authority of a post marked as a program's, under an account of that authority.

    `is_bot` is the server's own mark of the account. Anybody can set the other marks, so they only ever lower it: an
    unlisted person stays a stranger.
    """
    return Authority.PROGRAM if is_bot else min(account, Authority.PROGRAM)
