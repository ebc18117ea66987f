"""Back-off: delays that double, within bounds."""

from __future__ import annotations

from itertools import islice

import pytest
from hermes_hardened_adapters.common.core.backoff import backoff


def test_backoff_doubles_up_to_its_cap() -> None:
    assert list(islice(backoff(random=lambda: 0.5), 8)) == [2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize(("drawn", "first", "last"), [(0.0, 1.6, 48.0), (1.0, 2.4, 72.0)])
def test_backoff_jitter_has_bounds(drawn: float, first: float, last: float) -> None:
    delays = list(islice(backoff(random=lambda: drawn), 10))
    assert (delays[0], delays[-1]) == (pytest.approx(first), pytest.approx(last))


def test_backoff_starts_no_higher_than_its_cap() -> None:
    assert next(backoff(first=5, cap=3, random=lambda: 0.5)) == 3
