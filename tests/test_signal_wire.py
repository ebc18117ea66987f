"""Rows of signal-cli's answers: what validates is read, all else is skipped, and nothing raises."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.signal.wire import (
    Contact,
    GroupRow,
    Person,
    SendError,
    SendResult,
    UserStatus,
    read_rows,
)
from hermes_hardened_adapters.common.core.events import Address

from tests.fakes.signal_daemon import ALICE, ALICE_ACI, BOB, BOB_ACI, GROUP, contact, group

NESTED: list[Any] = []
for _ in range(500):
    NESTED = [NESTED]
HOSTILE = [None, 0, 1e308, float("nan"), 2**70, True, "x" * 100_000, b"x", [], [[]], {}, NESTED, {"id": {}}, "\ud800"]


@pytest.mark.parametrize("model", [Contact, GroupRow, UserStatus])
@pytest.mark.parametrize("result", [*HOSTILE, HOSTILE])
def test_a_result_of_another_shape_gives_no_person(model: Any, result: object) -> None:
    for row in read_rows(model, result):
        assert row == model()


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("key", ["number", "uuid", "name", "profile"])
def test_a_field_of_another_shape_costs_a_contact_no_other_field(key: str, value: object) -> None:
    (row,) = read_rows(Contact, [{**contact(ALICE, ALICE_ACI, "Alice"), key: value}])
    assert row.number in {ALICE, None}
    assert row.uuid in {ALICE_ACI, None}
    assert (row.number, row.uuid) != (None, None)


@pytest.mark.parametrize("value", HOSTILE)
def test_a_field_of_another_shape_costs_a_group_no_other_field(value: object) -> None:
    there = group(members=((ALICE, ALICE_ACI),))
    for key in ("name", "isMember", "pendingMembers"):
        (row,) = read_rows(GroupRow, [{**there, key: value}])
        assert row.members == (Person(number=ALICE, uuid=ALICE_ACI),)
    (row,) = read_rows(GroupRow, [{**there, "members": [value, {"number": BOB, "uuid": value}]}])
    assert Address(None, BOB) in [person.address for person in row.members or ()]


def test_skipped_rows_are_counted_in_the_log_without_their_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rows = read_rows(GroupRow, [group(), {"id": 5, "name": "secret"}, "secret", group()])
    assert [row.id for row in rows] == [GROUP, GROUP]
    assert "2 of 4 rows" in caplog.text
    assert "secret" not in caplog.text


def test_names_of_contacts() -> None:
    profile = {"givenName": "Ada", "familyName": "L"}
    rows = read_rows(Contact, [{"name": "A", "profile": profile}, {"name": "", "profile": profile}, {"name": None}])
    assert [row.display_name for row in rows] == ["A", "Ada L", ""]


@pytest.mark.parametrize("value", HOSTILE)
def test_results_of_sending_of_another_shape(value: object) -> None:
    assert SendResult.read(value).rows == SendError.read(value).rows == ()
    assert SendError.read({"response": value}).rows == ()
    result = SendResult.read({"timestamp": 17, "results": [value, {"type": "SUCCESS", "retryAfterSeconds": value}]})
    assert result.timestamp == 17
    assert result.rows[-1].is_success


def test_thousands_of_contacts_are_validated_at_once() -> None:
    rows = [contact(f"+1555{n:07}", ALICE_ACI if n % 2 else BOB_ACI, "Somebody") if n % 3 else 7 for n in range(30_000)]
    read_rows(Contact, rows[:1])
    began = time.perf_counter()
    assert len(read_rows(Contact, rows)) == 20_000
    assert time.perf_counter() - began < 2
