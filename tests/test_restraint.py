"""`restrain`: what keeps a Dispatch from being one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hermes_hardened_adapters.common.core.events import (
    Address,
    Chat,
    Decision,
    Dispatch,
    Ignore,
    Inbound,
    Observe,
    Origin,
    Rule,
)
from hermes_hardened_adapters.common.core.events import Reason as R
from hermes_hardened_adapters.common.core.policy import Past, Policy, restrain
from hermes_hardened_adapters.common.core.versions import Version, digest

MINUTE = 60_000
NOW = 1_795_000_000_000
SAID = Inbound("k", "1", 5, Chat("c"), Address("alice"), text="go", received_at=NOW)
EDIT = replace(SAID, edits="1", first_at=NOW - MINUTE)
PAST = Past(NOW, NOW - 7 * 24 * 60 * MINUTE)
OTHER, SAME = (Version(digest(replace(SAID, text=text)), NOW - MINUTE) for text in ("og", "go"))
ONCE, AGAIN = Policy(answers_edits=False), Policy(answers_edits=True)
GO, COMMAND = Dispatch("go", Rule.ADDRESSED, R.MENTIONED), Dispatch("/go", Rule.ADDRESSED, R.MENTIONED)


@pytest.mark.parametrize(
    ("decision", "inbound", "past", "rules", "reason"),
    [
        (GO, SAID, PAST, ONCE, None),
        (COMMAND, SAID, PAST, ONCE, None),
        (GO, replace(SAID, sent_at=NOW, received_at=None), PAST, ONCE, None),
        # No younger than what the ledger may have forgotten.
        (GO, replace(SAID, received_at=PAST.horizon + 1), PAST, ONCE, None),
        (GO, replace(SAID, received_at=PAST.horizon), PAST, ONCE, R.STALE),
        (GO, replace(SAID, sent_at=PAST.horizon, received_at=None), PAST, ONCE, R.STALE),
        # Missed.
        (GO, replace(SAID, received_at=NOW - 15 * MINUTE), replace(PAST, missed=True), ONCE, None),
        (GO, replace(SAID, received_at=NOW - 15 * MINUTE - 1), replace(PAST, missed=True), ONCE, R.STALE),
        (GO, replace(SAID, received_at=NOW - 15 * MINUTE - 1), PAST, ONCE, None),
        (COMMAND, SAID, replace(PAST, missed=True), ONCE, R.STALE),
        # Programs.
        (GO, replace(SAID, origin=Origin.PROGRAM), replace(PAST, program_turns=3), ONCE, None),
        (GO, replace(SAID, origin=Origin.PROGRAM), replace(PAST, program_turns=4), ONCE, R.BOT),
        (GO, SAID, replace(PAST, program_turns=4), ONCE, None),
        # Dispatched before.
        (GO, SAID, replace(PAST, dispatched=True), ONCE, R.EDITED),
        (GO, EDIT, replace(PAST, dispatched=True, earlier=OTHER), ONCE, R.EDITED),
        (GO, EDIT, replace(PAST, dispatched=True, earlier=OTHER), AGAIN, None),
        # Edits: the text changed, and both versions are young.
        (GO, EDIT, replace(PAST, earlier=OTHER), ONCE, None),
        (GO, EDIT, PAST, ONCE, None),
        (GO, EDIT, replace(PAST, earlier=SAME), ONCE, R.EDITED),
        (GO, EDIT, replace(PAST, earlier=SAME), AGAIN, R.EDITED),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE), PAST, ONCE, None),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE - 1), PAST, ONCE, R.STALE),
        (GO, replace(EDIT, first_at=NOW - 15 * MINUTE - 1), replace(PAST, earlier=OTHER), AGAIN, R.STALE),
        (GO, EDIT, replace(PAST, earlier=replace(OTHER, at=NOW - 16 * MINUTE)), AGAIN, R.STALE),
        (GO, replace(EDIT, received_at=NOW - 16 * MINUTE), replace(PAST, earlier=OTHER), AGAIN, R.STALE),
        (GO, replace(EDIT, first_at=None, received_at=None), PAST, AGAIN, R.STALE),
        # A command runs once, and only where its message is known not to have run.
        (COMMAND, EDIT, replace(PAST, earlier=OTHER), ONCE, None),
        (COMMAND, EDIT, replace(PAST, earlier=OTHER, dispatched=True), AGAIN, R.EDITED),
        (COMMAND, EDIT, PAST, AGAIN, R.EDITED),
    ],
)
def test_what_restrains(decision: Dispatch, inbound: Inbound, past: Past, rules: Policy, reason: R | None) -> None:
    restrained: Decision = decision if reason is None else Observe(decision.text, Rule.ADDRESSED, reason)
    assert restrain(decision, inbound, past, rules) == restrained
    if reason is not None:
        assert restrain(decision, inbound, past, replace(rules, observe=False)) == Ignore(Rule.ADDRESSED, reason)


@pytest.mark.parametrize(
    "decision", [Observe("go", Rule.UNADDRESSED, R.UNADDRESSED), Ignore(Rule.CHAT_NOT_SERVED, R.CHAT_NOT_ALLOWED)]
)
def test_only_a_dispatch_is_restrained(decision: Decision) -> None:
    assert restrain(decision, EDIT, replace(PAST, earlier=SAME, dispatched=True), ONCE) == decision
