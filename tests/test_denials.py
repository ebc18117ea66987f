"""What the agent and the chat read of a refused command, and which results are left alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hermes_hardened_adapters.common.asking import denials
from hermes_hardened_adapters.common.asking.denials import Decision, Denial

ADA, ALICE = "ada", "alice"
FOR_GOOD = "This command is on the unconditional blocklist and cannot be executed via the agent — not even with --yolo."
OUTSIDE = "If you genuinely need to run it, run it yourself in a terminal outside the agent."


def blocked(error: str, **more: Any) -> dict[str, Any]:
    return {"output": "", "exit_code": -1, "error": error, "status": "blocked", **more}


PENDING = {
    "output": "",
    "exit_code": -1,
    "error": "",
    "status": "pending_approval",
    "approval_pending": True,
    "command": "rm -rf x",
    "description": "recursive delete",
    "pattern_key": "rm",
}


@pytest.mark.parametrize(
    ("choice", "by", "asker", "decision"),
    [
        ("deny", ADA, ALICE, Decision.BY_ADMIN),
        ("deny", ALICE, ALICE, Decision.BY_ASKER),
        ("deny", None, ALICE, Decision.REFUSED),
        ("deny", ADA, None, Decision.REFUSED),
        ("timeout", ADA, ADA, Decision.TIMED_OUT),
        ("cancelled", None, ALICE, Decision.WITHDRAWN),
        ("notify_failed", None, None, Decision.NOT_ASKED),
        ("smart_deny", None, ALICE, Decision.BY_MODEL),
        *((choice, ADA, ALICE, None) for choice in ("once", "session", "always", "smart_approve", "", "news")),
    ],
)
def test_every_end_of_a_request_has_its_words(
    choice: str, by: str | None, asker: str | None, decision: Decision | None
) -> None:
    denial = denials.decided(choice, "rm", "recursive delete", by=by, asker=asker)
    assert denial == (decision and Denial("rm", "recursive delete", decision))


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (blocked(f"BLOCKED (hardline): fork bomb. {FOR_GOOD} {OUTSIDE}"), "fork bomb"),
        (
            blocked("BLOCKED: this command matches the user-defined deny rule 'git push*' (approvals.deny in …"),
            "git push*",
        ),
        (blocked("BLOCKED: sudo by stdin. Do not pipe passwords to 'sudo -S' — this is …"), "sudo by stdin"),
    ],
)
def test_blocks_for_good_are_known_by_the_hosts_words(body: dict[str, Any], rule: str) -> None:
    read = denials.parsed(json.dumps(body))
    assert read
    denial = denials.unheard(read)
    assert denial
    assert (denial.rule, denial.decision) == (rule, Decision.FOR_GOOD)
    assert rule in denials.notice(denial)
    assert denials.explained(read, denial).startswith(json.dumps(body, ensure_ascii=False)[:-1])


@pytest.mark.parametrize(
    "body",
    [
        blocked("BLOCKED: Failed to send approval request to user. Do NOT retry."),
        blocked("Blocked: workdir contains a newline"),
        # Too long for Hermes' parser: it names a way that is allowed.
        blocked(f"BLOCKED (hardline): too long. {FOR_GOOD} {OUTSIDE} Write the script to a file, then run it."),
    ],
)
def test_other_refusals_are_no_blocks_for_good(body: dict[str, Any]) -> None:
    read = denials.parsed(json.dumps(body))
    assert read == body
    assert denials.unheard(read) is None


def test_a_question_to_nobody_is_named_as_such() -> None:
    read = denials.parsed(json.dumps(PENDING))
    assert read
    denial = denials.unheard(read)
    assert denial == Denial("rm", "recursive delete", Decision.NOT_ASKED)
    told = json.loads(denials.explained(read, denial))
    assert told["decision"] == "nobody was asked"
    assert "name this command in your report" in told["acceptable_alternatives"][-1]


@pytest.mark.parametrize(
    "result",
    [
        *(
            None,
            7,
            {"status": "blocked"},
            "",
            "BLOCKED",
            '["BLOCKED"]',
            '"blocked"',
            '{"status": "blocked"',
            "[" * 60_000 + "BLOCKED",
        ),
        json.dumps({"output": "BLOCKED (hardline): x. ", "exit_code": 0, "error": None}),
        json.dumps({"output": '{"status": "blocked"}', "status": "ok"}),
        json.dumps(blocked("BLOCKED: " + "x" * denials.LONGEST)),
        json.dumps({**PENDING, "approval_pending": "true"}),
    ],
    ids=lambda result: repr(result)[:40],
)
def test_any_other_result_is_left_alone(result: object) -> None:
    assert denials.parsed(result) is None


@pytest.mark.parametrize(
    ("why", "instead"),
    [
        ("recursive delete", "List the files"),
        ("find -exec/-execdir rm", "List the files"),
        ("SQL DELETE without WHERE", "Count with a SELECT"),
        ("git force push (rewrites remote history)", "Say which commits"),
        ("stop/restart system service", "Say which process"),
        ("pipe remote content to shell", "Show the script as text"),
        ("overwrite project env/config file", "Show the change"),
        ("world/other-writable permissions", "Name the one file"),
        ("sudo with privilege flag (stdin/askpass/shell/list)", "Do the part"),
        ("format filesystem (mkfs)", "List the devices"),
        ("docker with remote daemon redirect (-H/--host)", "Look at the containers"),
        ("cloud metadata endpoint access (instance credentials)", "Work without"),
        ("Security scan — [HIGH] Homograph", "Say where"),
        ("execute_code script execution.", "Show the script, say"),
    ],
)
def test_each_kind_of_rule_has_an_alternative_and_a_next_step(why: str, instead: str) -> None:
    found = list(denials.alternatives(Denial("rule", why, Decision.BY_ADMIN)))
    assert any(each.startswith(instead) for each in found)
    assert found[-1].startswith("Tell the person")
    assert list(denials.alternatives(Denial("?", "?", Decision.BY_ADMIN))) == found[-1:]


@pytest.mark.parametrize("decision", Decision)
def test_no_decision_leaves_the_agent_without_a_next_step(decision: Decision) -> None:
    assert list(denials.alternatives(Denial("?", "?", decision)))


def test_a_rule_shows_as_one_short_line() -> None:
    told = denials.notice(Denial("a`b\n@all " + "x" * 900, "forbidden", Decision.FOR_GOOD))
    assert "\n" not in told
    assert len(told) < 300
    assert told.count("`") == 2
    assert "@all" not in told
