"""The table of rights, and an author's place in it."""

from __future__ import annotations

from dataclasses import astuple
from itertools import pairwise

import pytest
from hermes_hardened_adapters.common.core.authority import (
    RIGHTS,
    Answers,
    Authority,
    Commands,
    of_person,
    of_program,
)


def test_nobody_who_is_not_allowed_has_files_fetched() -> None:
    assert [RIGHTS[who].files.files for who in (Authority.STRANGER, Authority.PROGRAM)] == [0, 0]


def test_a_lower_authority_has_no_right_that_a_higher_one_lacks() -> None:
    commands, answers = list(Commands), list(Answers)
    ranks = [
        (
            *(r.turn, commands.index(r.commands), answers.index(r.answers), *astuple(r.files)),
            *(r.references, r.invites, r.memory, r.waiting, r.background),
        )
        for r in (RIGHTS[authority] for authority in sorted(Authority))
    ]
    for lower, higher in pairwise(ranks):
        assert all(a <= b for a, b in zip(lower, higher, strict=True))


@pytest.mark.parametrize(
    ("said_of_them", "authority"),
    [
        ("", Authority.STRANGER),
        ("named admin", Authority.STRANGER),
        ("admitted", Authority.MEMBER),
        ("accepted", Authority.MEMBER),
        ("accepted paired", Authority.ALLOWED),
        ("accepted named", Authority.ADMIN),
        ("accepted named admins_named", Authority.ALLOWED),
        ("accepted admins_named", Authority.ALLOWED),
        ("accepted named admin admins_named", Authority.ADMIN),
        ("accepted admitted", Authority.MEMBER),
    ],
)
def test_a_persons_place_in_the_table(said_of_them: str, authority: Authority) -> None:
    names = ("accepted", "named", "paired", "admin", "admins_named", "admitted")
    assert of_person(**{name: name in said_of_them.split() for name in names}) is authority


@pytest.mark.parametrize("account", Authority)
def test_a_mark_of_a_program_raises_nobody(account: Authority) -> None:
    assert of_program(account, is_bot=False) is min(account, Authority.PROGRAM)
    assert of_program(account, is_bot=True) is Authority.PROGRAM
