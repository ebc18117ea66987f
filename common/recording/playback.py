"""The parts of a replay that do not depend on the network: the fixture's files, the pace, the faults to inject."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..core.errors import ConfigError
from .documents import parsed_json

_LONGEST_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault to inject. `number` is the event it happens at, counted from 1, or a status code, or seconds."""

    kind: str
    number: float

    @property
    def event(self) -> int:
        return int(self.number)


def fault_of(text: str, kinds: Collection[str]) -> Fault:
    """Parse `kind:number`. Raises ValueError."""
    kind, colon, number = text.partition(":")
    if kind not in kinds or not colon:
        raise ValueError(f"a fault is one of {', '.join(f'{kind}:NUMBER' for kind in sorted(kinds))}")
    value = float(number)
    if not 0 < value <= _LONGEST_SECONDS:
        raise ValueError("the number of a fault must be greater than 0")
    return Fault(kind, value)


class Server(Protocol):
    """A stand-in for a network's server."""

    url: str

    async def start(self, port: int = 0, host: str = "127.0.0.1") -> None: ...

    async def stop(self) -> None: ...


class Playback(Protocol):
    """Plays a recording on a stand-in; `played` counts the events that went out."""

    played: int

    async def run(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay that is ready to start. `variables` returns, for the server's URL, what a gateway needs to connect."""

    server: Server
    playback: Playback
    events: int
    variables: Callable[[str], Mapping[str, str]]


class Faults:
    """The faults of one replay."""

    def __init__(self, faults: Collection[Fault]) -> None:
        self._at = {(fault.kind, fault.event) for fault in faults}
        self._numbers = {fault.kind: fault.number for fault in faults}

    def happens_at(self, kind: str, event: int) -> bool:
        """Return True if a fault of that kind happens at that event."""
        return (kind, event) in self._at

    def number(self, kind: str) -> float | None:
        """Return the number of a fault that is not tied to an event, None if there is no such fault."""
        return self._numbers.get(kind)


def timeline(times: Iterable[object], start: float = 0.0) -> list[float]:
    """Move times (seconds) to another start and keep their distances. A missing or decreasing time counts as the
    previous one."""
    result: list[float] = []
    last: float | None = None
    for time in times:
        at = float(time) if isinstance(time, int | float) and math.isfinite(time) else last
        step = min(max(at - last, 0.0), _LONGEST_SECONDS) if at is not None and last is not None else 0.0
        result.append((result[-1] if result else start) + step)
        last = last if at is None else at
    return result


def delays(times: Sequence[float], speed: float | None) -> list[float]:
    """Return the seconds to wait before each event, all 0 without a speed."""
    if speed is None:
        return [0.0] * len(times)
    return [(at - before) / speed for before, at in zip((*times[:1], *times), times, strict=False)]


def cases(path: Path, suffix: str) -> list[Path]:
    """Return the recordings at a path: the file itself, or those in a folder by name. Raises ConfigError for none."""
    found = sorted(path.glob(f"*{suffix}")) if path.is_dir() else [path]
    if not found or not all(case.suffix == suffix and case.is_file() for case in found):
        raise ConfigError([f"{path} is neither a {suffix} file nor a folder with one"])
    return found


def sidecar(case: Path, suffix: str, kind: type) -> Any:
    """Return the content of the file beside a recording, None without such a file. Raises ConfigError for content of
    another type."""
    beside = case.with_suffix(suffix)
    if not beside.exists():
        return None
    try:
        content = parsed_json(beside.read_bytes())
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, kind):
        raise ConfigError([f"{beside} is not a JSON {kind.__name__}"])
    return content
