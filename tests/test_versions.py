"""The memory of versions that edits are compared with."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hermes_hardened_adapters.common.core.events import (
    Address,
    Chat,
    Dispatch,
    Ignore,
    Inbound,
    Observe,
    Origin,
    Reason,
    Rule,
)
from hermes_hardened_adapters.common.core.versions import Version, Versions, digest, is_change

MINUTE = 60_000
NOW = 1_795_000_000_000
SAID = Inbound("k", "1", 5, Chat("c"), Address("alice"), text="go", received_at=NOW)
EDIT = replace(SAID, edits="1", first_at=NOW - MINUTE)
GO = Dispatch("go", Rule.ADDRESSED, Reason.MENTIONED)


def test_versions_are_followed_through_edits_of_edits() -> None:
    versions = Versions()
    versions.record(SAID, GO)
    first = replace(SAID, message_id="2", edits="1", text="gone", received_at=NOW + 1)
    assert versions.before(first) == Version(digest(replace(SAID, text="go")), NOW, dispatched=True)
    versions.record(first, Observe("gone", Rule.UNADDRESSED, Reason.UNADDRESSED))
    for target in ("1", "2"):
        second = replace(SAID, message_id="3", edits=target, text="going", received_at=NOW + 2)
        assert versions.before(second) == Version(digest(replace(SAID, text="gone")), NOW, dispatched=True)
    assert versions.before(replace(first, sender=Address("bob"))) is None


def test_what_is_not_served_is_not_remembered() -> None:
    versions = Versions()
    versions.record(SAID, Ignore(Rule.CHAT_NOT_SERVED, Reason.CHAT_NOT_ALLOWED))
    assert versions.before(EDIT) is None


def test_the_memory_of_versions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hermes_hardened_adapters.common.core.versions.KEEP_VERSIONS", 2)
    versions = Versions()
    for number in "123":
        versions.record(replace(SAID, message_id=number), GO)
    assert [versions.before(replace(EDIT, edits=number)) is None for number in "123"] == [True, False, False]


SEEN, OTHER = Version(digest(SAID), NOW), Version(digest(replace(SAID, text="stay")), NOW)
GONE = replace(SAID, text="", contentless="deletion", deletes="1")


@pytest.mark.parametrize(
    ("inbound", "earlier", "changed"),
    [
        (SAID, None, False),
        (EDIT, None, True),
        (EDIT, OTHER, True),
        (EDIT, SEEN, False),
        (replace(EDIT, contentless="pin"), OTHER, False),
        (replace(EDIT, origin=Origin.PROGRAM), OTHER, False),
        (GONE, None, True),
        (replace(GONE, origin=Origin.SELF), None, False),
        (replace(GONE, deletes=None), None, False),
    ],
)
def test_a_change_is_a_deletion_or_another_text(inbound: Inbound, earlier: Version | None, changed: bool) -> None:
    assert is_change(inbound, earlier) is changed
