"""Measurements: interleaved rounds, their median and spread, the ratio to stock, and targets. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

Metrics = Mapping[str, float]
Measure = Callable[[], Awaitable[Metrics]]
"""Measures one side once and returns its metrics by name."""


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one side, a value per round."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return min(self.values), max(self.values)

    def over(self, floor: Series) -> Series:
        """Return this series as multiples of another one, round by round."""
        return Series(tuple(value / least for value, least in zip(self.values, floor.values, strict=True)))


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on the ratio to stock, or on our own median where `of` is "ours"."""

    of: Literal["ratio", "ours"]
    at_least: float = -math.inf
    at_most: float = math.inf

    def __str__(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_most == math.inf else ("≤", self.at_most)
        return f"{sign} {bound:,g}" + ("×" if self.of == "ratio" else "")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. `better` is "more" if higher values are better, "less" if lower ones are."""

    group: str
    name: str
    unit: str
    better: Literal["more", "less"]
    ours: Series
    stock: Series | None = None
    target: Target | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The factor by which we are better than stock: the median of the factors of each round."""
        if self.stock is None:
            return None
        pairs = zip(self.ours.values, self.stock.values, strict=True)
        if self.better == "less":
            pairs = ((stock, ours) for ours, stock in pairs)  # type: ignore[assignment]
        return median(_quotient(good, bad) for good, bad in pairs)

    @property
    def met(self) -> bool | None:
        """True if the target is met; None without a target."""
        if self.target is None:
            return None
        value = self.ratio if self.target.of == "ratio" else self.ours.median
        return value is not None and self.target.at_least <= value <= self.target.at_most

    def as_json(self) -> dict[str, object]:
        """Return the row for JSON, with null for infinite values."""
        return {
            "group": self.group,
            "name": self.name,
            "unit": self.unit,
            "better": self.better,
            "ours": [_finite(value) for value in self.ours.values],
            "stock": None if self.stock is None else [_finite(value) for value in self.stock.values],
            "ratio": None if self.ratio is None else _finite(self.ratio),
            "target": None if self.target is None else str(self.target),
            "met": self.met,
            "note": self.note,
        }


async def interleaved(rounds: int, sides: Mapping[str, Measure]) -> dict[str, dict[str, Series]]:
    """Measure every side once per round, in alternating order. Return side to metric to series."""
    taken: dict[str, list[Metrics]] = defaultdict(list)
    for number in range(rounds):
        for side in turned(tuple(sides), number):
            taken[side].append(await sides[side]())
    return {side: series(taken[side]) for side in sides}


def turned(sides: Sequence[str], number: int) -> Sequence[str]:
    """Return the order of the sides in a round, reversed in every other round, so that drift favours no side."""
    return sides[::-1] if number % 2 else sides


def series(rounds: Iterable[Metrics]) -> dict[str, Series]:
    """Return the metrics of several rounds, each as a series."""
    collected: dict[str, list[float]] = defaultdict(list)
    for metrics in rounds:
        for name, value in metrics.items():
            collected[name].append(value)
    return {name: Series(tuple(values)) for name, values in collected.items()}


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` of the values do not exceed (nearest rank).

    There must be at least one value.
    """
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def _quotient(good: float, bad: float) -> float:
    if good == bad:
        return 1.0
    return good / bad if bad else math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
