"""Runs the scenario tests against several versions of Hermes: `python tools/matrix.py [VERSION | newer]...`.

Each version has its own virtual environment under `.venv-matrix`. Without arguments: one version that is too old, all
verified ones, and all published since. Exit status 1 if one failed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES, version_tuple
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
TOO_OLD = "0.18.0"
SCENARIOS = (
    "test_contract.py",
    "test_doctor.py",
    "test_gateway.py",
    "test_host_events.py",
    "test_host_files.py",
    "test_host_questions.py",
    "test_mattermost_hosted.py",
    "test_mattermost_programs.py",
    "test_operated.py",
    "test_outgoing.py",
    "test_packaging.py",
    "test_red_people.py",
    "test_signal_hosted.py",
    "test_signal_record.py",
    "test_strict.py",
    "test_strict_gateway.py",
    "test_yaml.py",
)
REFUSAL = "too_old_host.py"
"""The test file for a version that is too old. It is not part of the suite, which such a version cannot pass."""


class Result(NamedTuple):
    """The result of a run. Without tests, the run failed before the first one."""

    version: str
    tests: int
    failed: int
    seconds: float

    @property
    def ok(self) -> bool:
        return self.tests > 0 and self.failed == 0


def newer(published: Sequence[str]) -> list[str]:
    """Return the releases after the newest verified one, oldest first."""
    released = [version for version in published if re.fullmatch(r"[\d.]+", version)]
    return sorted((v for v in released if version_tuple(v) > version_tuple(VERIFIED_HERMES[-1])), key=version_tuple)


def published() -> list[str]:
    """Return all versions of hermes-agent that pip can install."""
    command = [sys.executable, "-m", "pip", "index", "versions", "hermes-agent"]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (versions,) = re.findall(r"^Available versions: (.*)$", answer, re.MULTILINE)
    return [version.strip() for version in versions.split(",")]


def tests(version: str) -> list[str]:
    """Return the test files for a version."""
    names = (REFUSAL,) if version_tuple(version) < version_tuple(VERIFIED_HERMES[0]) else SCENARIOS
    return [f"tests/{name}" for name in names]


def run(version: str) -> Result:
    """Install a version together with the current project, and run its tests."""
    home = ROOT / ".venv-matrix" / version
    python, report = home / "bin" / "python", home / "report.xml"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    report.unlink(missing_ok=True)
    installed = all(
        subprocess.run([*pip, *more], cwd=ROOT).returncode == 0
        for more in (
            ["setuptools>=77", f"hermes-agent=={version}", ".[dev]"],
            ["--no-deps", "--no-build-isolation", "--force-reinstall", "."],
        )
    )
    for left in (ROOT / "build", *ROOT.glob("*.egg-info")):
        shutil.rmtree(left, ignore_errors=True)
    if installed:
        (site_packages,) = home.glob("lib/*/site-packages")
        (site_packages / "repository.pth").write_text(f"{ROOT}\n{ROOT / 'tools'}\n")
        subprocess.run([python, "-P", "-m", "pytest", "-q", f"--junit-xml={report}", *tests(version)], cwd=ROOT)
    return result(version, report)


def result(version: str, report: Path) -> Result:
    """Read a pytest report. A missing report counts as no tests."""
    if not report.exists():
        return Result(version, 0, 0, 0.0)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def total(name: str) -> float:
        return sum(float(suite.get(name, 0)) for suite in suites)

    failed = total("failures") + total("errors") + total("skipped")
    return Result(version, int(total("tests")), int(failed), total("time"))


def table(results: Sequence[Result]) -> Table:
    """Return the table to print. A skipped test counts as failed."""
    shown = Table("hermes-agent", "expected", "passed", "failed", "seconds", box=None, pad_edge=False)
    for version, count, failed, seconds in results:
        expected = "refused" if tests(version) == [f"tests/{REFUSAL}"] else "works"
        shown.add_row(version, expected, str(count - failed), str(failed) if count else "no tests", f"{seconds:.0f}")
    return shown


def main(arguments: Sequence[str]) -> int:
    """Run the requested versions; return the exit status."""
    versions: list[str] = []
    for argument in arguments or (TOO_OLD, *VERIFIED_HERMES, "newer"):
        versions += newer(published()) if argument == "newer" else [argument]
    results = [run(version) for version in versions]
    Console().print(table(results))
    return 0 if all(each.ok for each in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
