"""Playback: the pace of a recording, and the faults that it is asked for."""

from __future__ import annotations

import pytest
from hermes_hardened_adapters.common.recording.playback import delays, fault_of, timeline


def test_the_pace() -> None:
    times = timeline([10.0, 10.5, None, "x", 9.0, 12.0], start=3.0)
    assert times == [3.0, 3.5, 3.5, 3.5, 3.5, 6.5]
    assert delays(times, None) == [0.0] * 6
    assert delays(times, 1.0) == [0.0, 0.5, 0.0, 0.0, 0.0, 3.0]
    assert delays(times, 10.0)[-1] == pytest.approx(0.3)
    assert timeline([0, float("inf"), 1e300]) == [0.0, 0.0, 86_400.0]
    assert delays([], 1.0) == timeline([]) == []


@pytest.mark.parametrize("text", ["cut", "cut:", "cut:x", "cut:0", "cut:-1", "cut:nan", "cut:inf", "burn:1", ""])
def test_a_fault_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        fault_of(text, {"cut"})
