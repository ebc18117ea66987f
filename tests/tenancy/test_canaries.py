"""No chat is ever shown another's words, and each finds its own again."""

from __future__ import annotations

import os
from pathlib import Path

from tests.tenancy.attempts import UNTRIED
from tests.tenancy.audit import first, forgotten, in_files, in_requests, in_what_was_sent, leaking, summary
from tests.tenancy.run import Run

SEED = int(os.environ.get("SEED") or 14)
ROUNDS = int(os.environ.get("ROUNDS") or 2)
STOCK = os.environ.get("DEMO") == "stock"


async def test_no_chat_is_shown_anothers_words(tmp_path: Path) -> None:
    run = Run(SEED, tmp_path, ROUNDS, plugin=not STOCK)
    await run.play()
    sightings = [*first(in_requests(run)), *first(in_what_was_sent(run)), *first(in_files(run))]
    print(f"seed {SEED}: {leaking(run)} of {len(run.requests)} model requests carried another chat's words"
          f" ({len(run.on.places)} places, {run.seconds:.0f} s)")  # fmt: skip
    print(summary(sightings), *run.unanswered, sep="\n")
    if STOCK:
        return
    assert not run.unanswered
    assert not set(map(str, sightings))
    assert not [*forgotten(run)]
    assert run.attacker.offered - set(run.attacker.tried) == UNTRIED.keys() & run.attacker.offered
