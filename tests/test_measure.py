"""The arithmetic of the benchmarks."""

from __future__ import annotations

import math
from typing import Any

import pytest

from benchmarks.measure import Row, Series, Target, interleaved, percentile, turned


def row(**changes: Any) -> Row:
    values: dict[str, Any] = {"group": "g", "name": "n", "unit": "u", "better": "more", **changes}
    return Row(**values)


def test_a_series_has_a_median_and_a_spread() -> None:
    values = Series((3.0, 1.0, 2.0, 100.0))
    assert values.median == 2.5
    assert values.spread == (1.0, 100.0)
    assert values.over(Series((1.0, 2.0, 4.0, 10.0))).values == (3.0, 0.5, 0.5, 10.0)


def test_the_ratio_compares_round_with_round() -> None:
    """One slow round of the machine slows both sides: the ratio does not see it."""
    ours, stock = Series((10.0, 1.0, 10.0)), Series((5.0, 0.5, 5.0))
    assert row(ours=ours, stock=stock).ratio == 2.0
    assert row(ours=ours, stock=stock, better="less").ratio == 0.5
    assert row(ours=ours).ratio is None
    assert row(ours=Series((1.0,)), stock=Series((math.inf,)), better="less").ratio == math.inf
    assert row(ours=Series((0.0,)), stock=Series((1.0,)), better="less").ratio == math.inf
    assert row(ours=Series((0.0,)), stock=Series((0.0,)), better="less").ratio == 1.0


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (None, None),
        (Target("ratio", at_least=2), True),
        (Target("ratio", at_least=2.01), False),
        (Target("ours", at_most=10), True),
        (Target("ours", at_most=9), False),
        (Target("ours", at_least=11), False),
    ],
)
def test_a_target_bounds_the_ratio_or_our_median(target: Target | None, met: bool | None) -> None:
    assert row(ours=Series((10.0,)), stock=Series((5.0,)), target=target).met is met


def test_a_target_of_the_ratio_is_not_met_without_stock() -> None:
    assert row(ours=Series((10.0,)), target=Target("ratio", at_least=1)).met is False


def test_targets_are_readable() -> None:
    assert str(Target("ratio", at_least=3)) == "≥ 3×"
    assert str(Target("ours", at_most=50)) == "≤ 50"
    assert str(Target("ours", at_least=300_000)) == "≥ 300,000"


def test_what_is_unbounded_is_null_in_json() -> None:
    written = row(ours=Series((1.0,)), stock=Series((math.inf,)), better="less").as_json()
    assert written["stock"] == [None]
    assert written["ratio"] is None


async def test_sides_take_turns_in_turning_order() -> None:
    order: list[str] = []

    def measure(name: str) -> Any:
        async def measured() -> dict[str, float]:
            order.append(name)
            return {"n": float(len(order))}

        return measured

    taken = await interleaved(3, {name: measure(name) for name in "ab"})
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert taken["a"]["n"].values == (1.0, 4.0, 5.0)
    assert list(turned(("a", "b", "c"), 1)) == ["c", "b", "a"]


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (99, 10), (100, 10), (0, 1), (10, 1), (11, 2)])
def test_percentiles_are_values_that_were_measured(percent: float, value: float) -> None:
    assert percentile([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], percent) == value
