"""Every test process has a Hermes home of its own, before any module of the host is imported."""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hermes_hardened_adapters.common.state import database
from hermes_hardened_adapters.common.state.store import Store

from tests.catalogs import catalogs
from tests.environments import build_wheel
from tests.fakes.clock import Time
from tests.fakes.mattermost_server import ALICE as ALICE_ID
from tests.fakes.mattermost_server import BOB as BOB_ID
from tests.fakes.mattermost_server import FakeMattermostServer
from tests.fakes.signal_daemon import ACCOUNT, ALICE, ALICE_ACI, GROUP, OWN_ACI, FakeSignalDaemon, contact, group
from tests.figures import Figures

_FIGURES = pytest.StashKey[Figures]()
# Otherwise Hermes moves the temporary folder into its home, which some tests empty.
os.environ.setdefault("TMPDIR", tempfile.gettempdir())
_HOME = tempfile.TemporaryDirectory(prefix="hermes-test-", ignore_cleanup_errors=True)
os.environ["HOME"] = os.environ["HERMES_HOME"] = _HOME.name
os.environ |= catalogs()
Path(_HOME.name, "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")

for _name in [name for name in os.environ if name.startswith(("SIGNAL_", "MATTERMOST_", "GATEWAY_", "HARDENED_"))]:
    del os.environ[_name]


@pytest.fixture(autouse=True)
def closed_connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every connection that our code opens is closed at the end of the test."""
    opened: list[sqlite3.Connection] = []
    connect = database.connect

    def noted(path: Path, prepare: database.Prepare) -> sqlite3.Connection:
        opened.append(connect(path, prepare))
        return opened[-1]

    for module in (database, sys.modules[Store.__module__]):
        monkeypatch.setattr(module, "connect", noted)
    yield
    for connection in opened:
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            connection.total_changes  # noqa: B018


@pytest.fixture
def hermes_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A fresh HERMES_HOME with the plugin enabled."""
    home = tmp_path / "hermes"
    home.mkdir()
    (home / "config.yaml").write_text("plugins:\n  enabled: [hardened-adapters]\n")
    monkeypatch.setenv("HERMES_HOME", str(home))
    yield home
    # Hermes since 0.21.5 keeps a home's database for the process, and loses a shell's output above 1024 open files.
    if (registry := sys.modules.get("hermes_state_registry")) is not None:
        registry.close_all_under(home)


@pytest.fixture
def jobs_at_home(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hermes' jobs in that home: older versions keep them in the home of the time at which they were imported."""
    from cron import jobs

    for name in ("CRON_DIR", "JOBS_FILE", "OUTPUT_DIR"):
        if (found := getattr(jobs, name, None)) is not None:
            at = hermes_home / "cron"
            monkeypatch.setattr(jobs, name, at if name == "CRON_DIR" else at / Path(found).name)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sources, alone in its folder."""
    return build_wheel(tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("dist"))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """An open state file."""
    store = Store(tmp_path / "state.db")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def clock() -> Time:
    """A clock that back-off moves on at once."""
    return Time()


@pytest.fixture
async def server() -> AsyncIterator[FakeMattermostServer]:
    """A Mattermost server with the recorded people and channels."""
    async with FakeMattermostServer() as server:
        yield server


@pytest.fixture
def mallory(server: FakeMattermostServer) -> str:
    """A user on the Mattermost server whom nobody listed."""
    return server.add_user("mallory")


@pytest.fixture
def alice_and_bob_on_mattermost(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator lists Alice and Bob for Mattermost."""
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", f"{ALICE_ID},{BOB_ID}")


@pytest.fixture
def alice_on_mattermost(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator lists Alice alone for Mattermost."""
    monkeypatch.setenv("MATTERMOST_ALLOWED_USERS", ALICE_ID)


@pytest.fixture
async def daemon() -> AsyncIterator[FakeSignalDaemon]:
    """A signal-cli daemon that knows Alice and one group."""
    async with FakeSignalDaemon(groups=[group()]) as daemon:
        daemon.contacts.append(contact(ALICE, ALICE_ACI, "Alice"))
        yield daemon


@pytest.fixture
def daemon_with_profile(daemon: FakeSignalDaemon) -> FakeSignalDaemon:
    """The daemon, whose own account has a profile name, as a healthy set-up needs."""
    daemon.contacts[0] = contact(ACCOUNT, OWN_ACI, "Bot")
    return daemon


@pytest.fixture
def alice_on_signal(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator lists Alice and the group for Signal."""
    monkeypatch.setenv("SIGNAL_ALLOWED_USERS", ALICE)
    monkeypatch.setenv("SIGNAL_GROUP_ALLOWED_USERS", GROUP)


@pytest.fixture
def mentions_required_on_signal(alice_on_signal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """In groups, Signal messages need a mention."""
    monkeypatch.setenv("SIGNAL_REQUIRE_MENTION", "true")


@pytest.fixture(scope="session")
def figures(pytestconfig: pytest.Config) -> Figures:
    """Where fault tests count what they did; printed at the end of the run."""
    return pytestconfig.stash.setdefault(_FIGURES, Figures())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if (figures := config.stash.get(_FIGURES, None)) is not None:
        terminalreporter.write_line(f"faults: {figures}")
