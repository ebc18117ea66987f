"""Every test process has a Hermes home of its own, before any module of the host is imported."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.state.store import Store

from tests.figures import Figures

_FIGURES = pytest.StashKey[Figures]()
_HOME = tempfile.TemporaryDirectory(prefix="hermes-test-", ignore_cleanup_errors=True)
os.environ["HOME"] = os.environ["HERMES_HOME"] = _HOME.name
Path(_HOME.name, "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")

for _name in [name for name in os.environ if name.startswith(("SIGNAL_", "MATTERMOST_", "GATEWAY_", "HARDENED_"))]:
    del os.environ[_name]


@pytest.fixture
def hermes_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh HERMES_HOME with the plugin enabled."""
    home = tmp_path / "hermes"
    home.mkdir()
    (home / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    monkeypatch.setenv("HERMES_HOME", str(home))
    return home


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open state file."""
    store = Store(tmp_path / "state.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where fault tests count what they did; printed at the end of the run."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if (figures := config.stash.get(_FIGURES, None)) is not None:
        terminalreporter.write_line(f"faults: {figures}")
