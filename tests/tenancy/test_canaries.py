"""No chat is ever shown another's words, and each finds its own again.

Random by a seed, which the environment may give: `SEED`, and `ROUNDS` of attacks before and after the restart. With
`DEMO=stock` the same happens to Hermes' own adapters without the plugin, and what they leak is only counted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.tenancy.attempts import UNTRIED
from tests.tenancy.audit import astray, first, forgotten, in_files, in_requests, in_what_was_sent, leaking, summary
from tests.tenancy.run import Run

SEED = int(os.environ.get("SEED") or 14)
ROUNDS = int(os.environ.get("ROUNDS") or 1)
STOCK = os.environ.get("DEMO") == "stock"


async def test_no_chat_is_shown_anothers_words(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    run = Run(SEED, tmp_path, ROUNDS, plugin=not STOCK, patience=20 if STOCK else 60)
    await run.play()
    sightings = [*first(in_requests(run)), *first(in_what_was_sent(run)), *first(in_files(run))]
    figure = f"{leaking(run)} of {len(run.requests)} model requests carried another chat's words"
    record_property("canaries", f"{'stock' if STOCK else 'here'}: {figure} (SEED={SEED} ROUNDS={ROUNDS})")
    record_property("canaries", f"first seen in\n{summary(sightings)}" if sightings else "none was seen anywhere")
    if STOCK:
        assert leaking(run), "the canaries see nothing"
        return
    assert not sightings, "\n".join(sorted({str(each) for each in sightings}))
    assert not [*astray(run)]
    assert not [*forgotten(run)]
    assert not run.unanswered
    assert run.attacker.offered - set(run.attacker.tried) == UNTRIED.keys() & run.attacker.offered
