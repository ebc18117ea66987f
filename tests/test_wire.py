"""The base of wire models: what nobody reads is ignored, what makes no sense costs no more than its field."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.inbound.wire import Lenient, Wire
from pydantic import ValidationError


class Inner(Wire):
    size: int


class Row(Wire):
    id: str
    size: Lenient[int] = None
    inner: Lenient[Inner] = None


@pytest.mark.parametrize("value", ["many", None, [], {}, 2.5, "1e999"])
def test_a_lenient_field_is_none_rather_than_the_rows_end(value: object) -> None:
    assert Row.model_validate({"id": "a", "size": value, "more": 1}) == Row(id="a")


def test_a_lenient_part_is_lost_as_a_whole() -> None:
    row = Row.model_validate({"id": "a", "size": 3, "inner": {"size": "x"}})
    assert (row.size, row.inner) == (3, None)


def test_an_error_quotes_nothing_of_what_was_sent() -> None:
    with pytest.raises(ValidationError) as caught:
        Row.model_validate({"id": ["somebody's words"]})
    assert "words" not in str(caught.value)


def test_a_row_does_not_change() -> None:
    row = Row(id="a")
    with pytest.raises(ValidationError):
        row.id = "b"  # type: ignore[misc]
