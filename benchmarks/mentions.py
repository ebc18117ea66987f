"""Measures the speed of the mention parser, and that its time is linear in the length of the text."""

from __future__ import annotations

import time
from collections.abc import Callable

from hermes_hardened_adapters.adapters.mattermost.mentions.grammar import find_mentions

from benchmarks.measure import Metrics, Row, Target, series
from benchmarks.traffic import padding

_SIZE = 16_000
_LONGER = 4
_REPEATS = 5
_TEXTS: dict[str, Callable[[int], str]] = {
    "talk without an @": padding,
    "talk with a mention": lambda size: f"@hermes {padding(size)}",
    "backticks": lambda size: "`" * size + "@hermes",
    "@ after @": lambda size: "@" * size,
    "a@a@a": lambda size: "a@" * (size // 2),
    "brackets": lambda size: "[" * size + "@hermes",
    "brackets in pairs": lambda size: "[]" * (size // 2) + "@hermes",
    "talk with code": lambda size: f"`@bob` @hermes {padding(size)}",
}


async def rows(rounds: int, scale: float) -> list[Row]:
    """Measure row 2, the parser alone. Stock has no parser: it looks for a substring."""
    found = []
    for name, text in _TEXTS.items():
        repeats = max(int(_REPEATS * scale), 1)
        taken = series(_measure(text, repeats) for _ in range(rounds))
        rate = Row("2 Mention parser, 16 KB", name, "MB/s", "more", taken["rate"])
        target = Target("ours", at_most=1.5)
        growth = Row(
            "2 Mention parser, 16 KB",
            f"{name}: per character, 64 KB to 16 KB",
            "×",
            "less",
            taken["growth"],
            target=target,
        )
        found += [rate, growth]
    return found


def _measure(text: Callable[[int], str], repeats: int) -> Metrics:
    long, short = _seconds(text(_SIZE * _LONGER), repeats), _seconds(text(_SIZE), repeats * _LONGER)
    return {"rate": _SIZE / short / 1e6, "growth": long / short / _LONGER}


def _seconds(text: str, repeats: int) -> float:
    """Return the CPU seconds for parsing a text once."""
    busy = time.process_time()
    for _ in range(repeats):
        find_mentions(text, {"hermes": "x" * 26}.get)
    return (time.process_time() - busy) / repeats
