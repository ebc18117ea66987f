"""The doctor's check of approvals: who decides about dangerous commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hermes_cli.config import DEFAULT_CONFIG
from hermes_hardened_adapters.common.doctor.findings import Result, Status
from hermes_hardened_adapters.common.host.asking.checks import approvals

COMMANDS = {"platform_toolsets": {"signal": ["terminal"], "mattermost": ["memory"]}}


def said(home: Path, config: dict[str, Any]) -> Result:
    (home / "config.yaml").write_text(json.dumps(config))
    (result,) = approvals(["signal", "mattermost"])
    return result


@pytest.mark.parametrize(
    ("mode", "what"),
    [
        ("smart", "A model may allow dangerous commands alone (`approvals.mode: smart`) in chats of signal."),
        (" Smart ", "A model may allow dangerous commands alone (`approvals.mode: smart`) in chats of signal."),
        ("off", "Dangerous commands run without a question (`approvals.mode: off`) in chats of signal."),
        (False, "Dangerous commands run without a question (`approvals.mode: off`) in chats of signal."),
    ],
)
def test_who_else_allows_commands_is_named(hermes_home: Path, mode: object, what: str) -> None:
    result = said(hermes_home, {**COMMANDS, "approvals": {"mode": mode}})
    assert (result.status, result.what) == (Status.ADVICE, what)
    assert "`mode: manual`" in result.remedy


@pytest.mark.parametrize("mode", ["manual", "unknown", True])
def test_people_who_are_asked_are_enough(hermes_home: Path, mode: object) -> None:
    assert said(hermes_home, {**COMMANDS, "approvals": {"mode": mode}}).status is Status.OK


def test_hermes_own_default_is_read(hermes_home: Path) -> None:
    smart = DEFAULT_CONFIG["approvals"]["mode"] == "smart"
    assert said(hermes_home, COMMANDS).status is (Status.ADVICE if smart else Status.OK)


def test_chats_without_commands_need_no_question(hermes_home: Path) -> None:
    quiet = {"platform_toolsets": {"signal": ["memory"], "mattermost": ["memory"]}}
    result = said(hermes_home, {**quiet, "approvals": {"mode": "off"}})
    assert (result.status, result.what) == (Status.OK, "No chat may run commands.")
