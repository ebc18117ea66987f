"""The doctor's command, and its checks of Hermes and of the state file."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import pytest
from hermes_hardened_adapters.adapters.mattermost.doctor import checks as mattermost_checks
from hermes_hardened_adapters.adapters.networks import NETWORKS
from hermes_hardened_adapters.adapters.signal.doctor import checks as signal_checks
from hermes_hardened_adapters.cli import doctor
from hermes_hardened_adapters.common.core.errors import StateError
from hermes_hardened_adapters.common.doctor import state_file as state_files
from hermes_hardened_adapters.common.doctor.checks import Check, Results, run_checks
from hermes_hardened_adapters.common.doctor.findings import Finding, Result, Status, failed, masked, ok
from hermes_hardened_adapters.common.doctor.state_file import state_file
from hermes_hardened_adapters.common.host import checks, facts
from hermes_hardened_adapters.common.host.checks import CheckName
from hermes_hardened_adapters.common.host.contract import table as host_table
from hermes_hardened_adapters.common.host.contract.names import HostName
from hermes_hardened_adapters.common.host.wrapper import files, origin
from hermes_hardened_adapters.common.state.store import Store
from rich.console import Console

from tests.fakes.echo_model import EchoModel
from tests.fakes.signal_daemon import (
    ACCOUNT,
    ALICE,
    GROUP,
    KEEPALIVE,
    FakeSignalDaemon,
)
from tests.gateway_process import GatewayProcess
from tests.host_without import uninstall


@pytest.fixture
def daemon(daemon_with_profile: FakeSignalDaemon) -> FakeSignalDaemon:
    return daemon_with_profile


ENABLED = {"plugins": {"enabled": ["hardened-adapters"]}, "approvals": {"mode": "manual"}}
PID = "gateway.pid"
MODULE = (sys.executable, "-m", "hermes_hardened_adapters")
HERMES = (str(Path(sys.executable).parent / "hermes"), "adapters")


def only(results: Iterator[Result]) -> Result:
    (result,) = results
    return result


def context(home: Path | None = None, **adapters: Callable[[], object]) -> checks.Context:
    context = checks.Context(adapters)
    if home is not None:
        context.home = home
    return context


# -- the command, end to end


async def run(
    home: Path, *arguments: str, config: object = None, program: tuple[str, ...] = MODULE, **environment: str
) -> tuple[int, str, str]:
    """Exit status, output and errors of the command in a Hermes home of its own."""
    written = config if isinstance(config, str) else json.dumps(ENABLED if config is None else config)
    (home / "config.yaml").write_text(written)
    process = await asyncio.create_subprocess_exec(
        *program,
        "doctor",
        *arguments,
        env={
            "HOME": str(home),
            "HERMES_HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
            **environment,
        },
        cwd=home,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def report(home: Path, *arguments: str, **more: Any) -> tuple[int, dict[str, list[dict[str, str]]]]:
    """Exit status and findings by check, for the findings of --json."""
    status, out, errors = await run(home, "--json", *arguments, **more)
    assert errors == ""
    found: dict[str, list[dict[str, str]]] = {}
    for finding in json.loads(out):
        assert list(finding) == ["check", "status", "what", "remedy"]
        found.setdefault(finding["check"], []).append(finding)
    return status, found


def signal(daemon: FakeSignalDaemon, **more: str) -> dict[str, str]:
    return {
        "HARDENED_SIGNAL_HTTP_URL": daemon.url,
        "HARDENED_SIGNAL_ACCOUNT": ACCOUNT,
        "SIGNAL_ALLOWED_USERS": ALICE,
        "SIGNAL_GROUP_ALLOWED_USERS": GROUP,
        **more,
    }


def wrap(home: Path, version: str = "") -> None:
    """Write the plugin's folder, for the installed version or another one."""
    content = files.contents(origin.origin(version, None) if version else origin.installed())
    files.write(home, content, content)


