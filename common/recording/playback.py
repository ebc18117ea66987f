"""What replaying a recording is on either network: its files, its pace, and what is to go wrong."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import ConfigError
from .pseudonyms import parsed_json

_LONGEST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong. `number` is the event it happens at, counted from 1, or a status, or seconds."""

    kind: str
    number: float

    @property
    def event(self) -> int:
        return int(self.number)


def fault_of(text: str, kinds: Collection[str]) -> Fault:
    """`kind:number`; raises ValueError."""
    kind, colon, number = text.partition(":")
    if kind not in kinds or not colon:
        raise ValueError(f"a fault is one of {', '.join(f'{kind}:NUMBER' for kind in sorted(kinds))}")
    value = float(number)
    if not 0 < value <= _LONGEST_SECONDS:
        raise ValueError("the number of a fault must be greater than 0")
    return Fault(kind, value)


class Faults:
    """The faults of one replay, looked up by kind."""

    def __init__(self, faults: Collection[Fault]) -> None:
        self._at = {(fault.kind, fault.event) for fault in faults}
        self._numbers = {fault.kind: fault.number for fault in faults}

    def strike(self, kind: str, event: int) -> bool:
        """Whether that one happens at that event."""
        return (kind, event) in self._at

    def number(self, kind: str) -> float | None:
        """The number of a fault that is not tied to an event."""
        return self._numbers.get(kind)


def timeline(times: Iterable[object], start: float = 0.0) -> list[float]:
    """The same distances from another start, in seconds. What is no time, or goes back, is that of the one before."""
    result: list[float] = []
    last: float | None = None
    for time in times:
        at = float(time) if isinstance(time, int | float) and math.isfinite(time) else last
        step = min(max(at - last, 0.0), _LONGEST_SECONDS) if at is not None and last is not None else 0.0
        result.append((result[-1] if result else start) + step)
        last = last if at is None else at
    return result


def delays(times: Sequence[float], speed: float | None) -> list[float]:
    """Seconds to wait before each event; without a speed nothing is waited for."""
    if speed is None:
        return [0.0] * len(times)
    return [(at - before) / speed for before, at in zip((*times[:1], *times), times, strict=False)]


def cases(path: Path, suffix: str) -> list[Path]:
    """The recordings at a path: that file, or those of a folder by name. Raises ConfigError when there are none."""
    found = sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path]
    if not found or not all(case.suffix == suffix and case.is_file() for case in found):
        raise ConfigError([f"{path} is no {suffix} file and no folder with some in it"])
    return found


def sidecar(case: Path, suffix: str, kind: type) -> Any:
    """What a file beside a recording holds, None when there is none. Raises ConfigError for one of another type."""
    beside = case.with_suffix(suffix)
    if not beside.exists():
        return None
    try:
        content = parsed_json(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, kind):
        raise ConfigError([f"{beside} is no JSON {kind.__name__}"])
    return content
