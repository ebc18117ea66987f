"""The doctor's checks of memory: the mode, faults of settings, old entries, and what chats share all the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hermes_cli.plugins import discover_plugins
from hermes_hardened_adapters.cli import doctor
from hermes_hardened_adapters.common.doctor.findings import Result, Status
from hermes_hardened_adapters.common.host.contract import table
from hermes_hardened_adapters.common.host.tenancy.checks import memory_settings, shared
from hermes_hardened_adapters.common.tenancy import memory

from tests.host_without import take_away

OFF = {"memory_enabled": False, "user_profile_enabled": False}
QUIET = {"platform_toolsets": {"signal": ["memory"]}}


@pytest.fixture(autouse=True)
def loaded(hermes_home: Path) -> None:
    """Hermes has loaded the plugin in this home, as the check before these finds."""
    discover_plugins()


def configure(home: Path, block: object = None, **more: Any) -> None:
    entries = {"hardened-adapters": {"memory": block}} if block is not None else {}
    plugins = {"enabled": ["hardened-adapters"], "entries": entries}
    (home / "config.yaml").write_text(json.dumps({"plugins": plugins, **more}))


def write(home: Path, target: str, *entries: str) -> None:
    path = memory.memories(home) / memory.FILES[target]
    path.parent.mkdir(exist_ok=True)
    path.write_text(memory.DELIMITER.join(entries))


def only(results: list[Result]) -> Result:
    (result,) = results
    return result


def said(home: Path) -> list[Result]:
    return list(memory_settings(home))


def sharing(home: Path, environment: Mapping[str, str] | None = None) -> list[Result]:
    return list(shared(home, ["signal"], environment or {}))


# -- the mode


@pytest.mark.parametrize(
    ("block", "more", "mode"),
    [
        (None, {}, "Each chat's memory is kept apart: `policy: chat`, 0 contexts stored."),
        ({"policy": "user"}, {}, "Each chat's memory is kept apart: `policy: user`, 0 contexts stored."),
        ({"policy": "global"}, {}, "All chats share one memory: `policy: global`."),
        ({"strict": True}, {"memory": OFF}, "Strict memory: this plugin keeps all of it, `policy: chat`, 0 contexts"),
        (
            {"strict": True, "policy": "global"},
            {"memory": OFF},
            "Strict memory: this plugin keeps all of it, `policy: global`, 0 contexts stored.",
        ),
    ],
)
def test_the_mode(hermes_home: Path, block: object, more: dict[str, Any], mode: str) -> None:
    configure(hermes_home, block, **more)
    result = only(said(hermes_home))
    assert result.status is Status.OK
    assert result.what.startswith(mode)


def test_contexts_are_counted(hermes_home: Path) -> None:
    memory.make_folder(hermes_home, "signal:one")
    assert "1 context stored" in only(said(hermes_home)).what
    memory.make_folder(hermes_home, "signal:two")
    assert "2 contexts stored" in only(said(hermes_home)).what


def test_every_fault_of_the_settings_is_a_finding(hermes_home: Path) -> None:
    configure(hermes_home, {"policy": "chatt", "global_writers": ["alice"], "strict": True})
    results = said(hermes_home)
    assert {result.status for result in results} == {Status.FAILED}
    texts = [result.what for result in results]
    assert len(texts) == 4
    for part in ("memory.policy: ", "memory.global_writers: ", "memory.memory_enabled: ", "memory.user_profile_"):
        assert any(part in text for text in texts)


def test_a_hermes_that_cannot_keep_memory_apart(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take_away(monkeypatch, table.SCAN_FOR_THREATS)
    result = only(said(hermes_home))
    assert result.status is Status.FAILED
    assert "tools.threat_patterns:scan_for_threats is missing" in result.what
    assert "policy: global" in result.remedy
    configure(hermes_home, {"policy": "global"})
    assert only(said(hermes_home)).status is Status.OK


# -- entries that every chat reads


def test_old_entries_are_counted_and_never_shown(hermes_home: Path) -> None:
    write(hermes_home, "memory", "one secret", "another secret")
    write(hermes_home, "user", "a third secret")
    mode, count = said(hermes_home)
    assert (mode.status, count.status) == (Status.OK, Status.ADVICE)
    assert count.what == "Every chat reads 3 entries of MEMORY.md and USER.md."
    assert "hermes adapters memory sort" in count.remedy
    assert "secret" not in f"{mode}{count}"


def test_entries_that_hermes_shows_nobody_are_not_counted(hermes_home: Path) -> None:
    write(hermes_home, "memory", "one")
    write(hermes_home, "user", "two")
    configure(hermes_home, memory={**OFF, "memory_enabled": True})
    assert "Every chat reads 1 entry " in said(hermes_home)[1].what
    configure(hermes_home, memory=OFF)
    assert len(said(hermes_home)) == 1


def test_strict_memory_names_who_reads_them(hermes_home: Path) -> None:
    write(hermes_home, "memory", "one")
    configure(hermes_home, {"strict": True, "global_readers": ["dm"]}, memory=OFF)
    assert said(hermes_home)[1].what == "The chats of `global_readers` (dm) read 1 entry of MEMORY.md and USER.md."


# -- what chats share all the same


def test_nothing_is_shared(hermes_home: Path) -> None:
    configure(hermes_home, **QUIET)
    assert only(sharing(hermes_home)).status is Status.OK


def test_hermes_gives_chats_a_terminal_on_this_machine(hermes_home: Path) -> None:
    result = only(sharing(hermes_home))
    assert result.status is Status.ADVICE
    assert result.what.startswith("Chats of signal may use terminal, execute_code on this machine")
    assert "deny_tools: [terminal, execute_code, process]" in result.remedy


@pytest.mark.parametrize(
    ("block", "terminal", "environment", "found"),
    [
        ({"deny_tools": ["terminal", "execute_code", "process"]}, {}, {}, ""),
        ({"deny_tools": ["terminal"]}, {}, {}, "may use execute_code on this machine"),
        ({}, {"backend": "docker"}, {}, "in one container"),
        ({}, {}, {"TERMINAL_ENV": "docker"}, "in one container"),
        ({}, {"backend": "docker"}, {"TERMINAL_ENV": "local"}, "on this machine"),
        ({"own_shells": True}, {"backend": "docker"}, {}, ""),
        ({"own_shells": True}, {}, {}, "on this machine"),
    ],
)
def test_commands(
    hermes_home: Path, block: object, terminal: dict[str, str], environment: dict[str, str], found: str
) -> None:
    configure(hermes_home, block, terminal=terminal)
    result = only(sharing(hermes_home, environment))
    assert result.status is (Status.ADVICE if found else Status.OK)
    assert found in result.what


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"mcp_servers": {"notes": {"command": "x"}, "gone": {"enabled": False}}}, "the MCP servers notes, and"),
        ({"platform_toolsets": {"signal": ["memory", "kanban"]}}, "Chats of signal share one kanban board"),
        ({"memory": {"provider": "holographic"}}, "The memory provider holographic is one pool for all chats"),
        ({"memory": {"provider": "honcho"}}, "The memory provider honcho knows people, not chats"),
        ({"memory": {"provider": "invented"}}, "The memory provider invented is one pool for all chats"),
    ],
)
def test_what_hermes_shares(hermes_home: Path, more: dict[str, Any], found: str) -> None:
    configure(hermes_home, **{**QUIET, **more})
    result = only(sharing(hermes_home))
    assert result.status is Status.ADVICE
    assert found in result.what
    assert result.remedy


def test_where_all_is_global_nothing_is_advised(hermes_home: Path) -> None:
    configure(hermes_home, {"policy": "global"}, memory={"provider": "holographic"})
    assert only(sharing(hermes_home)).status is Status.OK


async def test_the_command_has_both_checks(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNAL_HTTP_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("SIGNAL_ACCOUNT", "+15550001111")
    found = {finding.check: finding async for finding in doctor.examine("mattermost")}
    assert found["hermes.memory"].status is Status.OK
    assert found["hermes.shared"].what.startswith("Chats of signal may use ")
    configure(hermes_home, {"strict": "perhaps"})
    found = {finding.check: finding async for finding in doctor.examine("mattermost")}
    assert (found["hermes.memory"].status, found["hermes.shared"].status) == (Status.FAILED, Status.SKIPPED)
