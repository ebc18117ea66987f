"""Fuzzing for a given time: `python tools/fuzz.py [MINUTES [SEED]]`.

A failing example is shrunk and written to tests/fixtures/fuzz/, and the exit status is 1. The same seed finds it again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings

from fuzz_targets import TARGETS

FOUND = Path(__file__).parent.parent / "tests" / "fixtures" / "fuzz"
EXAMPLES = 300


class Found(Exception):
    """Raised with a failing example, which is shrunk."""

    def __init__(self, example: object, failure: BaseException) -> None:
        super().__init__(f"{type(failure).__name__}: {failure}")
        self.example = example


def attempt(strategy: Any, check: Callable[[Any], None], number: int, until: float) -> int:
    """Check some examples of one target; return their number. Raises Found."""
    last: list[Any] = []
    checked = 0

    @seed(number)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def run(example: Any) -> None:
        nonlocal checked
        if not last and time.monotonic() > until:
            return
        checked += 1
        try:
            check(example)
        except Exception:
            last[:] = [example]
            raise

    try:
        run()
    except Exception as exc:
        raise Found(last[0] if last else None, exc) from exc
    return checked


def keep(name: str, example: object, failure: str) -> Path:
    """Write a failing example to a file that the next run and a test read; return its path."""
    FOUND.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"target": name, "failure": failure, "example": repr(example)}, ensure_ascii=True, indent=1)
    path = FOUND / f"{name}-{hashlib.sha256(repr(example).encode()).hexdigest()[:8]}.json"
    path.write_text(text + "\n")
    return path


def fuzz(minutes: float, first_seed: int) -> int:
    """Fuzz every target in turn until the time is over or all have failed; return the exit status."""
    print(f"seed {first_seed}", flush=True)
    counts: Counter[str] = Counter()
    broken: dict[str, Path] = {}
    until = time.monotonic() + minutes * 60
    for number in itertools.count(first_seed):
        for name, (strategy, check) in TARGETS.items():
            if time.monotonic() > until or len(broken) == len(TARGETS):
                for target in TARGETS:
                    print(f"{target}: {counts[target]} examples" + (", FAILED" if target in broken else ""))
                return 1 if broken else 0
            if name in broken:
                continue
            try:
                counts[name] += attempt(strategy, check, number, until)
            except Found as found:
                broken[name] = keep(name, found.example, str(found))
                print(f"{name}, seed {number}: {found}\n  written to {broken[name]}", flush=True)
    raise AssertionError("the seeds ran out")


def main() -> int:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    return fuzz(minutes, int(sys.argv[2]) if len(sys.argv) > 2 else int(time.time()))


if __name__ == "__main__":
    sys.exit(main())
