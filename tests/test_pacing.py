"""How often one message may change."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.core.pacing import Pace

STEADY = Pace(1.0)
SLOWER = Pace(2.0, growth=1.5, most=8)
SEVEN_EDITS = [100.0, 102.0, 105.0, 109.5, 116.25, 126.375, 141.5625, 164.34375]


@pytest.mark.parametrize(
    ("pace", "times", "last", "due"),
    [
        (STEADY, [100.0], False, 101.0),
        (STEADY, [100.0, 101.0], False, 102.0),
        (STEADY, [100.0, 101.0, 107.5], False, 108.5),
        (STEADY, [100.0 + number for number in range(500)], False, 600.0),
        (STEADY, [100.0, 101.0], True, 101.0),
        (STEADY, [float("-inf")], False, float("-inf")),
        (SLOWER, [100.0], False, 102.0),
        (SLOWER, [100.0, 102.0], False, 105.0),
        (SLOWER, [100.0, 102.0, 105.0], False, 109.5),
        (SLOWER, SEVEN_EDITS[:-1], False, 164.34375),
        (SLOWER, SEVEN_EDITS, False, None),
        (SLOWER, SEVEN_EDITS, True, 164.34375),
        (SLOWER, [*SEVEN_EDITS, 170.0], True, None),
        (SLOWER, [*SEVEN_EDITS, 170.0], False, None),
    ],
)
def test_when_the_next_edit_may_go_out(pace: Pace, times: list[float], last: bool, due: float | None) -> None:
    assert pace.due(times, last=last) == due


def test_eight_edits_at_most() -> None:
    times = [0.0]
    while (due := SLOWER.due(times)) is not None:
        times.append(due)
    assert len(times) - 1 == 7
    assert SLOWER.due(times, last=True) is not None
    assert SLOWER.due([*times, 1000.0], last=True) is None
