"""Chats: which are served and why, and how an operator names one."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.chats import Entry, LiveChat, Status, find, overview
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.core.policy import Policy
from hermes_hardened_adapters.common.core.pseudonymizer import Pseudonymizer

ALL = Entry(Status.APPROVED, "alice", 1000.0, "invitation")


@pytest.mark.parametrize(
    ("policy", "entry", "served", "because"),
    [
        (Policy(), None, False, "not approved"),
        (Policy(), Entry(Status.KNOWN, "", 1.0, ""), False, "not approved"),
        (Policy(), ALL, True, "invited by alice"),
        (Policy(), Entry(Status.GRANTED, "bob", 1.0, ""), True, "approved by bob"),
        (Policy(chats=frozenset({"a"})), None, True, "listed in the settings"),
        (Policy(every_chat=True), None, True, "the settings allow all"),
        (Policy(chats=frozenset({"a"})), Entry(Status.REVOKED, "bob", 1.0, "noise"), False, "revoked by bob"),
        (Policy(every_chat=True), Entry(Status.REVOKED, "bob", 1.0, "noise"), False, "revoked by bob"),
    ],
)
def test_why_a_group_is_served_or_not(policy: Policy, entry: Entry | None, served: bool, because: str) -> None:
    """The same as what the rules make of it."""
    known = {"a": entry} if entry else {}
    (row,) = overview("signal", policy, [LiveChat("a", "Family", "member")], known)
    assert (row.served, row.name, row.membership) == (served, "Family", "member")
    assert row.because.startswith(because)
    approved = frozenset(c for c, e in known.items() if e.status in {Status.APPROVED, Status.GRANTED})
    revoked = frozenset(c for c, e in known.items() if e.status is Status.REVOKED)
    assert policy.with_chats(approved, barred=revoked).serves("a") is served


def test_every_group_anybody_knows_is_listed_the_served_first() -> None:
    rows = overview(
        "signal",
        Policy(chats=frozenset({"listed"})),
        [LiveChat("live", "Zoo", "pending"), LiveChat("listed", "Ants", "member")],
        {"invited": ALL},
    )
    assert [(row.id, row.membership) for row in rows] == [("invited", ""), ("listed", "member"), ("live", "pending")]
    pseudonym = Pseudonymizer()
    assert find(pseudonym("live"), rows, pseudonym) == find("live", rows, pseudonym) == rows[-1]
    assert find("nobody", rows, pseudonym) is None


def test_a_pseudonym_two_groups_share_names_neither() -> None:
    rows = overview("signal", Policy(), [LiveChat("one", "", ""), LiveChat("other", "", "")], {})
    with pytest.raises(StateError, match="ambiguous"):
        find("same", rows, lambda _: "same")
    found = find("one", rows, lambda _: "same")
    assert found is not None
    assert found.id == "one"
