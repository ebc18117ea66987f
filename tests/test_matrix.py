"""What the matrix of Hermes' versions is made of, and that the workflow runs all of it."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES

import matrix

WORKFLOW = matrix.ROOT / ".github" / "workflows" / "ci.yml"


@pytest.fixture(scope="module")
def jobs() -> Any:
    return importlib.import_module("yaml").safe_load(WORKFLOW.read_text())["jobs"]


def test_the_workflow_runs_every_version(jobs: Any) -> None:
    listed = jobs["hermes"]["strategy"]["matrix"]["hermes"]
    assert listed == [matrix.TOO_OLD, *VERIFIED_HERMES, "newer"]


def test_the_workflow_runs_the_commands_that_there_are(jobs: Any) -> None:
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    makefile = (matrix.ROOT / "Makefile").read_text()
    assert {command.split()[0] for command in commands} == {".ci/run", "make"}
    for command in commands:
        if target := re.match(r"make (\S+)", command):
            assert f"\n{target[1]}:" in makefile


def test_the_workflow_pins_the_major_version_of_every_action(jobs: Any) -> None:
    used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
    assert used
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", action) for action in used)


def test_the_pythons_are_those_that_are_allowed(jobs: Any) -> None:
    pythons = jobs["test"]["strategy"]["matrix"]["python"]
    assert all(isinstance(python, str) for python in pythons)
    project = (matrix.ROOT / "pyproject.toml").read_text()
    assert f'requires-python = ">={pythons[0]}"' in project
    assert re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project) == pythons


def test_every_file_of_tests_is_there() -> None:
    for version in (matrix.TOO_OLD, VERIFIED_HERMES[0]):
        assert all((matrix.ROOT / name).is_file() for name in matrix.tests(version))
    assert matrix.tests(matrix.TOO_OLD) != matrix.tests(VERIFIED_HERMES[0])


def test_what_was_published_since() -> None:
    assert matrix.newer(["0.21.0", "0.20.0rc1", "0.20.0", "0.19.0", "0.18.2"]) == ["0.20.0", "0.21.0"]


@pytest.mark.parametrize(
    ("counts", "ok"),
    [
        ('tests="3" failures="0" errors="0" skipped="0"', True),
        ('tests="3" failures="1" errors="0" skipped="0"', False),
        ('tests="3" failures="0" errors="1" skipped="0"', False),
        ('tests="3" failures="0" errors="0" skipped="1"', False),
        ('tests="0" failures="0" errors="0" skipped="0"', False),
    ],
)
def test_what_counts_as_passed(counts: str, ok: bool, tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(f'<testsuites><testsuite {counts} time="1.5"/></testsuites>')
    assert matrix.result("0.19.0", report).ok is ok


def test_a_version_that_did_not_install_has_not_passed(tmp_path: Path) -> None:
    assert not matrix.result("0.19.0", tmp_path / "report.xml").ok