@pytest.mark.parametrize("program", [MODULE, HERMES])
async def test_a_healthy_set_up(tmp_path: Path, daemon: FakeSignalDaemon, program: tuple[str, ...]) -> None:
    wrap(tmp_path)
    status, found = await report(tmp_path, "--network", "signal", program=program, **signal(daemon))
    assert status == 0
    kinds = {check: {finding["status"] for finding in findings} for check, findings in found.items()}
    # No gateway runs here, and whether there is an ffmpeg is the machine's own affair. Hermes gives chats a terminal.
    assert kinds.pop(CheckName.GATEWAY) == kinds.pop("signal.receive_mode") == kinds.pop(CheckName.SHARED) == {"advice"}
    assert kinds.pop("signal.stream") == {"skipped"}
    kinds.pop("signal.ffmpeg")
    assert kinds == {check: {"ok"} for check in kinds}
    assert {"hermes.version", "hermes.plugin", "hermes.platform", "hermes.contract", "hermes.state"} <= set(kinds)


async def test_for_people(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    daemon.groups = []
    status, out, errors = await run(tmp_path, "--network", "signal", **signal(daemon))
    assert (status, errors) == (1, "")
    lines = out.splitlines()
    assert lines[0] == "Hermes"
    assert lines.index("Hermes") < lines.index("Signal")
    fault = next(i for i, line in enumerate(lines) if line.startswith("  ✗"))
    assert "the account is not in" in lines[fault]
    assert lines[fault + 1].startswith("      → Ask a member to add")
    assert ", 1 failed, " in lines[-1]


async def test_the_plugin_is_not_enabled(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    status, found = await report(tmp_path, "--network", "signal", config={}, **signal(daemon))
    assert status == 1
    assert found["hermes.plugin"][0]["status"] == "failed"
    assert "python -m hermes_hardened_adapters install" in found["hermes.plugin"][0]["remedy"]
    assert [f["status"] for f in found["hermes.platform"]] == ["failed", "failed"]
    assert found["signal.account"][0]["status"] == "ok"


async def test_the_plugin_is_disabled(tmp_path: Path) -> None:
    config = {"plugins": {**ENABLED["plugins"], "disabled": ["hardened-adapters"]}}
    _, found = await report(tmp_path, "--network", "signal", config=config)
    assert "plugins.disabled" in found["hermes.plugin"][0]["what"]
    assert "python -m hermes_hardened_adapters install" in found["hermes.plugin"][0]["remedy"]


async def test_safe_mode(tmp_path: Path) -> None:
    _, found = await report(tmp_path, "--network", "signal", HERMES_SAFE_MODE="1")
    assert "Unset HERMES_SAFE_MODE" in found["hermes.plugin"][0]["remedy"]


@pytest.mark.parametrize("wrapped", [False, True])
async def test_the_plugin_cannot_be_loaded(tmp_path: Path, wrapped: bool) -> None:
    if wrapped:
        wrap(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sys\nsys.modules['hermes_hardened_adapters.adapters.plugin'] = None\n"
    )
    _, found = await report(tmp_path, "--network", "signal", PYTHONPATH=str(broken))
    assert found["hermes.plugin"][0]["what"].startswith("Hermes could not load the plugin: ")
    assert "pip install --force-reinstall" in found["hermes.plugin"][0]["remedy"]


def the_plugin(home: Path) -> list[Result]:
    (home / "config.yaml").write_text(json.dumps(ENABLED))
    return list(checks.plugin(context(home)))


def test_an_update_of_hermes_would_lose_the_plugin(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, lost = the_plugin(hermes_home)
    assert (loaded.status, lost.status) == (Status.OK, Status.ADVICE)
    assert "only this Python environment has it" in lost.what
    assert lost.remedy == "Run `hermes adapters install`."
    monkeypatch.setenv("HERMES_DISABLE_LAZY_INSTALLS", "1")
    assert [each.status for each in the_plugin(hermes_home)] == [Status.OK]


def test_an_update_of_hermes_would_install_another_version(hermes_home: Path) -> None:
    wrap(hermes_home, "0.0.9")
    _, other = the_plugin(hermes_home)
    assert (other.status, other.remedy) == (Status.ADVICE, "Run `hermes adapters install`.")
    assert str(files.folder(hermes_home)) in other.what
    wrap(hermes_home)
    assert [each.status for each in the_plugin(hermes_home)] == [Status.OK]


def test_the_plugins_folder_belongs_to_another_plugin(hermes_home: Path) -> None:
    """Some versions of Hermes load that one, and some ours."""
    files.folder(hermes_home).mkdir(parents=True)
    (files.folder(hermes_home) / "plugin.yaml").write_text("name: hardened-adapters\n")
    _, foreign = the_plugin(hermes_home)
    assert foreign.status is Status.FAILED
    assert foreign.what == f"{files.folder(hermes_home) / 'plugin.yaml'} belongs to another plugin."
    assert foreign.remedy == "Move that plugin's folder away."


def test_an_update_could_not_repeat_the_installation(hermes_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "installed", lambda: origin.origin("0.1.0", "{}"))
    _, lost = the_plugin(hermes_home)
    assert (lost.status, lost.remedy) == (Status.ADVICE, "Install it with pip.")
    assert "was installed in a way that cannot be repeated" in lost.what


@pytest.mark.parametrize("isolation", ["host", None])
def test_hermes_has_not_loaded_the_plugin(
    hermes_home: Path, monkeypatch: pytest.MonkeyPatch, isolation: str | None
) -> None:
    """Hermes since 0.22 keeps plugins out of its process if the operator wants that."""
    listing = [{"name": "hardened-adapters", "enabled": False, "error": "no platforms here"}]
    monkeypatch.setattr(import_module("hermes_cli.plugins").PluginManager, "list_plugins", lambda _: listing)
    (hermes_home / "config.yaml").write_text(json.dumps({"plugins": {**ENABLED["plugins"], "isolation": isolation}}))
    finding = only(checks.plugin(context(hermes_home)))
    assert (finding.status, "no platforms here" in finding.what) == (Status.FAILED, True)
    assert ("isolation: in_process" in finding.remedy) is (isolation == "host")


async def test_another_plugin_holds_the_platform(tmp_path: Path) -> None:
    usurper = tmp_path / "plugins" / "zz-usurper"
    usurper.mkdir(parents=True)
    (usurper / "plugin.yaml").write_text("name: zz-usurper\nversion: '1'\n")
    (usurper / "__init__.py").write_text(
        "from hermes_cli.plugins import get_plugin_manager\n"
        "from gateway.platform_registry import PlatformEntry, platform_registry as registry\n"
        "def take(entry):\n"
        "    if entry and entry.name == 'signal':\n"
        "        entry.plugin_name = 'zz-usurper'\n"
        "def register(ctx):\n"
        "    keep = registry.register\n"
        "    def taken(entry, **more):\n"
        "        take(entry)\n"
        "        keep(entry, **more)\n"
        "    # Which plugin is loaded first depends on the version.\n"
        "    registry.register = taken\n"
        "    take(registry.get('signal'))\n"
    )
    config = {"plugins": {"enabled": ["zz-usurper", "hardened-adapters"]}}
    _, found = await report(tmp_path, "--network", "signal", config=config)
    assert [f["status"] for f in found["hermes.platform"]] == ["failed", "ok"]
    assert "belongs to zz-usurper" in found["hermes.platform"][0]["what"]
    assert "disable any other" in found["hermes.platform"][0]["remedy"]


async def test_a_configuration_that_is_no_yaml(tmp_path: Path) -> None:
    # What Hermes itself says of it goes to the errors.
    status, out, _ = await run(tmp_path, "--network", "signal", "--json", config="plugins:\n  enabled: [\nx: }\n")
    assert status == 1
    (finding,) = [f for f in json.loads(out) if f["check"] == "hermes.config"]
    assert "at line 3" in finding["what"]


async def test_a_network_that_is_switched_off(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    config = {**ENABLED, "signal": {"enabled": False}, "mattermost": {"enabled": False}}
    status, found = await report(tmp_path, config=config, **signal(daemon))
    assert status == 0
    assert [f["status"] for f in found["signal.enabled"]] == ["skipped"]
    assert "Remove `enabled: false`" in found["signal.enabled"][0]["remedy"]
    status, found = await report(tmp_path, "--network", "signal", config=config, **signal(daemon))
    assert status == 1
    assert found["signal.enabled"][0]["status"] == "failed"
    assert found["signal.account"][0]["status"] == "ok"


async def test_networks_that_are_not_configured(tmp_path: Path) -> None:
    status, found = await report(tmp_path)
    assert status == 0
    for network, names in {
        "signal": "HARDENED_SIGNAL_HTTP_URL and HARDENED_SIGNAL_ACCOUNT",
        "mattermost": "HARDENED_MATTERMOST_URL and HARDENED_MATTERMOST_TOKEN",
    }.items():
        (finding,) = found[f"{network}.enabled"]
        assert finding["status"] == "skipped"
        assert finding["remedy"] == f"Set {names} to use it."


async def test_stock_that_could_take_our_place(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    stock = {"SIGNAL_HTTP_URL": daemon.url, "SIGNAL_ACCOUNT": ACCOUNT, "SIGNAL_ALLOWED_USERS": ALICE}
    status, found = await report(tmp_path, "--network", "signal", **stock)
    (advice,) = found["signal.strict"]
    assert (status, advice["status"]) == (0, "advice")
    assert "HARDENED_SIGNAL_HTTP_URL" in advice["remedy"]
    status, found = await report(tmp_path, "--network", "signal", **(stock | signal(daemon)))
    assert status == 1
    assert [f["remedy"] for f in found["signal.strict"]] == ["Remove it, stock would connect with it."] * 2


@pytest.mark.parametrize("written", [{}, {"signal": {"http_url": "http://127.0.0.1:1"}}])
async def test_a_network_that_is_half_configured(tmp_path: Path, written: dict[str, Any]) -> None:
    environment = {} if written else {"SIGNAL_HTTP_URL": "http://127.0.0.1:1"}
    config = {**ENABLED, **written, "mattermost": {"enabled": False}}
    status, found = await report(tmp_path, config=config, **environment)
    assert status == 1
    assert [f["what"] for f in found["signal.settings"]] == ["SIGNAL_ACCOUNT: is not set."]


async def test_what_the_configuration_file_says_of_signal(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    block = {"http_url": daemon.url, "account": ACCOUNT, "allowed_users": [ALICE, "joe"], "group_allowed": [GROUP]}
    _, found = await report(tmp_path, "--network", "signal", config={**ENABLED, "signal": block})
    assert [f["what"].partition(":")[0] for f in found["signal.settings"]] == ["signal.allowed_users"]


async def test_a_wrong_argument(tmp_path: Path) -> None:
    status, out, errors = await run(tmp_path, "--network", "telegram")
    assert (status, out) == (2, "")
    assert "telegram" in errors


async def test_findings_come_before_the_slow_checks_end(monkeypatch: pytest.MonkeyPatch, hermes_home: Path) -> None:
    reached = asyncio.Event()

    async def slow(*_: object) -> AsyncIterator[Finding]:
        yield Finding("signal.first", Status.OK, "First.")
        reached.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("hermes_hardened_adapters.adapters.signal.doctor.checks.examine", slow)
    async with asyncio.timeout(20):
        async for finding in doctor.examine("signal"):
            if finding.check == "signal.first":
                break
    assert not reached.is_set()


async def test_a_check_that_breaks_off_is_a_finding_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch, hermes_home: Path
) -> None:
    def broken(_: object) -> Iterator[Result]:
        yield ok("Fine.")
        raise LookupError("with a secret")

    table = [replace(check, run=broken) if check.name == CheckName.GATEWAY else check for check in checks.CHECKS]
    monkeypatch.setattr(checks, "CHECKS", table)
    findings = [f async for f in doctor.examine("signal")]
    (fault,) = [f for f in findings if f.check == CheckName.GATEWAY and f.status is Status.FAILED]
    assert "LookupError" in fault.what
    assert {CheckName.STATE, "signal.settings"} <= {f.check for f in findings}
    assert "secret" not in str(findings)


async def test_a_hermes_that_cannot_read_its_configuration(monkeypatch: pytest.MonkeyPatch, hermes_home: Path) -> None:
    def broken(platforms: Collection[str]) -> Any:
        raise LookupError("with a secret")

    monkeypatch.setattr(checks, "load_setup", broken)
    found = {finding.check: finding async for finding in doctor.examine("signal")}
    fault = found.pop(CheckName.SETUP)
    assert (fault.status, "LookupError" in fault.what, "hermes doctor" in fault.remedy) == (Status.FAILED, True, True)
    assert "secret" not in fault.what
    sound = {CheckName.VERSION, CheckName.CONFIG, CheckName.CONTRACT}
    assert {check for check, finding in found.items() if finding.status is not Status.SKIPPED} == sound


# -- beside the real gateway


async def test_beside_a_gateway_that_listens_the_stream_is_looked_at(tmp_path: Path, daemon: FakeSignalDaemon) -> None:
    environment = signal(daemon)
    async with EchoModel() as model, GatewayProcess(model.base_url, env=environment, home=tmp_path) as gateway:
        examination = asyncio.create_task(report(tmp_path, "--network", "signal", config=gateway.config, **environment))
        await daemon.streams_open(2, timeout=20)
        await daemon.emit(KEEPALIVE)
        status, found = await examination
        assert [f["status"] for f in found["hermes.gateway"]] == ["ok"]
        assert [f["what"] for f in found["signal.stream"]] == ["The event stream opens and delivers data."]
        assert [f["what"] for f in found["hermes.state"]] == ["The state file is sound and private."]
        assert status == 0
        assert gateway.connected()


# -- Hermes


@pytest.mark.parametrize(
    ("version", "status"),
    [("0.18.0", Status.FAILED), ("0.18.1", Status.OK), ("0.19.0", Status.OK), ("0.99.0", Status.ADVICE)],
)
def test_the_version_of_hermes(monkeypatch: pytest.MonkeyPatch, version: str, status: Status) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    finding = only(checks.version(context()))
    assert finding.status is status
    assert version in finding.what
    assert bool(finding.remedy) == (status is not Status.OK)


async def test_without_hermes_nothing_else_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    uninstall(monkeypatch)
    findings = [f async for f in doctor.examine()]
    assert [f.check for f in findings] == list(CheckName)
    assert [f.status for f in findings] == [Status.FAILED, *[Status.SKIPPED] * (len(CheckName) - 1)]
    assert "pip install" in findings[0].remedy


@pytest.mark.parametrize("network", ["signal", "mattermost"])
def test_a_hermes_that_changed_what_is_inherited(monkeypatch: pytest.MonkeyPatch, network: str) -> None:
    module = import_module(f"hermes_hardened_adapters.adapters.{network}.adapter")
    cls = HostName(NETWORKS[network].stock.places).load()
    monkeypatch.delitem(sys.modules, module.__name__)
    monkeypatch.setattr(cls, "send_typing", None)
    monkeypatch.setattr(cls, "send", lambda self: None)
    finding = only(checks.inherited(context(**{network: lambda: import_module(module.__name__)})))
    assert finding.status is Status.FAILED
    assert "send_typing" in finding.what
    assert "send (takes no" in finding.what
    assert finding.remedy.startswith("Upgrade hermes-hardened-adapters, or go back")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a running gateway says of its platforms."""
    status = import_module("gateway.status")
    platforms: dict[str, Any] = {}
    monkeypatch.setattr(status, "get_running_pid", lambda **_: 1)
    monkeypatch.setattr(status, "read_runtime_status", lambda path: {"platforms": platforms})
    return platforms


def test_no_gateway_is_running(hermes_home: Path) -> None:
    finding = only(checks.gateway(context()))
    assert (finding.status, "hermes gateway run" in finding.remedy) == (Status.ADVICE, True)
    assert not facts.listening("signal")


def test_a_gateway_that_is_not_connected(gateway: dict[str, Any]) -> None:
    gateway["signal"] = {"state": "fatal", "error_code": "signal_host_pinned"}
    gateway["telegram"] = {"state": "fatal"}
    findings = list(checks.gateway(context(signal=dict, mattermost=dict)))
    assert [f.status for f in findings] == [Status.OK, Status.ADVICE]
    assert "signal_host_pinned" in findings[1].what
    assert not facts.listening("signal")


def test_a_gateway_that_is_connected(gateway: dict[str, Any]) -> None:
    gateway["signal"] = {"state": "connected"}
    assert only(checks.gateway(context(signal=dict))).status is Status.OK
    assert facts.listening("signal")
    assert not facts.listening("mattermost")


@pytest.mark.parametrize("config", ["gateway: {multiplex_profiles: true}", "gateway: {}", "[]", "a: ["])
def test_a_gateway_that_does_not_say_whom_it_serves(
    config: str, hermes_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = hermes_home / "profiles" / "other"
    other.mkdir(parents=True)
    (hermes_home / "config.yaml").write_text(config)
    monkeypatch.setenv("HERMES_HOME", str(other))
    status = import_module("gateway.status")
    monkeypatch.setattr(status, "get_running_pid", lambda pid_path=None, **_: 1 if pid_path else None)
    monkeypatch.setattr(status, "read_runtime_status", lambda path: {})
    assert ("serves this one" in next(iter(checks.gateway(context()))).what) is ("true" in config)


@pytest.mark.parametrize(
    ("served", "states", "connected"),
    [
        (["default", "other"], {"signal": "connected", "other:signal": "fatal"}, False),
        (["default", "other"], {"signal": "fatal", "other:signal": "connected"}, True),
        # Before 0.20.6, one state for all profiles.
        (["default", "other"], {"signal": "connected"}, True),
        (["default"], {"signal": "connected", "other:signal": "connected"}, None),
        ("default, other", {"signal": "connected"}, None),
        (None, {"signal": "connected"}, None),
    ],
)
def test_a_gateway_of_several_profiles(
    served: object,
    states: dict[str, str],
    connected: bool | None,
    hermes_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = hermes_home / "profiles" / "other"
    other.mkdir(parents=True)
    monkeypatch.setenv("HERMES_HOME", str(other))
    status = import_module("gateway.status")
    monkeypatch.setattr(
        status, "get_running_pid", lambda pid_path=None, **_: 1 if pid_path == hermes_home / PID else None
    )
    platforms = {name: {"state": state} for name, state in states.items()}
    written = {"platforms": platforms, "served_profiles": served}
    monkeypatch.setattr(status, "read_runtime_status", lambda path: written if path.parent == hermes_home else None)
    findings = list(checks.gateway(context(signal=dict)))
    assert facts.listening("signal") is bool(connected)
    if connected is None:
        assert only(iter(findings)).what.startswith("No gateway is running")
    else:
        assert "gateway of the profile default, which serves this one, is running" in findings[0].what
        assert len(findings) == 1 if connected else findings[1].status is Status.ADVICE


def test_the_default_profile_of_a_gateway_of_several(gateway: dict[str, Any], hermes_home: Path) -> None:
    gateway |= {"signal": {"state": "connected"}, "other:signal": {"state": "fatal"}, "mattermost": 7}
    assert only(checks.gateway(context(signal=dict))).status is Status.OK
    assert facts.listening("signal")


def test_what_hermes_is_asked_for(hermes_home: Path) -> None:
    assert facts.outgoing_files().is_dir()
    assert facts.paired("signal") == 0


@pytest.mark.parametrize("config", ["[]", "7", "plugins: 7", "plugins: {enabled: hardened-adapters}", "\x00"])
def test_odd_configurations(tmp_path: Path, config: str) -> None:
    (tmp_path / "config.yaml").write_text(config)
    odd = context(tmp_path)
    assert only(checks.plugin(odd)).status is Status.FAILED
    assert not facts.switched_off(odd.config, "signal")
    assert only(checks.configuration(odd)).status in Status


@pytest.mark.parametrize(
    ("config", "off"),
    [
        ({"signal": {"enabled": False}}, True),
        ({"platforms": {"signal": {"enabled": False}}}, True),
        ({"gateway": {"platforms": {"signal": {"enabled": False}}}}, True),
        ({"signal": {"enabled": True}, "platforms": {"signal": {"enabled": False}}}, False),
        ({"signal": {"account": "x"}}, False),
        ({"signal": None, "platforms": [], "gateway": "x"}, False),
    ],
)
def test_where_a_platform_is_switched_off(config: Mapping[str, Any], off: bool) -> None:
    assert facts.switched_off(config, "signal") is off


# -- the state file


@pytest.fixture
async def state(tmp_path: Path) -> Path:
    store = Store(tmp_path / "hardened_adapters" / "state.db")
    await store.open()
    await store.close()
    return store.path


def test_a_sound_state_file(state: Path) -> None:
    assert only(state_file(state)).status is Status.OK


def test_a_state_file_that_others_can_read(state: Path) -> None:
    state.chmod(0o644)
    finding = only(state_file(state))
    assert (finding.status, finding.remedy) == (Status.FAILED, f"Run `chmod 600 {state}`.")


def test_a_folder_that_all_can_read(state: Path) -> None:
    state.parent.chmod(0o755)
    finding = only(state_file(state))
    assert (finding.status, finding.remedy) == (Status.FAILED, f"Run `chmod 700 {state.parent}`.")


def test_a_state_file_that_is_none(state: Path) -> None:
    state.write_bytes(b"no database" * 500)
    assert "move" in only(state_file(state)).remedy


async def test_a_state_file_of_a_newer_version(state: Path) -> None:
    store = Store(state)
    await store.open()
    store.write("PRAGMA user_version = 99")
    await store.close()
    finding = only(state_file(state))
    assert "schema 99" in finding.what
    assert finding.remedy.startswith("Upgrade")


def test_a_damaged_state_file(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_files, "inspect", lambda _: (1, "row 1 missing from index"))
    assert "damaged" in only(state_file(state)).what


def test_a_state_file_that_was_kept_aside(state: Path) -> None:
    state.with_name("state.db.unusable-1").touch()
    advice, _ = state_file(state)
    assert advice.status is Status.ADVICE
    assert "hermes adapters groups list" in advice.remedy


async def test_orders_that_cannot_be_read_or_are_open_to_others(state: Path) -> None:
    store = Store(state)
    await store.open()
    await store.close()
    journal = state.with_name("orders")
    journal.write_text("revoke everything\n")
    journal.chmod(0o644)
    is_open, unreadable = state_file(state)
    assert (is_open.status, unreadable.status) == (Status.FAILED, Status.FAILED)
    assert "orders is open to other users" in is_open.what
    assert "no gateway connects" in unreadable.what


# -- how checks are run and shown


async def findings_of(*table: Check[None]) -> list[Finding]:
    return [finding async for finding in run_checks(table, None)]


async def test_an_exception_is_a_finding_that_names_no_more_than_its_class() -> None:
    def broken(_: None) -> Iterator[Result]:
        yield ok("Fine.")
        raise KeyError("a secret")

    findings = await findings_of(Check("a.b", broken))
    assert [f.status for f in findings] == [Status.OK, Status.FAILED]
    assert "KeyError" in findings[1].what
    assert "secret" not in str(findings)


async def test_a_function_that_yields_nothing_but_an_exception_is_a_finding() -> None:
    def broken(_: None) -> list[Result]:
        raise KeyError("a secret")

    (finding,) = await findings_of(Check("a.b", broken))
    assert (finding.check, finding.status) == ("a.b", Status.FAILED)


async def test_an_error_of_ours_is_told_in_its_own_words() -> None:
    async def broken(_: None) -> AsyncIterator[Result]:
        raise StateError("the state file cannot be read")
        yield

    (finding,) = await findings_of(Check("a.b", broken))
    assert "the state file cannot be read" in finding.what


async def test_what_needs_a_failed_check_is_skipped_and_names_the_first_failure() -> None:
    ran: list[str] = []

    def check(name: str, result: Result, *needs: str) -> Check[None]:
        def run(_: None) -> Results:
            ran.append(name)
            return [result]

        return Check(name, run, needs)

    findings = await findings_of(
        check("a", failed("Gone.", "Bring it back.")),
        check("b", ok("Fine."), "a"),
        check("c", ok("Fine."), "b"),
        check("d", ok("Fine.")),
        check("e", Result(Status.SKIPPED, "Nothing to see."), "d"),
        check("f", ok("Fine."), "d", "e"),
    )
    assert ran == ["a", "d", "e", "f"]
    assert {f.check: f.what for f in findings if f.check in {"b", "c"}} == {
        "b": "Not checked, because a failed: b.",
        "c": "Not checked, because a failed: c.",
    }
    assert [f.status.value for f in findings] == ["failed", "skipped", "skipped", "ok", "skipped", "ok"]


TABLES = {
    "hermes": (CheckName, checks.CHECKS),
    "signal": (signal_checks.CheckName, signal_checks.CHECKS),
    "mattermost": (mattermost_checks.CheckName, mattermost_checks.CHECKS),
}


@pytest.mark.parametrize("area", TABLES)
def test_every_name_has_its_check_in_that_order_and_needs_only_earlier_ones(area: str) -> None:
    names, table = TABLES[area]
    assert [check.name for check in table] == list(names)
    assert all(name.startswith(f"{area}.") for name in names)
    for position, check in enumerate(table):
        assert set(check.needs) <= {earlier.name for earlier in table[:position]}


def test_what_is_masked() -> None:
    assert masked("+15550002222") == "+1555…2222"
    assert masked("short") == masked("") == "…"


def test_the_report_takes_texts_as_they_are() -> None:
    output = io.StringIO()
    report = doctor.Report(Console(file=output, width=20, color_system=None))
    report.add(Finding("signal.x", Status.ADVICE, "[bold]x[/] :smile: " * 5, "Do [red]it."))
    report.close()
    assert output.getvalue().splitlines() == [
        "Signal",
        "  ! " + "[bold]x[/] :smile: " * 5,
        "      → Do [red]it.",
        "0 in order, 1 advice, 0 failed, 0 skipped",
    ]


def test_checks_skipped_for_one_reason_share_a_line() -> None:
    output = io.StringIO()
    report = doctor.Report(Console(file=output, width=20, color_system=None))
    report.add(Finding("signal.a", Status.FAILED, "Gone.", "Bring it back."))
    for check in ("signal.b", "signal.c"):
        report.add(Finding(check, Status.SKIPPED, f"Not checked, because signal.a failed: {check}."))
    report.add(Finding("signal.d", Status.SKIPPED, "Nobody is listening.", "Start it."))
    report.close()
    assert output.getvalue().splitlines() == [
        "Signal",
        "  ✗ Gone.",
        "      → Bring it back.",
        "  - Not checked, because signal.a failed: signal.b, signal.c.",
        "  - Nobody is listening.",
        "      → Start it.",
        "0 in order, 0 advice, 1 failed, 3 skipped",
    ]


def test_every_kind_of_finding_has_its_sign() -> None:
    assert set(doctor._SIGNS) == set(doctor._COUNTED) == set(Status)


@pytest.mark.parametrize(
    ("written", "lacking"),
    [
        ({}, True),
        ({"streaming": {"enabled": True}}, True),
        ({"display": {"platforms": {"signal": {"streaming": False}}}, "streaming": {"enabled": True}}, True),
        ({"display": {"platforms": {"signal": {"streaming": True}}}, "streaming": {"enabled": True}}, False),
    ],
)
def test_whether_hermes_streams_to_signal(hermes_home: Path, written: dict[str, Any], lacking: bool) -> None:
    (hermes_home / "config.yaml").write_text(json.dumps(written))
    lacks = facts.streaming_lacks("signal")
    assert bool(lacks) is lacking
    assert not lacking or lacks[0] == "`display.platforms.signal.streaming: true`"


def test_where_the_platforms_setting_is_not_enough_the_other_is_named(hermes_home: Path) -> None:
    (hermes_home / "config.yaml").write_text(json.dumps({"display": {"platforms": {"signal": {"streaming": True}}}}))
    narrows = host_table.STREAMING_ENABLED_FOR.optional() is not None
    assert facts.streaming_lacks("signal") == (("`streaming.enabled: true`",) if narrows else ())
