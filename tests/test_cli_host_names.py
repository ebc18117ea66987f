"""`doctor --host`: every name once, what is off without it, and who would refuse to start."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.adapters.signal import host_names as signal_names
from hermes_hardened_adapters.cli import host_names
from hermes_hardened_adapters.cli.main import main
from hermes_hardened_adapters.common.host import checks
from hermes_hardened_adapters.common.host.contract import check, table, version

from tests.host_without import take_away, uninstall
from tests.test_doctor import HERMES, MODULE, Status, context, run

NEEDED, OPTIONAL = table.RUNNER_SESSION_KEY, signal_names.MARKDOWN_TO_SIGNAL


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def shown(capsys: pytest.CaptureFixture[str], *networks: str) -> tuple[int, list[str]]:
    """Exit status and lines."""
    status = host_names.run(networks or NETWORKS, as_json=False)
    return status, [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def listed(capsys: pytest.CaptureFixture[str]) -> tuple[int, Mapping[str, Any]]:
    status = host_names.run(NETWORKS, as_json=True)
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("program", [MODULE, HERMES])
async def test_on_a_verified_hermes_all_platforms_start(tmp_path: Path, program: tuple[str, ...]) -> None:
    status, out, errors = await run(tmp_path, "--host", program=program)
    assert (status, errors) == (0, "")
    first, second, *table_lines = out.splitlines()
    assert first.startswith(f"Hermes {version.host_version()}: ")
    assert second == "The platforms start."
    assert not [line for line in table_lines if line.startswith(("✗", "!"))]
    marked = [line for line in table_lines if line.startswith(("✓", "-"))]
    assert f" of {len(marked)} names found" in first


def test_each_name_is_there_once_with_its_networks(capsys: pytest.CaptureFixture[str]) -> None:
    status, document = listed(capsys)
    assert (status, document["refused"], document["version"]) == (0, [], version.host_version())
    names = document["names"]
    assert set(Counter((entry["name"], entry["without"]) for entry in names).values()) == {1}
    assert {len(entry["networks"]) for entry in names} == {1, 2}
    assert {entry["state"] for entry in names} <= {"found", "missing"}
    (finder,) = [entry for entry in names if entry["name"] == "gateway.run_busy:approval_input_words"]
    assert {**finder, "state": ""} == {
        "name": "gateway.run_busy:approval_input_words",
        "state": "",
        "how": "",
        "since": "0.22",
        "networks": ["signal", "mattermost"],
        "without": "the platform",
        "off": "",
    }


def test_one_network_has_its_own_names_alone(capsys: pytest.CaptureFixture[str]) -> None:
    _, lines = shown(capsys, "signal")
    assert any("SignalAdapter._rpc" in line for line in lines)
    assert not any("MattermostAdapter" in line for line in lines)


def test_a_name_that_is_needed_is_first_and_says_who_refuses(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_away(monkeypatch, NEEDED, OPTIONAL)
    status, (_, signal, mattermost, _, module, row, *rest) = shown(capsys)
    assert status == 1
    assert (signal, mattermost) == ("Signal refuses to start.", "Mattermost refuses to start.")
    assert module.strip() == "gateway.run"
    assert row.split() == ["✗", "GatewayRunner._session_key_for_source", "missing", "the", "platform"]
    assert [line[0] for line in rest if line[:1].strip()][:1] == ["!"]


def test_a_name_of_memory_says_which_setting_starts_the_platforms_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_away(monkeypatch, table.MEMORY_PATH)
    status, (_, _, _, _, module, row, *_) = shown(capsys)
    assert (status, module.strip()) == (1, "tools.memory_tool")
    assert row.split(maxsplit=3) == [
        *("✗", "MemoryStore._path_for", "missing"),
        "the platform, unless all memory is global",
    ]


def test_a_name_of_one_network_refuses_that_network_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("gateway.platforms.signal_rate_limit.SignalRateLimitError", lambda message: message)
    status, document = listed(capsys)
    assert (status, document["refused"]) == (1, ["signal"])
    (entry,) = [entry for entry in document["names"] if entry["name"].endswith(":SignalRateLimitError")]
    assert (entry["state"], entry["how"], entry["off"]) == ("changed", "takes no retry_after", check.REFUSED)


def test_a_feature_that_is_off_is_named_at_the_top(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_away(monkeypatch, OPTIONAL)
    status, (first, second, *_) = shown(capsys)
    assert status == 0
    assert "1 missing" in first
    assert second == f"The platforms start, with these off: {OPTIONAL.without}."


def test_a_hermes_that_is_too_old_refuses_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (check, version, host_names):
        monkeypatch.setattr(module, "host_version", lambda: "0.17.0")
    status, (first, signal, mattermost, *_) = shown(capsys)
    assert status == 1
    assert first.startswith("Hermes 0.17.0: ")
    for line in (signal, mattermost):
        assert "refuses to start: hermes-agent 0.17.0 is too old" in line


def test_a_checkout_without_tags(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for module in (check, version, host_names):
        monkeypatch.setattr(module, "host_version", lambda: None)
    _, (first, *_) = shown(capsys)
    assert first.startswith("Hermes (of an unknown version): ")


def test_without_hermes_the_command_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uninstall(monkeypatch)
    assert main(["doctor", "--host"]) == 2
    out, errors = capsys.readouterr()
    assert (out, errors.strip()) == (
        "",
        "hermes-agent is not installed: pip install 'hermes-hardened-adapters[hermes]'",
    )


# -- the usual doctor


def test_the_doctor_advises_about_each_feature_that_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    take_away(monkeypatch, table.REFERENCE, table.PARSE_REFERENCES, OPTIONAL)
    hermes = context(signal=lambda: None)
    hermes.names = {"signal": NETWORKS["signal"].names, "mattermost": NETWORKS["mattermost"].names}
    ready, *advice = checks.inherited(hermes)
    assert ready.status is Status.OK
    assert {finding.status for finding in advice} == {Status.ADVICE}
    references, styles = advice
    assert references.what.startswith(f"Off with this Hermes: {table.REFERENCE.without} (")
    for name in (table.REFERENCE, table.PARSE_REFERENCES):
        assert f"{name.places[0]} is missing" in references.what
    assert f"{OPTIONAL.places[0]} is missing" in styles.what


LACKING = """
import dataclasses, sys
from importlib.machinery import PathFinder

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name != "gateway.platform_registry":
            return None
        spec = PathFinder.find_spec(name, path)
        load = spec.loader.exec_module

        def exec_module(module):
            load(module)
            fields = [f for f in dataclasses.fields(module.PlatformEntry) if f.name != "pii_safe"]
            module.PlatformEntry = dataclasses.make_dataclass("PlatformEntry", [(f.name, f.type, f) for f in fields])
            module.PlatformEntry.pii_safe = False

        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder())
"""
"""A sitecustomize with which Hermes' registry of platforms loses a field, as it may in a later release."""


async def test_a_hermes_that_takes_less_at_registration_is_refused_and_stock_stays_out(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LACKING)
    status, out, _ = await run(tmp_path, "--json", PYTHONPATH=str(tmp_path))
    found: dict[str, list[Any]] = {}
    for finding in json.loads(out):
        found.setdefault(finding["check"], []).append(finding)
    assert status == 1
    assert found["hermes.plugin"][0]["status"] == "ok"
    assert [f["status"] for f in found["hermes.platform"]] == ["ok"] * 2
    assert all("PlatformEntry (takes no pii_safe) is changed" in f["what"] for f in found["hermes.contract"])
    assert {f["status"] for f in found["hermes.contract"]} == {"failed"}
